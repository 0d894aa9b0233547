"""The command over a run: which differences it takes, what it says of the others, what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadow.capture.manifest import write_manifest
from shadow.capture.tables import COLUMNS, SESSION_TABLES, schema
from shadow.cli import main
from shadow.diff.codes import Finding
from shadow.reproducer import run as run_module
from shadow.reproducer.case import Case, read_case
from shadow.reproducer.replay import PATIENT_S

GATEIO, ACCOUNT = "gateio.spot.public", "gateio.spot.private"
MS = 1_000_000
TRADE = b'{"time":1,"channel":"spot.trades","event":"update","result":{"id":%d,"create_time":1,'
TRADE += b'"create_time_ms":"1000.5","side":"buy","currency_pair":"BTC_USDT","amount":"1","price":"2"}}'
CULPRIT = 7


def difference(**more: Any) -> dict[str, Any]:
    row = {"code": "MISSING", "side": "new", "severity": "critical", "connection": GATEIO, "type": "trade", "count": 3}
    row |= {"symbol": "BTC_USDT", "field": "", "leg": "main", "sample": json.dumps({"frame_no": CULPRIT})}
    return {**row, **more}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Ten trades to new, and a list of differences."""
    folder = tmp_path / "run"
    folder.mkdir()
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in SESSION_TABLES}
    blank = {"leg": "main", "connection": GATEIO, "kind": "ws", "channel": "trade", "symbol": "BTC_USDT"}
    for no in range(1, 11):
        frame = {"frame_no": no, "first": None, "last": None, "payload": TRADE % no, "is_text": True, "fault": ""}
        tables["frames"].append(blank | frame)
        send = (no, "main", "new", GATEIO, 1, no * MS, True, False, -1)
        tables["sends"].append(dict(zip(COLUMNS["sends"], send, strict=True)))
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=schema(name)), folder / f"{name}.parquet")
    session = {"schema": 1, "connections": [GATEIO, ACCOUNT], "symbols": ["BTC_USDT"], "options": {}}
    session |= {"channels": {GATEIO: ["trade"], ACCOUNT: ["order"]}, "commands": {"new": "(own new)"}}
    (folder / "session.json").write_text(json.dumps(session))
    write_manifest(folder)
    differ(folder, difference())
    return folder


def differ(folder: Path, *rows: dict[str, Any]) -> None:
    table = pa.Table.from_pylist(list(rows)) if rows else pa.Table.from_pylist([difference()]).slice(0, 0)
    pq.write_table(table, folder / "differences.parquet")


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """Instead of a process: the difference shows while the culprit is among the frames. Each replay as (frames,
    patience in s)."""
    asked: list[tuple[int, float]] = []

    def replay(case: Case, *, quiet_s: float, is_told: bool) -> Case:
        asked.append((len(case.frames), quiet_s))
        return case

    def findings(case: Case, heard: Case) -> list[Finding]:
        is_there = any(frame.payload == TRADE % CULPRIT for frame in case.frames)
        return [Finding("MISSING", GATEIO, "trade", "BTC_USDT", "", ())] if is_there else []

    monkeypatch.setattr(run_module, "replay", replay)
    monkeypatch.setattr(run_module, "findings", findings)
    return asked


Replays = list[tuple[int, float]]
Said = pytest.CaptureFixture[str]


def test_the_smallest_list_is_checked_with_patience_and_written(run: Path, replays: Replays, capsys: Said) -> None:
    assert main(["reproduce", str(run)]) == 0
    assert replays == [(1, 0.5), (1, PATIENT_S)]
    case = read_case(run / "reproducer" / f"MISSING-{GATEIO}-1")
    assert [(frame.at_ns, frame.payload) for frame in case.frames] == [(0, TRADE % CULPRIT)]
    assert [[event.type for event in events] for events in case.expected] == [["trade"]]
    said = capsys.readouterr().err
    assert "each try starts: our own new stack" in said
    assert said.splitlines()[-1] == "1 of 1 reproduced"


