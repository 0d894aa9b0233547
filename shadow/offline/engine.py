"""The legs of a run compared in DuckDB: equal streams are settled there, the rest goes to the ordinary diff."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.capture.reader import RunData
from shadow.diff.allowance import side_rows
from shadow.diff.leg import diff_leg, either, table_of
from shadow.errors import ShadowError, UsageError
from shadow.offline.buckets import join_all, make_owed, open_workshop
from shadow.offline.join import connect
from shadow.offline.prepare import prepare_frames, prepare_given, prepare_sends
from shadow.offline.rest import diff_rest
from shadow.offline.settle import merged, settle
from shadow.offline.streams import Streams
from shadow.offline.whole import whole_leg

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff
    from shadow.diff.known import Known
    from shadow.verdict.legs import DiffLegs

__all__ = ["FOLDER", "duckdb_engine"]

FOLDER = "offline"


def duckdb_engine(memory: str) -> DiffLegs:
    """A function like `shadow.verdict.legs.diff_legs` whose database holds at most `memory`, for example `512MB`."""
    if not re.fullmatch(r"[1-9][0-9]*(MB|GB|MiB|GiB)", memory):
        raise UsageError(f"--memory {memory!r} is no size; write for example 512MB or 4GB")
    return partial(_diff_legs, memory)


def _diff_legs(
    memory: str, run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: tuple[Known, ...]
) -> dict[str, LegDiff]:
    import duckdb

    data = RunData(run)
    try:
        with _alone(run):
            folder = open_workshop(run / FOLDER, data.manifest.raw)
            return {leg: _diff_leg(memory, data, leg, roles, known, folder / leg) for leg, roles in legs}
    except (duckdb.OutOfMemoryException, duckdb.IOException) as fault:
        text = str(fault).splitlines()[0]
        raise ShadowError(f"the database needs more than --memory {memory} or more disk: {text}") from None


@contextlib.contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold the run's folder; UsageError while another process works in it."""
    folder = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UsageError(f"{run}: another `shadow judge --engine duckdb` works there; wait for its end") from None
    finally:
        os.close(folder)


def _diff_leg(
    memory: str, run: RunData, leg: str, roles: tuple[str, str], known: tuple[Known, ...], folder: Path
) -> LegDiff:
    marks = table_of(run, "marks", leg)
    if "leg-end" not in marks["name"] or run.session.get("direct"):
        return diff_leg(run, leg, roles, known=known)
    folder.mkdir(exist_ok=True)
    streams = Streams()
    given = {role: folder / f"given-{role}.parquet" for role in roles}
    spoken = {role: prepare_given(run, leg, role, streams, given[role]) for role in roles}
    sides = {role: side for role, (side, _) in spoken.items()}
    held = {role: side.held for role, side in sides.items()}
    sides[roles[1]].held = either(held[roles[1]], held[roles[0]])
    frames = prepare_frames(run, leg, streams, folder / "expected.parquet")
    rows = side_rows(table_of(run, "connections", leg), marks)
    db = connect(memory, folder / "spill")
    counts = {}
    for role in roles:
        sends, owed = folder / f"sends-{role}.parquet", folder / f"owed-{role}.parquet"
        prepare_sends(run, leg, role, rows, frames, streams, sides[role], sends)
        make_owed(db, sends, folder / "expected.parquet", owed)
        counts[role] = merged(*join_all(db, owed, given[role], folder / role))
    settled = settle(run, leg, streams, sides, frames, counts)
    rest = diff_rest(
        run, leg, settled.streams, frames, {role: lines for role, (_, lines) in spoken.items()}, held, known
    )
    return whole_leg(db, rest, settled, streams, sides, folder)
