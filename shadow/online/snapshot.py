"""A run directory as it is at one moment while a session still writes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from shadow.capture.reader import RunData
from shadow.capture.tables import schema

if TYPE_CHECKING:
    import pyarrow as pa

    from shadow.online.grown import Grown

__all__ = ["PATIENCE_NS", "SETTLE_NS", "Snapshot"]

SETTLE_NS: Final = 500_000_000
"""How old a row has to be so that all rows before it are on disk, whatever their table: flushed after 0.2 s, from pipes
that are read each 0.25 s at the latest."""
PATIENCE_NS: Final = 1_000_000_000
"""For how long a table that lags behind the others is waited for: a recorder without a core, or a silent subject."""


class Snapshot(RunData):
    """What was read of a run; the session ends at `end` (ns): what a leg did later is behind its end.

    That is `SETTLE_NS` before `now`, or where the slowest table reaches, but no longer ago than `PATIENCE_NS`. A side's
    deliveries behind that moment are kept, so that what was sent before it has a while to arrive.
    """

    def __init__(self, path: str | os.PathLike[str], grown: Grown, now: int) -> None:
        super().__init__(path)
        self._grown = grown
        self._tables: dict[str, pa.Table] = {}
        self._told = grown.marks
        self.end = min(now - SETTLE_NS, max(self._reach(now), now - PATIENCE_NS))

    def table(self, name: str) -> pa.Table:
        """A raw table as far as it was read; marks up to `end`, with an end for the leg that is open then."""
        if name not in self._tables:
            self._tables[name] = _marks_table(self.marks) if name == "marks" else self._whole(name)
        return self._tables[name]

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        """Some columns of a table, of one leg if it is given."""
        return self.since(name, columns, leg, -1)

    def since(self, name: str, columns: Sequence[str], leg: str | None, after: int) -> pa.Table:
        """As `part`, but for batches that hold nothing newer than `after` (ns, of frames a number)."""
        import pyarrow.compute as pc

        found = self.table(name) if after < 0 or name == "marks" else self._whole(name, after)
        return (found if leg is None else found.filter(pc.equal(found["leg"], leg))).select(list(columns))

    def marks_of(self, leg: str) -> pa.Table:
        """A leg's marks but for its thousands of bursts, which only the statistics take in."""
        return _marks_table([row for row in self.marks if row["leg"] == leg and row["name"] != "burst"])

    @cached_property
    def marks(self) -> list[dict[str, Any]]:
        """Rows of the marks up to `end`, with an end for the leg that is open then."""
        rows = [row for row in self._told if row["t"] <= self.end]
        if (leg := _open_leg(rows)) is not None:
            rows.append({"t": self.end, "leg": leg, "role": "", "name": "leg-end", "detail": CUT})
        return rows

    @property
    def open_leg(self) -> str | None:
        """The leg that runs at `end`, if any does."""
        last = self.marks[-1:]
        return last[0]["leg"] if last and last[0]["detail"] == CUT else None

    def _whole(self, name: str, after: int = -1) -> pa.Table:
        import pyarrow as pa

        if (self.path / f"{name}.parquet").exists():
            return super().table(name)
        return pa.Table.from_batches(self._grown.batches(name, after), schema(name))

    def _reach(self, now: int) -> int:
        """Up to when all tables are there while a phase runs: between phases nothing need come."""
        phases = [row for row in self._told if row["name"] in ("phase-begin", "phase-end", "leg-begin")]
        if not phases or phases[-1]["name"] != "phase-begin" or phases[-1]["t"] > now - PATIENCE_NS:
            return now
        leg = phases[-1]["leg"]
        roles = {row["role"] for row in self._told if row["leg"] == leg and row["name"] == "subject-start"}
        return min(self._grown.newest(name) for name in ("sends", *(f"events/{role}" for role in sorted(roles))))


CUT: Final = '{"by":"snapshot"}'


def _marks_table(rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema("marks"))


def _open_leg(rows: list[dict[str, Any]]) -> str | None:
    begun = [row["leg"] for row in rows if row["name"] == "leg-begin"]
    ended = {row["leg"] for row in rows if row["name"] == "leg-end"}
    return begun[-1] if begun and begun[-1] not in ended else None
