"""Each check of a rehearsal fails by the one thing that it is about; the page and the view say what was seen."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reports.rehearsal import render
from shadow.rehearsal.command import write_record
from shadow.rehearsal.outcome import record_of
from shadow.rehearsal.plan import RehearsalPlan
from shadow.rehearsal.result import Record
from shadow.rehearsal.run import Rehearsal
from shadow.rehearsal.view import View
from shadow.rollout.consumers import Alarm
from shadow.rollout.stages import parse_position
from shadow.rollout.state import Step
from shadow.rollout.units import parse_unit
from tests.shadow.rehearsal.test_judge import UNIT, C, got, sent

S = 1_000_000_000
FLIP = {
    "k": "flip",
    "unit": UNIT,
    "to": "new",
    "rollback": False,
    "cut": 7,
    "decided": 2 * S,
    "first": 3 * S,
    "audited": True,
    "lost": 0,
    "duplicated": 0,
    "reordered": 0,
    "given_up": 0,
}


def steps() -> tuple[Step, ...]:
    return tuple(Step(parse_unit("*.*.*.*"), parse_position(stage), 1.0) for stage in ("shadow", "live"))


@pytest.fixture
def played(tmp_path: Path) -> Rehearsal:
    """As one that went well leaves its fields, of two events."""
    plan = RehearsalPlan(steps=steps(), connections=(C,), symbols=("BTC_USDT",))
    rehearsal = Rehearsal(plan, tmp_path, tmp_path / "runs", lambda _: None)
    rehearsal.controller.begin(plan.steps)
    rehearsal.parts.units = {(C, "book_ticker", "BTC_USDT"): UNIT}
    rehearsal.reached = list(plan.steps)
    rehearsal.began_ns, rehearsal.harmed_ns, rehearsal.back_ns, rehearsal.fed_ns = S, 5 * S, 7 * S, 9 * S
    rehearsal.judge.first_alarm_ns = 6 * S
    rehearsal.judge.alarms = [Alarm("functionality", "*", "seen")]
    rehearsal.restarted_alike, rehearsal.consumer_code = True, 0
    ear = rehearsal.parts.ear
    for no in (1, 2):
        ear.row("frames", (no, "leg", C, "ws", "book_ticker", "", None, None, sent(no), True, ""))
        ear.row("sends", (no, "leg", "client", C, 1, no, True, False, -1))
        ear.line(got(no))
    for t, side in ((1, "legacy"), (3, "new"), (7, "legacy")):
        ear.line(json.dumps({"k": "serving", "t": t * S, "unit": UNIT, "side": side}).encode())
    ear.line(json.dumps(FLIP).encode())
    return rehearsal


def bad(rehearsal: Rehearsal) -> list[str]:
    return [check.name for check in record_of(rehearsal, 12.0).checks if not check.ok]


def test_one_that_went_well_passes_and_has_its_figures(played: Rehearsal) -> None:
    record = record_of(played, 12.0)
    assert bad(played) == []
    assert record.code == 0
    assert (record.detected_s, record.back_s, record.harmed_s) == (1.0, 1.0, 2.0)
    assert record.served == {UNIT: [(0.0, "legacy"), (2.0, "new"), (6.0, "legacy")]}


def spoilt(rehearsal: Rehearsal, what: str) -> None:
    ear, judge = rehearsal.parts.ear, rehearsal.judge
    if what == "step":
        rehearsal.reached.pop()
    elif what == "unit":
        ear.line(json.dumps({"k": "serving", "t": 1, "unit": UNIT.replace("BTC", "ETH"), "side": "legacy"}).encode())
    elif what == "lost":
        ear.row("frames", (3, "leg", C, "ws", "book_ticker", "", None, None, sent(3), True, ""))
        ear.row("sends", (3, "leg", "client", C, 1, 3, True, False, -1))
    elif what == "doubled":
        ear.line(got(2))
        rehearsal.wrong_behind = 1
    elif what == "before":
        rehearsal.wrong_before = 1
    elif what == "early":
        judge.first_alarm_ns = 4 * S
    elif what == "late":
        rehearsal.back_ns = 10 * S
    elif what == "never":
        rehearsal.back_ns = 0
    elif what == "other state":
        rehearsal.restarted_alike = False
    elif what == "audit":
        ear.line(json.dumps(FLIP | {"reordered": 1}).encode())
    elif what == "journal":
        path = rehearsal.parts.places.journal
        path.write_bytes(path.read_bytes().replace(b"shadow", b"rampup"))
    elif what == "drops":
        ear.row("marks", (1, "leg", "", "harness-drops", "{}"))


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("step", ["every stage was reached"]),
        ("unit", ["every stage was reached"]),
        ("lost", ["versioned channels are exact at the consumer"]),
        ("doubled", ["versioned channels are exact at the consumer"]),
        ("before", ["wrong events are the regression's alone"]),
        ("early", ["the regression opened a trigger, nothing else did"]),
        ("late", ["back on legacy by itself, in time"]),
        ("never", ["back on legacy by itself, in time"]),
        ("other state", ["a killed controller changes nothing"]),
        ("audit", ["every audited flip is clean"]),
        ("journal", ["the journal verifies"]),
        ("drops", ["both ends were heard whole"]),
    ],
)
def test_each_thing_that_is_wrong_fails_its_check(what: str, names: list[str], played: Rehearsal) -> None:
    spoilt(played, what)
    assert bad(played) == names
    assert record_of(played, 12.0).code == 10


def record(rehearsal: Rehearsal) -> Record:
    return record_of(rehearsal, 12.0)


def test_the_page_says_what_was_seen_and_escapes_it(played: Rehearsal) -> None:
    played.judge.alarms = [Alarm("functionality", "*", "<b>seen</b>")]
    played.parts.ear.line(json.dumps({"k": "gaps", "unit": UNIT, "count": 2}).encode())
    page = write_record(played.folder, record(played))
    text = page.read_text()
    assert "Rehearsal: passed" in text
    assert "&lt;b&gt;seen&lt;/b&gt;" in text
    assert "<b>seen" not in text
    assert text.count("<rect") == 3
    assert f"2 in {UNIT}" in text
    assert page.stat().st_mode & 0o777 == 0o600


def test_the_page_of_a_failed_one_says_so(played: Rehearsal) -> None:
    played.back_ns = 0
    write_record(played.folder, record(played))
    text = render(played.folder).read_text()
    assert "Rehearsal: failed" in text
    assert "there was none" in text


def test_the_view_shows_each_unit_with_its_side_and_figures(played: Rehearsal, capsys: Any) -> None:
    view = View(terminal=False)
    view.watch(played)
    view.tell("a line that stays")
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view.picture())
    shown = console.export_text()
    assert UNIT in shown
    assert "legacy" in shown
    assert "a line that stays" in shown
    assert capsys.readouterr().err == "a line that stays\n"
