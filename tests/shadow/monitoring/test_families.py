"""What a scrape says of a rollout, and what it never says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shadow.monitoring.labels import MOST_NAMES, MOST_UNITS
from shadow.rollout.consumers import Alarm, ConsumerStatus, UnitStatus, write_status
from shadow.rollout.units import parse_unit

from ..rollout.conftest import BOOK, PRIVATE, TRADE, Desk
from .conftest import Scraped, exposed, watch_of

Scrape = Callable[[], Scraped]


def canary(desk: Desk) -> None:
    """The book alone is served by new."""
    desk.climb(BOOK, "canary")
    desk.beat(units={BOOK: UnitStatus("new", other_ready=True), TRADE: UnitStatus("legacy")})


def test_stage_server_and_generation_are_told_by_unit_and_process(desk: Desk, scrape: Scrape) -> None:
    canary(desk)
    found = scrape()
    assert found["rule_stage"] == {(BOOK,): 2}
    assert found["unit_stage"] == {(BOOK,): 2, (TRADE,): 0}
    assert found["unit_serving_new"] == {("desk", BOOK): 1, ("desk", TRADE): 0}
    assert found["standby_ready"] == {("desk", BOOK): 1, ("desk", TRADE): 0}
    assert found["flag_generation"] == {(): 2}
    assert found["consumer_generation"] == {("desk",): 2}
    assert found["consumer_generation_age_seconds"] == {("desk",): 86_401}
    assert found["consumer_flag_staleness_seconds"] == {("desk",): 0}
    assert found["consumer_audit_clean"] == {("desk",): 1}


def test_a_share_is_told_by_the_units_that_the_flag_chose(desk: Desk, scrape: Scrape) -> None:
    desk.units = tuple(f"gateio.spot.book.S{number}_USDT" for number in range(40))
    desk.watch()
    desk.flip("gateio.spot.book.*", "shadow")
    desk.now_s += 86_401
    desk.session(symbols=[f"S{number}_USDT" for number in range(40)])
    desk.drill()
    desk.watch()
    desk.flip("gateio.spot.book.*", "canary:50", "ada")
    found = scrape()
    assert found["rule_stage"] == {("gateio.spot.book.*",): 2}
    stages = list(found["unit_stage"].values())
    assert set(stages) == {1, 2}
    assert 8 <= stages.count(2) <= 32


def test_staleness_counts_from_the_first_generation_that_is_missing(desk: Desk, scrape: Scrape) -> None:
    desk.watch()
    desk.flip(BOOK, "shadow")
    desk.beat()
    desk.now_s += 3
    desk.watch()
    desk.flip(TRADE, "shadow")
    desk.beat(generation=0)
    desk.now_s += 4
    assert scrape()["consumer_flag_staleness_seconds"] == {("desk",): 7}
    desk.beat(generation=1)
    assert scrape()["consumer_flag_staleness_seconds"] == {("desk",): 4}


def test_heartbeats_grow_old_and_what_is_no_status_is_counted(desk: Desk, scrape: Scrape) -> None:
    desk.beat()
    (desk.places.folder / "judges" / "broken.json").write_text("{")
    desk.now_s += 9
    found = scrape()
    assert found["heartbeat_age_seconds"] == {("consumer", "desk"): 9, ("judge", "judge"): 9}
    assert found["heartbeats_fresh"] == {("consumer",): 0, ("judge",): 0}
    assert found["status_files_unreadable"] == {("consumer",): 0, ("judge",): 1}
    assert found["judges"] == {("PASS",): 0, ("REGRESSION",): 0, ("HOLD",): 0}
    desk.beat()
    assert scrape()["judges"][("PASS",)] == 1


def test_the_lease_is_held_grows_old_and_is_given_back(desk: Desk, scrape: Scrape) -> None:
    found = scrape()
    assert (found["lease_held"], found["lease_age_seconds"]) == ({(): 0}, {})
    desk.watch()
    desk.now_s += 4
    assert (scrape()["lease_held"], scrape()["lease_age_seconds"]) == ({(): 1}, {(): 4})
    desk.now_s += 7
    assert (scrape()["lease_held"], scrape()["lease_age_seconds"]) == ({(): 0}, {(): 11})


@pytest.mark.checklist("R.8")
def test_each_trigger_is_told_and_whether_legacy_shows_it_too(desk: Desk, scrape: Scrape) -> None:
    for trigger in ("performance", "stability", "memory", "functionality"):
        desk.alarms = [Alarm(trigger, BOOK, "says", legacy_too=trigger == "memory")]
        desk.beat()
        opened = {key for key, value in scrape()["trigger_open"].items() if value}
        assert opened == {("yes" if trigger == "memory" else "no", trigger)}
    desk.alarms = []
    desk.beat()
    assert set(scrape()["trigger_open"].values()) == {0}
    assert len(scrape()["trigger_open"]) == 8


def test_rollbacks_are_counted_by_trigger(desk: Desk, scrape: Scrape) -> None:
    canary(desk)
    desk.alarms = [Alarm("memory", BOOK, "+21 %")]
    assert desk.watch() == [("rollback", BOOK)]
    found = scrape()
    assert found["rollbacks"] == {(name,): float(name == "memory") for name in (*TRIGGERS, "other")}
    assert found["rollback_age_seconds"] == {(): 0}
    assert found["trigger_acts"] == {(name,): 1 for name in TRIGGERS}


TRIGGERS = ("performance", "stability", "memory", "functionality")


def test_damaged_files_are_told_and_end_nothing(desk: Desk, scrape: Scrape) -> None:
    canary(desk)
    desk.places.flags.write_text("{")
    desk.places.journal.write_text(desk.places.journal.read_text().replace('"ada"', '"eve"'))
    (desk.places.flags.parent / "websocket.kill").touch()
    found = scrape()
    assert (found["flag_readable"], found["flag_generation"]) == ({(): 0}, {})
    assert (found["journal_intact"], found["kill_file"]) == ({(): 0}, {(): 1})
    assert found["unit_serving_new"][("desk", BOOK)] == 1


def test_the_newest_session_gives_differences_events_and_the_worst_ratio(desk: Desk, scrape: Scrape) -> None:
    assert scrape()["session_differences"] == {}
    folder = desk.session()
    verdict = {
        "verdict": "ROLL_BACK",
        "grade": "quick",
        "triggers": [{"id": "performance", "verdict": "REGRESSION", "worst": "cpu.per_message"}],
        "metrics": [{"id": "cpu.per_message", "ratio": {"low": 1.1, "best": 1.2, "high": 1.3}}],
        "differences": [
            {"code": "MISSING", "side": "new", "type": "book", "count": 3},
            {"code": "MISSING", "side": "new", "type": "trade", "count": 4},
            {"code": "<script>", "side": "moon", "count": 1},
        ],
        "coverage": {"events_expected": 100, "matched": 93},
    }
    (folder / "verdict.json").write_text(json.dumps(verdict))
    desk.now_s += 20
    found = scrape()
    assert found["session_differences"] == {("MISSING", "new"): 7, ("other", "other"): 1}
    assert found["session_events"] == {("expected",): 100, ("matched",): 93}
    assert found["session_worst_ratio"] == {
        ("low", "performance"): 1.1,
        ("best", "performance"): 1.2,
        ("high", "performance"): 1.3,
    }
    assert found["session_trigger_verdict"][("performance", "REGRESSION")] == 1
    assert found["session_trigger_verdict"][("performance", "PASS")] == 0
    assert found["session_age_seconds"] == {(): 20}


def test_nothing_that_a_status_tells_in_words_and_no_account_is_served(desk: Desk) -> None:
    key = "AKIA0123456789abcdef"
    units = {f"gateio.spot.private.{key}": UnitStatus("new", other_ready=True), PRIVATE: UnitStatus("legacy")}
    url = f"wss://stream.example/ws?listenKey={key}"
    desk.beat(units=units, urls=[url], alarms=[Alarm("memory", f"gateio.spot.private.{key}", f"signature={key}")])
    desk.controller().hold(parse_unit(f"gateio.spot.private.{key}"), f"by {key}")
    watch = watch_of(desk)
    watch.take()
    text = exposed(watch)
    assert "gateio.spot.private" in text
    for secret in (key, key.lower(), "listenKey", "signature", "stream.example", str(desk.places.folder)):
        assert secret not in text


def test_labels_are_bounded_whatever_the_files_hold(desk: Desk, scrape: Scrape) -> None:
    units = {f"gateio.spot.book.S{number}_USDT": UnitStatus("legacy") for number in range(MOST_UNITS + 200)}
    desk.beat(units=units)
    for number in range(MOST_NAMES + 20):
        name = f"{'very-long-name' * 6}{number}"
        write_status(desk.places.folder, ConsumerStatus(name, 1, desk.now_s, 0, {}))
    found = scrape()
    assert len(found["unit_stage"]) == MOST_UNITS
    assert found["units_left_out"] == {(): 200}
    assert len(found["consumer_generation"]) == MOST_NAMES
    assert len(found["heartbeat_age_seconds"]) <= 2 * MOST_NAMES
    assert found["heartbeats_fresh"][("consumer",)] == MOST_NAMES + 21
    assert all(len(label) <= 48 for values in found.values() for key in values for label in key)


def test_promtool_finds_no_fault_with_what_is_served(desk: Desk, promtool: Path) -> None:
    canary(desk)
    watch = watch_of(desk)
    watch.take()
    words = [str(promtool), "check", "metrics"]
    answer = subprocess.run(words, input=exposed(watch), capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
