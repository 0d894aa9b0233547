"""Reading a run directory, whether it was sealed, interrupted or is still growing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from shadow.capture.declared import Declared
from shadow.capture.manifest import Manifest, read_manifest, verify_raw
from shadow.capture.tables import family, schema
from shadow.errors import RunError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["RunData"]

_ORDER: Final = ("legacy", "new", "legacy2")
BATCH_ROWS: Final = 16_384


class RunData:
    """One run directory; usable as a path. `torn` counts the segments whose tail could not be read."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._torn: dict[str, int] = {}
        if not self.path.is_dir():
            raise RunError(f"{self.path} is no run directory")

    def __fspath__(self) -> str:
        return str(self.path)

    @cached_property
    def session(self) -> dict[str, Any]:
        """session.json; RunError when it is missing, unreadable or of other types than declared."""
        path = self.path / "session.json"
        try:
            session = orjson.loads(path.read_bytes())
        except (OSError, ValueError) as fault:
            raise RunError(f"{path} is missing or unreadable: {fault}") from None
        if not isinstance(session, dict):
            raise RunError(f"{path} is unreadable: no JSON object")
        try:
            msgspec.convert(session, Declared)
        except msgspec.ValidationError as fault:
            raise RunError(f"{path} is no session of schema 1: {fault}") from None
        return session

    @cached_property
    def manifest(self) -> Manifest:
        """manifest.json; RunError when it is missing or unreadable."""
        return read_manifest(self.path)

    @property
    def complete(self) -> bool:
        """Whether the run was sealed after ending as planned; False without a manifest."""
        return (self.path / "manifest.json").is_file() and self.manifest.complete

    @property
    def torn(self) -> int:
        """Segments read so far whose tail was torn; their whole batches before it were kept."""
        return sum(self._torn.values())

    def verify(self) -> None:
        """Check all raw files against the manifest; RunError names the one that is damaged, missing or foreign."""
        self.manifest = verify_raw(self.path)

    def roles(self) -> list[str]:
        """Roles with events, in the order legacy, new, legacy2, others."""
        events = self.path / "events"
        found = {path.stem for path in events.glob("*.parquet")} | {path.name for path in events.glob("*/")}
        return sorted(found, key=lambda role: (_ORDER.index(role) if role in _ORDER else len(_ORDER), role))

    def table(self, name: str) -> pa.Table:
        """A raw table (`events/<role>` included) in the order of writing; RunError when missing or unreadable.

        From segments, torn tails are left out and counted. An interrupted run's missing table is empty.
        """
        try:
            family(name)
        except KeyError:
            raise RunError(f"{self.path / name}: there is no such table") from None
        path = self.path / f"{name}.parquet"
        return self._parquet(path, name) if path.exists() else self._segments(name)

    def batches(self, name: str, leg: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of one leg's rows in the order of writing, a few thousand rows at a time; RunError as `table`.

        Memory holds one batch. Torn tails are left out.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        path = self.path / f"{name}.parquet"
        batches = self._of_parquet(path, name, columns) if path.exists() else self._of_segments(name)
        try:
            for batch in batches:
                kept = batch.select(columns).filter(pc.equal(batch["leg"], leg))
                if kept.num_rows:
                    yield kept
        except (pa.ArrowException, OSError, KeyError) as fault:
            raise RunError(f"{path} is unreadable: {fault}") from None

    def _of_parquet(self, path: Path, name: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            layout = schema(name)
            for batch in file.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(("leg", *columns)))):
                yield batch.cast(pa.schema([layout.field(column) for column in batch.schema.names]))

    def _of_segments(self, name: str) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from shadow.capture.writer import read_segment, segment_files

        for path in segment_files(self.path, name):
            try:
                yield from read_segment(path)
            except (pa.ArrowInvalid, OSError):
                continue

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        """Some columns of a raw table, of one leg if it is given; as `table`, without reading the rest of the file."""
        import pyarrow.compute as pc

        path = self.path / f"{name}.parquet"
        if path.exists():
            return self._parquet(path, name, columns, leg)
        found = self.table(name)
        if leg is not None:
            found = found.filter(pc.equal(found["leg"], leg))
        return found.select(list(columns))

    def _parquet(self, path: Path, name: str, columns: Sequence[str] | None = None, leg: str | None = None) -> pa.Table:
        import pyarrow as pa

        try:
            kinds = schema(name)
            if columns is not None:
                kinds = pa.schema([kinds.field(column) for column in columns])
            return _rows(path, kinds.names, leg).cast(kinds)
        except (pa.ArrowException, OSError, KeyError, ValueError) as fault:
            raise RunError(f"{path} is unreadable: {fault}") from None

    def _segments(self, name: str) -> pa.Table:
        import pyarrow as pa

        from shadow.capture.writer import read_segment, segment_files

        paths = segment_files(self.path, name)
        if not paths and self.complete:
            raise RunError(f"{self.path / name}.parquet is missing")
        batches: list[pa.RecordBatch] = []
        torn = 0
        for path in paths:
            try:
                for batch in read_segment(path):
                    batches.append(batch)
            except (pa.ArrowInvalid, OSError):
                torn += 1
        self._torn[name] = torn
        try:
            return pa.Table.from_batches(batches, schema(name))
        except pa.ArrowInvalid as fault:
            raise RunError(f"{self.path / name} is unreadable: {fault}") from None


def _rows(path: Path, names: list[str], leg: str | None) -> pa.Table:
    """Some columns of a file, of one leg if it is given. `pq.read_table` would do, but it loads pandas: a third of a
    second in each process that reads a run."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if leg is None:
            return file.read(names).select(names)
        groups = [number for number in range(file.num_row_groups) if _may_hold(file, number, leg)]
        found = file.read_row_groups(groups, list(dict.fromkeys(("leg", *names))))
    return found.filter(pc.equal(found["leg"], leg)).select(names)


def _may_hold(file: pq.ParquetFile, number: int, leg: str) -> bool:
    """Whether a row group has rows of a leg, as far as its statistics tell."""
    bounds = file.metadata.row_group(number).column(file.schema_arrow.get_field_index("leg")).statistics
    return bounds is None or not bounds.has_min_max or bounds.min <= leg <= bounds.max
