"""The event diffs of a run's legs, side by side in two processes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from shadow.errors import RunError, UsageError

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.diff.codes import LegDiff
    from shadow.diff.known import Known

__all__ = ["DiffLegs", "KnownList", "SideBySide", "diff_legs", "read_known", "side_by_side"]

WORKERS = 2
KnownList: TypeAlias = "tuple[Known, ...]"


class DiffLegs(Protocol):
    """What compares the legs of a run: leg to its diff, in the order given."""

    def __call__(
        self, run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList, /
    ) -> dict[str, LegDiff]:
        """`legs` are (leg, (baseline, candidate))."""


def _nothing() -> None: ...


class SideBySide:
    """Compares the legs of a run in worker processes, which load what they need from `with` on.

    `meanwhile` is called once while they compare: for what this process is going to need.
    """

    def __init__(self, meanwhile: Callable[[], None] = _nothing) -> None:
        self._meanwhile = meanwhile

    def __enter__(self) -> Self:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        # spawn: Arrow's threads do not survive a fork
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(WORKERS, mp_context=context, initializer=_rarely_collect)
        for _ in range(WORKERS):
            self._pool.submit(_load)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __call__(self, run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList) -> dict[str, LegDiff]:
        """Leg to its diff, in the order given; the longest leg goes first."""
        order = sorted(legs, key=lambda item: not item[0].startswith("main"))
        running = {leg: self._pool.submit(_diff, run, leg, roles, known) for leg, roles in order}
        self._meanwhile()
        return {leg: running[leg].result() for leg, _ in legs}


def side_by_side(run: RunData, meanwhile: Callable[[], None]) -> AbstractContextManager[DiffLegs]:
    """What compares the legs of this run: workers that start at once where it has several legs."""
    return SideBySide(meanwhile) if len(run.session.get("plan", {}).get("legs", ())) > 1 else nullcontext(diff_legs)


def diff_legs(run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList) -> dict[str, LegDiff]:
    """Leg to its diff, in the order given; `legs` are (leg, (baseline, candidate))."""
    if len(legs) < 2:
        return {leg: _diff(run, leg, roles, known) for leg, roles in legs}
    with SideBySide() as differ:
        return differ(run, legs, known)


def _load() -> None:
    """What a worker needs, while the parent loads what it needs itself."""
    import shadow.capture.reader
    import shadow.diff.leg  # noqa: F401


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
