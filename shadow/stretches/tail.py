"""One growing table of a run: its new rows, and the deletion of segments that nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.capture.growing import Growing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TableTail"]


class TableTail:
    """Reads each row once, whatever becomes of its segment. Rows are numbered over the whole table from 0."""

    def __init__(self, folder: Path, table: str) -> None:
        self._folder = folder
        self._table = table
        self._segments: dict[Path, tuple[int, int]] = {}
        self._growing = Growing(folder, table)
        self._rows = 0
        self._deleted = 0

    def new_rows(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """What came since the last time: the number of its first row, and a batch."""
        for path, batch in self._growing.more():
            yield self._rows, batch
            begin, _ = self._segments.get(path, (self._rows, 0))
            self._rows += batch.num_rows
            self._segments[path] = (begin, self._rows)

    def rest(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows of the finished table that were not read from its segments."""
        import pyarrow.parquet as pq

        path = self._folder / f"{self._table}.parquet"
        if not path.exists():
            yield from self.new_rows()
            return
        skip = self._rows - self._deleted
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                kept = batch.slice(min(skip, batch.num_rows))
                skip = max(0, skip - batch.num_rows)
                if kept.num_rows:
                    yield self._rows, kept
                    self._rows += kept.num_rows

    def bytes_before(self, row: int) -> int:
        """Bytes of the closed segments that hold none of the rows from this one on."""
        return sum(path.stat().st_size for path in self._closed_before(row))

    def delete_before(self, row: int) -> int:
        """Delete the oldest segment that holds none of the rows from this one on; its bytes, 0 where there is none."""
        for path in self._closed_before(row):
            size = path.stat().st_size
            begin, end = self._segments.pop(path)
            path.unlink()
            self._deleted += end - begin
            return size
        return 0

    def _closed_before(self, row: int) -> list[Path]:
        return [path for path in list(self._segments)[:-1] if self._segments[path][1] <= row]
