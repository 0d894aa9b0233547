"""Writes what the judge derived; judging twice gives the same bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from shadow.verdict.judge import Judgement

__all__ = ["write"]

_COLUMNS = ("code", "side", "severity", "connection", "type", "symbol", "field", "leg", "count", "sample")


def write(run_dir: str | os.PathLike[str], judgement: Judgement) -> list[Path]:
    """Write verdict.json, analysis.json and differences.parquet, each whole or not at all; returns their paths."""
    run = Path(run_dir)
    out = [
        _replace(run / "verdict.json", orjson.dumps(judgement.verdict, option=orjson.OPT_INDENT_2) + b"\n"),
        _replace(run / "analysis.json", orjson.dumps(judgement.analysis) + b"\n"),
    ]
    return [*out, _write_differences(run / "differences.parquet", judgement.differences)]


def _replace(path: Path, data: bytes) -> Path:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
    return path


def _write_differences(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"count": pa.int64()}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in _COLUMNS])
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist([{name: row[name] for name in _COLUMNS} for row in rows], schema), part)
    part.replace(path)
    return path
