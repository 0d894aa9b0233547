"""The raw tables of a run directory: column names, order and types, as in docs/run-directory.md."""

from __future__ import annotations

import sys
from functools import cache
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "LEDGER_TABLES", "SESSION_TABLES", "columns", "family", "schema"]

_TYPES: Final[dict[str, dict[str, str]]] = {
    "frames": {
        "frame_no": "int64",
        "leg": "str",
        "connection": "str",
        "kind": "str",
        "channel": "str",
        "symbol": "str",
        "first": "int64?",
        "last": "int64?",
        "payload": "binary",
        "is_text": "bool",
        "fault": "str",
    },
    "sends": {
        "frame_no": "int64",
        "leg": "str",
        "subject": "str",
        "connection": "str",
        "conn_no": "int32",
        "t_sent": "int64",
        "first_written": "bool",
        "queued": "bool",
        "burst": "int32",
    },
    "events": {
        "leg": "str",
        "n": "int64",
        "k": "str",
        "c": "str",
        "type": "str",
        "symbol": "str",
        "t": "int64?",
        "t_read": "int64",
        "body": "binary",
    },
    "requests": {
        "t": "int64",
        "leg": "str",
        "subject": "str",
        "connection": "str",
        "conn_no": "int32",
        "kind": "str",
        "payload": "binary",
    },
    "connections": {
        "t": "int64",
        "leg": "str",
        "subject": "str",
        "connection": "str",
        "conn_no": "int32",
        "event": "str",
        "channel": "str",
        "symbol": "str",
        "code": "int32?",
        "cause": "str",
        "detail": "str",
    },
    "resources": {
        "t": "int64",
        "leg": "str",
        "role": "str",
        "pid": "int32",
        "cpu_ns": "int64",
        "uss": "int64",
        "rss": "int64",
    },
    "marks": {"t": "int64", "leg": "str", "role": "str", "name": "str", "detail": "str"},
}

COLUMNS: Final[dict[str, tuple[str, ...]]] = {table: tuple(types) for table, types in _TYPES.items()}
"""Column names in order; key `events` stands for every `events/<role>`."""

LEDGER_TABLES: Final = ("frames", "sends", "requests", "connections", "marks")
"""Tables that the venue writes."""

SESSION_TABLES: Final = (*LEDGER_TABLES, "resources")
"""Tables that every session has, whatever its roles."""


def family(table: str) -> str:
    """Name of the table's layout: `events` for `events/<role>`, else the table itself. KeyError when unknown."""
    name = "events" if table.startswith("events/") else table
    if name not in _TYPES:
        raise KeyError(table)
    return name


def columns(table: str) -> tuple[str, ...]:
    """Column names of a table in the order of its rows."""
    return COLUMNS[family(table)]


@cache
def leave_pandas_out() -> None:
    """Spare this process the import of pandas, 0.3 s of CPU time.

    Arrow looks for it once, when it is first given Python values, in case that they are pandas' own; ours never are.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


class _NoPandas(MetaPathFinder):
    """Says that pandas is not there."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def schema(table: str) -> pa.Schema:
    """Arrow schema of a table (`events/<role>` included); only columns marked optional may be null."""
    import pyarrow as pa

    leave_pandas_out()
    kinds = {"str": pa.string(), "binary": pa.binary(), "bool": pa.bool_(), "int32": pa.int32(), "int64": pa.int64()}
    fields = _TYPES[family(table)].items()
    return pa.schema([pa.field(name, kinds[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in fields])