def test_a_second_time_is_a_folder_beside_the_first(run: Path, replays: Replays) -> None:
    for _ in range(2):
        assert main(["reproduce", str(run), "--out", str(run.parent / "out")]) == 0
    assert {folder.name for folder in (run.parent / "out").iterdir()} == {f"MISSING-{GATEIO}-{n}" for n in (1, 2)}
    assert not (run / "reproducer").exists()


def test_a_difference_that_shows_once_only_is_not_written(
    run: Path, replays: Replays, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run_module.findings
    monkeypatch.setattr(
        run_module, "findings", lambda case, heard: found(case, heard) if replays[-1][1] < PATIENT_S else []
    )
    assert main(["reproduce", str(run)]) == 11
    assert "not reproduced: 1 frame showed it, but not once more" in capsys.readouterr().err
    assert not (run / "reproducer").exists()


@pytest.mark.parametrize(
    "other",
    [
        ("DUP", "trade", "BTC_USDT", ""),
        ("MISSING", "book", "BTC_USDT", ""),
        ("MISSING", "trade", "ETH_USDT", ""),
        ("MISSING", "trade", "BTC_USDT", "price:value"),
    ],
)
def test_another_difference_is_not_the_same_again(
    other: tuple[str, str, str, str], run: Path, replays: Replays, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, event_type, symbol, field = other
    found = Finding(code, GATEIO, event_type, symbol, field, ())
    monkeypatch.setattr(run_module, "findings", lambda case, heard: [found])
    assert main(["reproduce", str(run)]) == 11
    assert "not reproduced: all 10 frames do not show it again" in capsys.readouterr().err
    assert not (run / "reproducer").exists()


def test_accounts_are_left_out_unless_asked_for(run: Path, replays: Replays, capsys: Said) -> None:
    differ(run, difference(connection=ACCOUNT, type="order"))
    assert main(["reproduce", str(run)]) == 11
    assert "left out: MISSING gateio.spot.private order BTC_USDT: its frames hold account data" in (
        capsys.readouterr().err
    )
    assert replays == []
    assert main(["reproduce", str(run), "--accounts"]) == 11
    assert "the run holds no frame that was sent there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (difference(code="STALE"), "frames alone do not bring it about"),
        (difference(connection="../../evil"), "it belongs to no connection"),
        (difference(connection=""), "it belongs to no connection"),
    ],
)
def test_what_frames_cannot_show_is_left_out_with_the_reason(
    row: dict[str, Any], says: str, run: Path, replays: Replays, capsys: Said
) -> None:
    differ(run, row)
    assert main(["reproduce", str(run)]) == 11
    assert says in capsys.readouterr().err
    assert replays == []


def test_a_limit_is_told(run: Path, replays: Replays, capsys: Said) -> None:
    differ(run, difference(), difference(field="other", count=1))
    assert main(["reproduce", str(run), "--limit", "1"]) == 0
    assert "left out: MISSING gateio.spot.public trade BTC_USDT other: beyond --limit 1" in capsys.readouterr().err


def test_a_run_without_differences_is_said_to_have_none(run: Path, replays: Replays, capsys: Said) -> None:
    differ(run)
    assert main(["reproduce", str(run)]) == 0
    assert capsys.readouterr().err == "nothing to reproduce: the run has no grave difference of new\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--code", "DUP"], "it has MISSING"), (["--tries", "0"], "--tries 0"), (["--new", "no-such-program"], "no-such")],
)
def test_a_mistake_is_one_line(words: list[str], says: str, run: Path, capsys: Said) -> None:
    assert main(["reproduce", str(run), *words]) == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_a_run_that_was_not_judged_says_what_to_do(run: Path, capsys: Said) -> None:
    (run / "differences.parquet").unlink()
    assert main(["reproduce", str(run)]) == 2
    assert "shadow judge" in capsys.readouterr().err


def test_a_run_that_was_altered_is_refused(run: Path, capsys: Said) -> None:
    (run / "session.json").write_text("{}")
    assert main(["reproduce", str(run)]) == 12
    assert "session.json" in capsys.readouterr().err
