"""After a rollback: what the files know of it, and the command that writes the page."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from reports.aftermath import Aftermath
from shadow.cli import main
from shadow.errors import RunError, UsageError
from shadow.monitoring.aftermath import aftermath
from shadow.rollout.consumers import Alarm, UnitStatus
from shadow.rollout.units import parse_unit

from ..rollout.conftest import BOOK, TRADE, Desk

NEW, LEGACY = UnitStatus("new", other_ready=True), UnitStatus("legacy", other_ready=True)


def after(desk: Desk) -> Aftermath:
    return aftermath(desk.places, desk.now_s)


def taken_back(desk: Desk) -> Path:
    """The book alone was at canary; memory fired and took it back. Gives the session before it."""
    desk.climb(BOOK, "canary")
    session = desk.session()
    desk.now_s += 60
    desk.alarms = [Alarm("memory", BOOK, "+21 % and 9 MiB")]
    desk.beat(units={BOOK: NEW, TRADE: LEGACY})
    assert desk.controller().turn(holder="watch")[0].kind == "rollback"
    return session


@pytest.mark.checklist("R.10")
def test_it_tells_cause_split_and_the_session_before(desk: Desk) -> None:
    session = taken_back(desk)
    at_s = desk.now_s
    desk.now_s += 2
    desk.session("HOLD")
    found = after(desk)
    assert (found.trigger, found.why, found.units) == ("memory", "memory: +21 % and 9 MiB", [BOOK])
    assert (found.at_s, found.first_told_s, found.run) == (at_s, at_s, str(session))
    assert found.rules_before == [f"{BOOK} canary"]
    lines = {(one.unit, one.stage_before, one.served_before, one.stage_since, one.serves_now) for one in found.split}
    assert lines == {(BOOK, "canary", "new", "shadow", "new"), (TRADE, "off", "legacy", "off", "legacy")}
    assert not any(one.has_applied for one in found.split)
    assert [one.says for one in found.still_open] == ["+21 % and 9 MiB"]
    desk.alarms = []
    desk.beat(units={BOOK: LEGACY})
    assert [(one.serves_now, one.has_applied, one.is_fresh) for one in after(desk).split] == [("legacy", True, True)]
    assert after(desk).still_open == []
    desk.now_s += 9
    assert [one.is_fresh for one in after(desk).split] == [False]


def test_onset_is_the_first_line_that_knows_the_trigger_unless_it_was_calm_between(desk: Desk) -> None:
    desk.climb(BOOK, "canary")
    shared = [Alarm("stability", BOOK, "98 %", legacy_too=True)]
    desk.alarms = shared
    assert desk.watch() == [("hold", BOOK)]
    desk.now_s += 10
    desk.alarms = []
    assert desk.watch() == [("calm", BOOK)]
    desk.now_s += 10
    desk.alarms = shared
    assert desk.watch() == [("hold", BOOK)]
    onset_s = desk.now_s
    desk.now_s += 10
    desk.alarms = [Alarm("stability", BOOK, "97 %")]
    assert desk.watch()[0] == ("rollback", BOOK)
    assert (after(desk).first_told_s, after(desk).at_s) == (onset_s, onset_s + 10)


@pytest.mark.checklist("R.13")
def test_one_by_hand_names_no_trigger_and_the_latch_says_when_to_try_again(desk: Desk) -> None:
    taken_back(desk)
    desk.now_s += 700
    desk.alarms = []
    desk.drill()
    desk.now_s += 60
    desk.watch()
    desk.flip(BOOK, "canary", "ada")
    first_s = after(desk).at_s
    desk.now_s += 60
    desk.controller().rollback(parse_unit("*"), why="by ada")
    found = after(desk)
    assert (found.trigger, found.why, found.units) == ("", "by ada", [BOOK])
    assert found.earlier_s == [first_s]
    assert [one.partition(";")[2].split()[:2] for one in found.latches] == [["wait", "600"]]
    assert [line.kind for line in found.journal][-1] == "flag"
    assert found.journal[-1].number == found.number
    assert "rolled_back gateio.spot.book.BTC_USDT" in found.journal[-1].says


def test_a_changed_journal_is_told_and_where_nothing_was_taken_back_there_is_no_page(desk: Desk) -> None:
    with pytest.raises(UsageError, match="nothing was taken back yet"):
        after(desk)
    taken_back(desk)
    assert after(desk).journal_is_whole
    desk.controller().hold(parse_unit(TRADE), "by ada")
    desk.places.journal.write_text(desk.places.journal.read_text().replace("by ada", "by eve"))
    assert not after(desk).journal_is_whole
    desk.places.journal.write_text("no journal\n")
    with pytest.raises(RunError, match="shadow journal verify"):
        after(desk)


def test_the_command_writes_a_page_that_only_this_user_reads(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken_back(desk)
    folder = desk.places.flags.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(desk.places.flags))
    assert main(["rollout", "report"]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == desk.places.folder / "rollback.html"
    for name in ("rollback.html", "rollback.md", "rollback.json"):
        assert stat.S_IMODE((desk.places.folder / name).stat().st_mode) == 0o600, name
    assert "Taken back: Memory trigger" in page.read_text()
