"""The event diffs of a run's legs, side by side in two processes."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from shadow.errors import RunError, UsageError

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff
    from shadow.diff.known import Known

__all__ = ["DiffLegs", "KnownList", "diff_legs", "read_known"]

WORKERS = 2
KnownList: TypeAlias = "tuple[Known, ...]"


class DiffLegs(Protocol):
    """What compares the legs of a run: leg to its diff, in the order given."""

    def __call__(
        self, run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList, /
    ) -> dict[str, LegDiff]:
        """`legs` are (leg, (baseline, candidate))."""


def diff_legs(run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList) -> dict[str, LegDiff]:
    """Leg to its diff, in the order given; `legs` are (leg, (baseline, candidate))."""
    if len(legs) < 2:
        return {leg: _diff(run, leg, roles, known) for leg, roles in legs}
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # spawn: Arrow's threads do not survive a fork; the longest leg goes first
    order = sorted(legs, key=lambda item: not item[0].startswith("main"))
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"), initializer=_rarely_collect) as pool:
        running = {leg: pool.submit(_diff, run, leg, roles, known) for leg, roles in order}
        return {leg: running[leg].result() for leg, _ in legs}


def _rarely_collect() -> None:
    """A diff holds millions of objects without cycles; looking for some takes a tenth of its time."""
    gc.set_threshold(200_000, 50, 1000)


def _diff(run: Path, leg: str, roles: tuple[str, str], known: KnownList) -> LegDiff:
    from shadow.capture.reader import RunData
    from shadow.diff.leg import diff_leg

    diff: LegDiff = diff_leg(RunData(run), leg, roles, known=known)
    return diff


def read_known(run: Path, session: dict[str, Any]) -> KnownList:
    """Entries of the known-differences list that the session named; expired ones are left to the diff.

    The copy in the run directory comes first, so that a verdict can be derived again elsewhere. RunError when the
    session names a file that is not there or cannot be read.
    """
    from shadow.diff.known import load_known

    name = session.get("known")
    if not name:
        return ()
    copy = run / Path(name).name
    try:
        return tuple(load_known(copy if copy.is_file() else Path(name)))
    except UsageError as fault:
        raise RunError(str(fault)) from None
