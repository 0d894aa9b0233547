"""A drill in short: one session of six faults, one on each connection, and one in which nothing may fire."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shadow.connections import CONNECTIONS
from shadow.drill.cells import Cell, word_of
from shadow.drill.plan import plan_sessions
from shadow.drill.run import run_drill, write_record

CHOSEN = ("square-5", "conflate")


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Cell], dict[str, Any], list[str]]:
    runs = tmp_path_factory.mktemp("drilled") / "runs"
    runs.mkdir()
    said: list[str] = []
    sessions = [session for session in plan_sessions(CONNECTIONS, 1) if session.kind in CHOSEN]
    cells, head = run_drill(CONNECTIONS, 1, runs, said.append, sessions)
    return runs, cells, head, said


@pytest.mark.timeout(150)
def test_each_fault_is_named_on_its_connection_within_its_bound_and_conflation_is_not(
    drilled: tuple[Path, list[Cell], dict[str, Any], list[str]],
) -> None:
    runs, cells, _, said = drilled
    assert len(cells) == len(CONNECTIONS) + 3
    assert {f"{cell.drill.what} {cell.drill.connection}: {word_of(cell)} {cell.reason}" for cell in cells if
            word_of(cell) != "ok"} == set()  # fmt: skip
    for cell in cells:
        if cell.drill.trigger == "functionality":
            assert set(cell.drill.codes) <= set(cell.codes)
            assert (cell.happened, cell.strangers) == (1, {})
            assert cell.delay is not None
            assert cell.delay <= 1.0
    assert sum(line.endswith("s left") for line in said) == 2
    assert list(runs.parent.rglob("manifest.json")) == []


def test_the_record_tells_what_a_gate_asks(
    drilled: tuple[Path, list[Cell], dict[str, Any], list[str]], tmp_path: Path
) -> None:
    _, cells, head, _ = drilled
    record = write_record(tmp_path, cells, head)
    assert json.loads((tmp_path / "drill.json").read_text()) == record
    assert (record["schema"], record["stage"], record["passed"]) == (1, "shadow", True)
    assert {"date_utc", "version", "machine", "seed", "connections"} <= set(record)
    page = (tmp_path / "drill.md").read_text()
    assert page.startswith("# Drill\n\nPassed on ")
    assert page.count("| ok ") == len(cells)


def test_a_drill_that_is_stopped_leaves_no_record(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shadow.cli", "drill", "--connections", "mexc.spot.private"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as drill:
        assert drill.stderr is not None
        assert "17 sessions, 2 at a time, the last 2 alone, about " in drill.stderr.readline()
        drill.send_signal(signal.SIGINT)
        said, complaint = drill.communicate(timeout=50)
    assert (drill.returncode, said) == (1, ""), complaint
    assert complaint.endswith("stopped by a signal; nothing was judged\n")
    assert "Traceback" not in complaint
    assert list((tmp_path / "runs" / "drills").iterdir()) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.checklist("R.1", "R.2", "R.3", "R.4")
def test_a_whole_drill_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shadow.cli", "drill", "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=1700, check=False)
    record = json.loads(answer.stdout)
    bad = [(line["drill"]["what"], line["drill"]["connection"], line["result"]) for line in record["lines"]]
    assert [one for one in bad if one[2] != "ok"] == []
    assert answer.returncode == 0
    assert len(record["lines"]) == 9 * 6 + 6 + 6 + 1 + 3 * 6 + 3 + 12
    assert record["took_s"] < 720
    assert len(list((tmp_path / "runs" / "drills").glob("*/drill.json"))) == 1
