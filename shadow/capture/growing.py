"""A table whose segments are still being written: each record batch is read once, however often one looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from shadow.capture.writer import segment_files

__all__ = ["Growing"]


class Growing:
    """The segments of one table; `more` gives what was flushed since."""

    def __init__(self, folder: Path, table: str) -> None:
        self._folder, self._table = folder, table
        self._segment = 0
        self._offset = 0
        self._schema: pa.Schema | None = None

    def more(self) -> Iterator[tuple[Path, pa.RecordBatch]]:
        """Whole batches that were not given before, each with its segment; a torn tail waits for its rest.

        Nothing is written to a segment behind which there is another one: what is torn there is left out.
        """
        for path in segment_files(self._folder, self._table):
            number = int(path.stem)
            if number < self._segment:
                continue
            if number > self._segment:
                self._segment, self._offset, self._schema = number, 0, None
            for rows in self._rest_of(path):
                yield path, rows

    def _rest_of(self, path: Path) -> Iterator[pa.RecordBatch]:
        """The batches behind the offset, up to where the segment ends, is torn, or is gone."""
        with suppress(EOFError, pa.ArrowInvalid, OSError):
            begin = self._offset
            with path.open("rb") as file:
                file.seek(begin)
                source = pa.BufferReader(file.read())
            while True:
                rows = self._rows_of(pa.ipc.read_message(source))
                self._offset = begin + source.tell()
                if rows is not None and rows.num_rows:
                    yield rows

    def _rows_of(self, message: pa.Message) -> pa.RecordBatch | None:
        """The rows of a message; the first one of a segment has none, but their schema."""
        if self._schema is not None:
            return pa.ipc.read_record_batch(message, self._schema)
        self._schema = pa.ipc.read_schema(message)
        return None
