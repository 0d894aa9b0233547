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
from shadow.drill.page import SHADOW, as_json, head_of, page
from shadow.drill.plan import DrillSession, config_of, plan_sessions
from shadow.drill.scene import SYMBOLS, sides_of
from shadow.drill.served_plan import STAGES, rules_of
from shadow.drill.stages import Found, run_stages
from shadow.errors import UsageError
from shadow.many_sessions import How, Tell, run_many

__all__ = ["JSON_NAME", "PAGE_NAME", "check_stages", "make_folders", "run_drill", "run_drills", "write_record"]

DRILLS: Final = "drills"
JSON_NAME: Final = "drill.json"
PAGE_NAME: Final = "drill.md"


def complaint(cells: list[Cell]) -> str:
    """What is not ok in a session's lines; empty where all is."""
    bad = [f"{cell.drill.connection} {cell.drill.what} {word}" for cell in cells if (word := word_of(cell)) != "ok"]
    return "" if is_passed(cells) else f"not ok ({'; '.join(bad) or 'no line'})"


def check_stages(stages: Sequence[str], connections: Sequence[str]) -> None:
    """UsageError for a stage that no drill is made in, that is named twice, or that could never pass."""
    known = (SHADOW, *STAGES)
    if not stages or set(stages) - set(known) or len(set(stages)) < len(stages):
        raise UsageError(f"--stages {','.join(stages)}: name some of {', '.join(known)}, each once")
    for stage in stages:
        if stage != SHADOW and not books_of_new(stage, connections):
            given = ", ".join(connections)
            raise UsageError(f"--stages {stage}: new serves no book of {given} there; add gateio.spot.public")


def books_of_new(stage: str, connections: Sequence[str]) -> list[str]:
    """Units of books that new serves in a stage's drill: what a consumer lost, and its flips, are told by these."""
    markets = [one.rpartition(".")[0] for one in connections if one.endswith(".public")]
    units = [f"{market}.book.{symbol}" for market in markets for symbol in SYMBOLS]
    sides = sides_of(rules_of(stage), units)
    return [unit for unit in units if sides[unit] == "new"]


def make_folders(asked: Path | None, runs: Path, seed: int, stages: Sequence[str]) -> list[Path]:
    """The folders of the records, new or empty, one for each stage: `--out`, else named by time, seed and stage."""
    if asked is None:
        base = runs / DRILLS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{seed}"
        return [make_folder(base if one == SHADOW else base.with_name(f"{base.name}-{one}")) for one in stages]
    return [make_folder(asked if len(stages) == 1 else asked / one) for one in stages]


def make_folder(folder: Path) -> Path:
    """A folder that is new or empty; UsageError where it cannot be had."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out {folder} is not an empty directory; give a new one, a record is never written over")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}") from None
    return folder


def run_drills(stages: Sequence[str], connections: Sequence[str], seed: int, runs: Path, tell: Tell) -> list[Found]:
    """Lines and head of each stage's drill, in the order asked for; what serves is drilled behind what is compared."""
    served = [one for one in stages if one != SHADOW]
    found = {SHADOW: run_drill(connections, seed, runs, tell)} if SHADOW in stages else {}
    if served:
        found |= zip(served, run_stages(served, connections, seed, runs, tell), strict=True)
    return [found[one] for one in stages]


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
