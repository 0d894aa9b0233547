"""The pages keep their word: each command runs, and does what its page says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from shadow import cli

from .conftest import accept_session, shadow
from .documented import (
    ACCEPTED,
    DOCTORS,
    DRILLS,
    FAULTS,
    LOG,
    REPRODUCER,
    ROOT,
    SHELL,
    SHORTENED,
    TABLE,
    TRIED,
    documented,
)


@pytest.fixture(scope="module")
def tried(desk: Path) -> Path:
    """The run directory of the session that subjects.md offers for a first try."""
    answer = shadow([*shlex.split(TRIED)[1:], "--out", "tried"], desk)
    assert answer.returncode == tried_code(desk / "tried"), answer.stderr
    return desk / "tried"


def tried_code(run: Path) -> int:
    """HOLD or, as the page says of an example that is slower than legacy, ROLL BACK by its speed alone."""
    verdict = json.loads((run / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["decided_by"]) in (("ROLL_BACK", "performance"), ("HOLD", ANY)), verdict
    return 10 if verdict["verdict"] == "ROLL_BACK" else 11


def test_every_documented_command_is_known_and_none_is_stale() -> None:
    commands = {command for command in documented() if not command.startswith("make ")}
    assert commands == TABLE


@pytest.mark.parametrize("command", [command for command in documented() if command.startswith("make ")])
def test_a_documented_make_target_exists(command: str) -> None:
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    answer = subprocess.run([*shlex.split(command), "-n", "-C", str(ROOT)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("command", SHORTENED)
def test_a_documented_command_runs_in_short(command: str, desk: Path, request: pytest.FixtureRequest) -> None:
    words, code = SHORTENED[command]
    for name, fixture in (("run", "tried"), ("captures", "captures")):
        if any(f"{{{name}}}" in word for word in words):
            place = str(request.getfixturevalue(fixture))
            words = [word.replace(f"{{{name}}}", place) for word in words]
    answer = shadow(words, desk)
    code = tried_code(desk / "tried") if code is None else code
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    if "--json" in words:
        assert json.loads(answer.stdout)["schema"] == 1


@pytest.mark.parametrize("command", ACCEPTED)
def test_a_documented_session_is_accepted(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accept_session(command, desk, monkeypatch)


def test_the_documented_table_of_faults_is_made_whole_and_written(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shadow.fault_table import run
    from shadow.fault_table.cells import Cell, Observed

    def answer(sessions: Any, *_: Any) -> list[Cell]:
        told = dict.fromkeys(("auth", "connect", "decode", "subscribe"), 1)
        sides = {role: Observed(hits=1, streams=1, errors=told) for role in ("legacy", "new")}
        return [Cell(kind=one.kind, connection=place, sides=sides) for one in sessions for place in one.connections]

    monkeypatch.setattr(run, "run_sessions", answer)
    monkeypatch.chdir(desk)
    assert cli.main(shlex.split(FAULTS)[1:]) == 0
    written, ours = ((place / "docs" / "faults.md").read_text() for place in (desk, ROOT))
    names = [re.findall(r"^\| (\S+) +\| new ", text, re.MULTILINE) for text in (written, ours)]
    assert names[0] == names[1]
    assert len(names[0]) == 21


@pytest.mark.parametrize("command", DRILLS)
def test_a_documented_drill_is_made_whole_and_kept(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from shadow.drill import run
    from shadow.drill.cells import Cell

    def answer(sessions: Any, *_: Any) -> list[Cell]:
        drills = [drill for session in sessions for drill in session.drills]
        return [Cell(drill=one, happened=0, verdict="HOLD", reason="", decided_by="") for one in drills]

    monkeypatch.setattr(run, "run_many", answer)
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(command)[1:]) == 10
    (kept,) = (tmp_path / "runs" / "drills").glob("*/drill.json")
    record = json.loads(kept.read_text())
    assert [line["result"] for line in record["lines"]] == ["never happened"] * DRILLS[command]
    printed = capsys.readouterr()
    assert printed.err.endswith(f"verdict=FAILED code=10 report={kept.with_name('drill.md').relative_to(tmp_path)}\n")
    assert (json.loads(printed.out) == record) if "--json" in command else ("| never happened |" in printed.out)


@pytest.mark.parametrize("command", DOCTORS)
def test_a_documented_doctor_answers_for_this_machine(command: str, desk: Path) -> None:
    answer = shadow(shlex.split(command)[1:], desk)
    page = (ROOT / "docs" / "doctor.md").read_text()
    codes = {word: int(code) for word, code in re.findall(r"^\| (\w+) \| .* \| (\d+) \|$", page, re.MULTILINE)}
    if "--json" in command:
        told = json.loads(answer.stdout)
        levels, names = ([one[key] for one in told["checks"]] for key in ("level", "check"))
        assert told["code"] == answer.returncode
    else:
        found = re.findall(rf"^({'|'.join(codes)}) +(.{{16}}) ", answer.stdout, re.MULTILINE)
        levels, names = [level for level, _ in found], [name.strip() for _, name in found]
    assert answer.returncode == max(codes[level] for level in levels)
    rows = re.findall(r"^\| ([a-z, ]+) \| [^|]+ \|$", page.partition("| check |")[2], re.MULTILINE)
    assert names == [name for row in rows for name in row.split(", ")]


def test_the_page_of_a_reproducer_says_how_to_run_it_as_the_docs_do() -> None:
    from shadow.reproducer.case import PAGE

    assert f"$ {REPRODUCER}\n" in PAGE


def test_documented_shell_lines_work(desk: Path) -> None:
    for command in SHELL:
        subprocess.run(shlex.split(command), cwd=desk, check=True)
    assert re.search(r"^VENV := \.venv$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_log_example_prints_what_was_no_protocol_line(desk: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    from shadow.capture.tables import schema

    words = shlex.split(LOG)
    blank = {"leg": "main", "n": 1, "c": "", "type": "", "symbol": "", "t_read": 1}
    rows = [blank | {"k": "hello", "body": b'{"k":"hello"}'}, blank | {"k": "log", "body": b"no such module"}]
    (desk / words[2] / "events").mkdir(parents=True)
    parquet.write_table(
        pyarrow.Table.from_pylist(rows, schema=schema("events/new")), desk / words[2] / "events" / "new.parquet"
    )
    answer = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, cwd=desk, check=True)
    assert answer.stdout == "main: no such module\n"


def test_the_minimal_subject_delivers_every_event(tried: Path) -> None:
    verdict = json.loads((tried / "verdict.json").read_text())
    cells = json.loads((tried / "analysis.json").read_text())["coverage_cells"]
    assert {t["id"]: t["verdict"] for t in verdict["triggers"]}["functionality"] == "PASS"
    assert [d for d in verdict["differences"] if d["side"] != "legacy" and d["severity"] != "info"] == []
    assert verdict["conservation"]["ok"]
    assert {cell["channel"] for cell in cells if cell["matched"]} == {"book", "trade", "book_ticker", "ticker"}
    assert all(cell["matched"] == cell["expected"] for cell in cells)
