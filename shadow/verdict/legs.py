"""The event diffs of a run's legs, side by side in two processes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadow.errors import RunError

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff

__all__ = ["diff_legs", "read_known"]

WORKERS = 2
Known = tuple[dict[str, Any], ...]


def diff_legs(run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: Known) -> dict[str, LegDiff]:
    """Leg to its diff, in the order given; `legs` are (leg, (baseline, candidate))."""
    if len(legs) < 2:
        return {leg: _diff(run, leg, roles, known) for leg, roles in legs}
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # spawn: Arrow's threads do not survive a fork; the longest leg goes first
    order = sorted(legs, key=lambda item: item[0] != "main")
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        running = {leg: pool.submit(_diff, run, leg, roles, known) for leg, roles in order}
        return {leg: running[leg].result() for leg, _ in legs}


def _diff(run: Path, leg: str, roles: tuple[str, str], known: Known) -> LegDiff:
    from shadow.capture.reader import RunData
    from shadow.diff.leg import diff_leg

    diff: LegDiff = diff_leg(RunData(run), leg, roles, known=known)
    return diff


def read_known(run: Path, session: dict[str, Any]) -> Known:
    """Entries of the known-differences file that had not expired when the session started.

    The copy in the run directory comes first, so that a verdict can be derived again elsewhere. RunError when the
    session names a file that is not there or cannot be read.
    """
    name = session.get("known")
    if not name:
        return ()
    copy = run / Path(name).name
    path = copy if copy.is_file() else Path(name)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise RunError(f"{path}: the known-differences file of this run is unreadable: {fault}") from None
    entries = next((value for value in tables.values() if isinstance(value, list)), [])
    today = str(session.get("started_utc") or "")[:10]
    return tuple(entry for entry in entries if str(entry.get("expires", "9999"))[:10] >= today)
