"""A run directory as it is at one moment while a session still writes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from shadow.capture.reader import RunData

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SETTLE_NS", "Snapshot"]

SETTLE_NS: Final = 1_000_000_000
"""How old a row has to be so that all rows before it are on disk, whatever their table: flushed after 0.5 s, from pipes
that are read each 0.25 s at the latest."""


class Snapshot(RunData):
    """Each table is read once. The session ends `SETTLE_NS` before `now` (ns): what a leg did later is behind its end.

    A side's deliveries behind that moment are kept, so that what was sent before it has a while to arrive.
    """

    def __init__(self, path: str | os.PathLike[str], now: int) -> None:
        super().__init__(path)
        self.end = now - SETTLE_NS
        self._read: dict[str, pa.Table] = {}

    def table(self, name: str) -> pa.Table:
        """A raw table as it was when first asked for; marks up to `end`, with an end for the leg that is open then."""
        if name not in self._read:
            found = super().table(name)
            self._read[name] = self._ended(found) if name == "marks" else found
        return self._read[name]

    @property
    def open_leg(self) -> str | None:
        """The leg that runs at `end`, if any does."""
        last = self.table("marks").to_pylist()[-1:]
        return last[0]["leg"] if last and last[0]["detail"] == CUT else None

    def _ended(self, marks: pa.Table) -> pa.Table:
        import pyarrow as pa

        rows = [row for row in marks.to_pylist() if row["t"] <= self.end]
        if (leg := _open_leg(rows)) is not None:
            rows.append({"t": self.end, "leg": leg, "role": "", "name": "leg-end", "detail": CUT})
        return pa.Table.from_pylist(rows, schema=marks.schema)


CUT: Final = '{"by":"snapshot"}'


def _open_leg(rows: list[dict[str, Any]]) -> str | None:
    begun = [row["leg"] for row in rows if row["name"] == "leg-begin"]
    ended = {row["leg"] for row in rows if row["name"] == "leg-end"}
    return begun[-1] if begun and begun[-1] not in ended else None
