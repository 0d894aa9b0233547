"""Run directories for the report's tests, made by `fixtures/build.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports.aftermath import Aftermath, JournalLine, UnitSplit
from reports.session import render

from .fixtures.build import run_directory, write

AT_S = 1_800_000_000.0
BOOK, TRADE = "gateio.spot.book.BTC_USDT", "gateio.spot.trade.BTC_USDT"
KINDS = ("ship", "roll_back", "not_fit", "interrupted")


def rollback_sample(run: str, **changes: Any) -> Aftermath:
    """What is known of a rollback of the book by the functionality trigger; `run` is the session before it."""
    found = Aftermath(
        number=12,
        at_s=AT_S,
        why="functionality: 3 events are missing",
        trigger="functionality",
        generation=7,
        units=[BOOK],
        first_told_s=AT_S - 4,
        rules_before=["gateio.spot.book.* canary:10"],
        split=[
            UnitSplit(BOOK, "desk", "canary", "new", "shadow", "legacy", is_fresh=True, has_applied=True),
            UnitSplit(TRADE, "desk", "shadow", "legacy", "shadow", "legacy", is_fresh=True, has_applied=True),
        ],
        latches=[f"{BOOK} was taken back; wait 540 s more for its cool-down to pass"],
        journal=[JournalLine(11, AT_S - 4, "hold", f"unit {BOOK}"), JournalLine(12, AT_S, "flag", "generation 7")],
        run=run,
    )
    return msgspec.structs.replace(found, **changes)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[str], Path]:
    """`make_run(kind)` writes a run directory of that kind and returns it."""
    return lambda kind: run_directory(kind, tmp_path / kind)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`rendered(kind)` is a run directory of that kind with its report, for all who only read it."""
    folder = tmp_path_factory.mktemp("rendered")
    return cache(lambda kind: render(run_directory(kind, folder / kind)).parent)


@pytest.fixture
def make_history(tmp_path: Path) -> Callable[[Sequence[float]], Path]:
    """`make_history(ratios)` writes a folder of runs, one a day, oldest first; Gate.io's typical latency is the ratio,
    all else is equal."""

    def make(ratios: Sequence[float]) -> Path:
        pattern = run_directory("ship", tmp_path / "pattern")
        session, verdict = (json.loads((pattern / name).read_text()) for name in ("session.json", "verdict.json"))
        typical = next(m for m in verdict["metrics"] if m["id"] == "latency.gateio.spot.public.typical")
        for number, ratio in enumerate(ratios):
            moment = datetime(2026, 11, 1, 10, 15, tzinfo=UTC) + timedelta(days=number)
            run = tmp_path / "runs" / f"{moment:%Y%m%dT%H%M%SZ}-1"
            run.mkdir(parents=True)
            session.update(run=run.name, started_utc=moment.isoformat())
            typical["ratio"] = {"low": ratio - 0.02, "best": ratio, "high": ratio + 0.02}
            write(run / "session.json", session)
            write(run / "verdict.json", verdict)
            (run / "manifest.json").write_bytes((pattern / "manifest.json").read_bytes())
        return tmp_path / "runs"

    return make


@pytest.fixture
def edit() -> Callable[[Path, Callable[[Any], None]], None]:
    """`edit(file, change)` reads a JSON file, lets `change` alter it and writes it back."""

    def apply(path: Path, change: Callable[[Any], None]) -> None:
        content = json.loads(path.read_text("utf-8"))
        change(content)
        path.write_text(json.dumps(content), "utf-8")

    return apply
