"""The prepared tables of an offline judgement as Parquet files, written in row groups and put in place whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TableFile", "schema_of"]

GROUP_ROWS: Final = 65_536
_COLUMNS: Final[dict[str, dict[str, str]]] = {
    "given": {
        "stream": "int32", "minute": "int64", "key": "int64?", "given_no": "int64", "shape": "int32", "digest": "int64",
        "t": "int64",
    },
    "expected": {
        "frame_no": "int64", "place": "int32", "stream": "int32", "key": "int64?", "d1": "int64?", "d2": "int64?",
        "d3": "int64?", "d4": "int64?",
    },
    "sends": {
        "frame_no": "int64", "stream": "int32", "owed_no": "int64", "t_sent": "int64", "minute": "int64",
        "edge": "bool", "first_written": "bool", "queued": "bool", "burst": "int32",
    },
}  # fmt: skip


def schema_of(kind: str) -> pa.Schema:
    """Arrow schema of a prepared table: given, expected or sends."""
    import pyarrow as pa

    types = {"int32": pa.int32(), "int64": pa.int64(), "bool": pa.bool_()}
    return pa.schema([(name, types[text.rstrip("?")]) for name, text in _COLUMNS[kind].items()])


class TableFile:
    """Collects rows or columns; the file has its name only when all went well."""

    def __init__(self, target: Path, kind: str) -> None:
        import pyarrow.parquet as pq

        self._target = target
        self._part = target.with_name(f".{target.name}.part")
        self._schema = schema_of(kind)
        self._rows: list[Sequence[Any]] = []
        self._writer = pq.ParquetWriter(self._part, self._schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()
        if error is None:
            self._part.replace(self._target)

    def add(self, row: Sequence[Any]) -> None:
        """One row in the order of the columns."""
        self._rows.append(row)
        if len(self._rows) == GROUP_ROWS:
            self._flush()

    def add_columns(self, columns: Sequence[Any]) -> None:
        """Whole columns in their order."""
        import pyarrow as pa

        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=GROUP_ROWS)

    def _flush(self) -> None:
        if self._rows:
            self.add_columns(list(zip(*self._rows, strict=True)))
            self._rows.clear()
