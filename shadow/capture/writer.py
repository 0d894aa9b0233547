"""Rows to Arrow IPC segments while a session runs, segments to one Parquet file at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shadow.capture.tables import columns, schema

__all__ = ["FLUSH_NS", "SEGMENT_NS", "Row", "SegmentWriter", "compact", "read_segment", "segment_files", "warm_up"]

Row = Sequence[object]
"""One row in the column order of its table."""

FLUSH_NS: Final = 200_000_000
SEGMENT_NS: Final = 5_000_000_000
BATCH_ROWS: Final = 8192
GROUP_ROWS: Final = 65_536


class SegmentWriter:
    """Writes `<folder>/<table>/<number>.arrows`; what was flushed survives the death of the process.

    Rows are flushed after 0.2 s and segments closed after 5 s, judged at each `append`, `extend` or `tick`.
    A row that does not fit the table is dropped and counted in `drops`, never raised.
    """

    def __init__(self, folder: str | os.PathLike[str], table: str) -> None:
        self.table = table
        self.rows_written = 0
        self.drops = 0
        self._schema = schema(table)
        self._types = self._schema.types
        self._width = len(columns(table))
        self._folder = Path(folder) / table
        for path in (self._folder.parent, self._folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._number = max((int(path.stem) for path in segment_files(folder, table)), default=0)
        self._rows: list[Row] = []
        self._flush_due = 0
        self._segment_due = 0
        self._sink: pa.NativeFile | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None
        self._closed_bytes = 0

    @property
    def bytes_written(self) -> int:
        """Bytes of all segments that this writer opened, less those that were deleted."""
        return self._closed_bytes + (self._sink.tell() if self._sink is not None else 0)

    def freed(self, size: int) -> None:
        """Closed segments of so many bytes have been deleted by somebody else."""
        self._closed_bytes -= size

    def append(self, row: Row) -> None:
        """Add one row."""
        self._rows.append(row)
        self._keep_up()

    def extend(self, rows: list[Row]) -> None:
        """Add rows."""
        self._rows += rows
        self._keep_up()

    def tick(self) -> None:
        """Flush and close what is due; for the times when no row comes."""
        if self._rows or self._stream is not None:
            self._keep_up()

    def flush(self) -> None:
        """Hand all rows to the kernel as one record batch."""
        self._flush_due = 0
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        batch = self._encode(rows)
        if batch.num_rows:
            self._open_stream().write_batch(batch)
            self.rows_written += batch.num_rows

    def close(self) -> None:
        """Flush and end the segment; a later row opens the next one."""
        self.flush()
        if self._stream is not None and self._sink is not None:
            self._stream.close()
            self._closed_bytes += self._sink.tell()
            self._sink.close()
            self._stream = self._sink = None

    def _keep_up(self) -> None:
        now = perf_counter_ns()
        if self._rows and not self._flush_due:
            self._flush_due = now + FLUSH_NS
        if self._stream is not None and now >= self._segment_due:
            self.close()
        elif self._rows and (now >= self._flush_due or len(self._rows) >= BATCH_ROWS):
            self.flush()

    def _open_stream(self) -> pa.RecordBatchStreamWriter:
        if self._stream is None:
            self._number += 1
            self._sink = pa.OSFile(str(self._folder / f"{self._number:06d}.arrows"), "wb")
            self._stream = pa.ipc.new_stream(self._sink, self._schema)
            self._segment_due = perf_counter_ns() + SEGMENT_NS
        return self._stream

    def _encode(self, rows: list[Row]) -> pa.RecordBatch:
        try:
            return self._batch(rows)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            good = [row for row in rows if self._fits(row)]
            self.drops += len(rows) - len(good)
            return self._batch(good)

    def _fits(self, row: Row) -> bool:
        try:
            self._batch([row])
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return False
        return True

    def _batch(self, rows: list[Row]) -> pa.RecordBatch:
        values: Any = zip(*rows, strict=True) if rows else ([] for _ in self._types)
        arrays = [pa.array(column, kind) for column, kind in zip(values, self._types, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        for field, array in zip(self._schema, arrays, strict=True):
            if array.null_count and not field.nullable:
                raise ValueError(f"{self.table}.{field.name} may not be null")
        return batch


def warm_up(table: str) -> None:
    """Encode nothing once, so that what pyarrow loads on first use is loaded before a session, not in it."""
    layout = schema(table)
    batch = pa.RecordBatch.from_arrays([pa.array([], kind) for kind in layout.types], schema=layout)
    with pa.ipc.new_stream(pa.BufferOutputStream(), layout) as stream:
        stream.write_batch(batch)


def segment_files(folder: str | os.PathLike[str], table: str) -> list[Path]:
    """The table's segments, oldest first."""
    return sorted(path for path in (Path(folder) / table).glob("*.arrows") if path.stem.isdigit())


def read_segment(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the whole batches of a segment; raises pyarrow.ArrowInvalid or OSError where a torn tail begins."""
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def compact(folder: str | os.PathLike[str], table: str) -> int:
    """Turn a table's segments into `<table>.parquet` and remove them; return the number of rows.

    The bytes depend on the rows alone, not on how they were flushed. The segments go only after the Parquet file is
    on disk under its name. Without segments an empty table is written, unless the Parquet file is there already.
    """
    target = Path(folder) / f"{table}.parquet"
    segments = segment_files(folder, table)
    rows = int(pq.read_metadata(target).num_rows) if target.exists() else _write_parquet(target, table, segments)
    for path in segments:
        path.unlink()
    if target.with_suffix("").is_dir():
        target.with_suffix("").rmdir()
    return rows


def _write_parquet(target: Path, table: str, segments: list[Path]) -> int:
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows = 0
    with pq.ParquetWriter(part, schema(table), compression="zstd") as writer:
        for group in _groups(segments, schema(table)):
            writer.write_table(group, row_group_size=GROUP_ROWS)
            rows += group.num_rows
    _sync(part)
    part.replace(target)
    _sync(target.parent)
    return rows


def _groups(segments: list[Path], layout: pa.Schema) -> Iterator[pa.Table]:
    """Tables of exactly GROUP_ROWS rows, the last one shorter."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in _whole_batches(segments):
        held.append(batch)
        count += batch.num_rows
        if count >= GROUP_ROWS:
            table = pa.Table.from_batches(held, layout)
            full = count - count % GROUP_ROWS
            yield table.slice(0, full).combine_chunks()
            held, count = table.slice(full).to_batches(), count - full
    if count:
        yield pa.Table.from_batches(held, layout).combine_chunks()


def _whole_batches(segments: list[Path]) -> Iterator[pa.RecordBatch]:
    for path in segments:
        try:
            yield from read_segment(path)
        except (pa.ArrowInvalid, OSError):
            continue


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
