"""Runs a drill and keeps its record where gates look for it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from shadow.config import machine
from shadow.drill.cells import Cell, is_passed, word_of
from shadow.drill.observe import observe
from shadow.drill.page import as_json, head_of, page
from shadow.drill.plan import DrillSession, config_of, plan_sessions
from shadow.errors import UsageError
from shadow.many_sessions import How, Tell, run_many

__all__ = ["JSON_NAME", "PAGE_NAME", "make_folder", "run_drill", "write_record"]

DRILLS: Final = "drills"
JSON_NAME: Final = "drill.json"
PAGE_NAME: Final = "drill.md"


def complaint(cells: list[Cell]) -> str:
    """What is not ok in a session's lines; empty where all is."""
    bad = [f"{cell.drill.connection} {cell.drill.what} {word}" for cell in cells if (word := word_of(cell)) != "ok"]
    return "" if is_passed(cells) else f"not ok ({'; '.join(bad) or 'no line'})"


def make_folder(asked: Path | None, runs: Path, seed: int) -> Path:
    """The folder of the record, new or empty: `--out`, else one named by time and seed below `runs/drills`."""
    folder = asked or runs / DRILLS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{seed}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out {folder} is not an empty directory; give a new one, a record is never written over")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}") from None
    return folder


def run_drill(
    connections: Sequence[str], seed: int, runs: Path, tell: Tell, sessions: Sequence[DrillSession] | None = None
) -> tuple[list[Cell], dict[str, Any]]:
    """All lines of a drill and its head; `sessions` are those of the whole plan unless given."""
    began = time.monotonic()
    planned = plan_sessions(connections, seed) if sessions is None else sessions
    how = How(partial(config_of, seed=seed), observe, complaint, "ok")
    cells = run_many(planned, how, runs, "drill", tell)
    took_s = time.monotonic() - began
    return cells, head_of(version("ws-shadow"), machine(), seed, connections, took_s, datetime.now(UTC))


def write_record(folder: Path, cells: Sequence[Cell], head: dict[str, Any]) -> dict[str, Any]:
    """Write the page and the JSON; gives the latter."""
    record = as_json(cells, head)
    (folder / PAGE_NAME).write_text(page(cells, head))
    (folder / JSON_NAME).write_text(json.dumps(record, indent=2) + "\n")
    return record
