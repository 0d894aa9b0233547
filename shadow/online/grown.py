"""A run directory that grows: each record batch of its segments is read once and kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from shadow.capture.growing import Growing
from shadow.capture.tables import SESSION_TABLES, family

__all__ = ["Batch", "Grown"]

ORDER: Final = {"frames": "frame_no", "sends": "t_sent"}
"""What a table's rows come in order of; all others have times: of reading where there is one."""
KINDS: Final = {"frames": ("kind", "ws"), "events": ("k", "event")}
"""Tables with a few rows of another kind, which any piece of a leg may need however old they are."""


class Batch(NamedTuple):
    """Rows in the order of writing, and the largest of what they are in order of."""

    rows: pa.RecordBatch
    newest: int


class Grown:
    """All tables of one run directory, as far as they were on disk at the last `read`."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._growing: dict[str, Growing] = {}
        self._batches: dict[str, list[Batch]] = {}
        self._others: dict[str, list[Batch]] = {}
        self.marks: list[dict[str, Any]] = []
        """All rows of the table of that name."""

    def read(self) -> dict[str, list[Batch]]:
        """Read on; what is new, by table."""
        roles = sorted(path.name for path in (self._folder / "events").glob("*/"))
        new: dict[str, list[Batch]] = {}
        for name in (*SESSION_TABLES, *(f"events/{role}" for role in roles)):
            growing = self._growing.setdefault(name, Growing(self._folder, name))
            new[name] = [_batch(name, rows) for _, rows in growing.more()]
            self._batches.setdefault(name, []).extend(new[name])
            if (kind := KINDS.get(family(name))) is not None:
                others = (Batch(_unlike(batch.rows, *kind), batch.newest) for batch in new[name])
                self._others.setdefault(name, []).extend(batch for batch in others if batch.rows.num_rows)
        self.marks += [row for batch in new["marks"] for row in batch.rows.to_pylist()]
        return new

    def batches(self, name: str, after: int = -1) -> list[pa.RecordBatch]:
        """Batches of a table with a row that is newer than `after`, and rows of another kind from those before."""
        others = [batch.rows for batch in self._others.get(name, ()) if batch.newest <= after]
        return others + [batch.rows for batch in self._batches.get(name, ()) if batch.newest > after]

    def newest(self, name: str) -> int:
        """How far a table reaches; 0 where it has no rows."""
        return max((batch.newest for batch in self._batches.get(name, ())[-8:]), default=0)


def _batch(table: str, rows: pa.RecordBatch) -> Batch:
    order = ORDER.get(table, "t_read" if table.startswith("events/") else "t")
    return Batch(rows, pc.max(rows[order]).as_py() or 0)


def _unlike(rows: pa.RecordBatch, column: str, kind: str) -> pa.RecordBatch:
    return rows.filter(pc.not_equal(rows[column], kind))
