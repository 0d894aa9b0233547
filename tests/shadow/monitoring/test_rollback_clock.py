"""Time to rollback from heartbeats and the journal."""

from __future__ import annotations

from collections.abc import Callable

from shadow.rollout.consumers import Alarm, UnitStatus
from shadow.rollout.units import parse_unit

from ..rollout.conftest import BOOK, TRADE, Desk
from .conftest import Scraped

NEW = {BOOK: UnitStatus("new", other_ready=True)}
LEGACY = {BOOK: UnitStatus("legacy", other_ready=True)}
Scrape = Callable[[], Scraped]


def times(found: Scraped) -> tuple[float | None, float]:
    return found["rollback_seconds"].get(()), found["rollback_pending_seconds"][()]


def test_it_runs_from_the_told_trigger_to_the_last_consumer_on_legacy(desk: Desk, scrape: Scrape) -> None:
    desk.climb(BOOK, "canary")
    desk.beat(units=NEW)
    assert times(scrape()) == (None, 0)
    elsewhere = Alarm("functionality", TRADE, "two events are missing")
    desk.alarms = [elsewhere]
    desk.beat(units=NEW)
    scrape()
    desk.now_s += 1
    desk.alarms = [elsewhere, Alarm("functionality", BOOK, "one event is missing")]
    desk.beat(units=NEW)
    assert times(scrape()) == (None, 0)
    desk.now_s += 2
    desk.beat(units=NEW)
    assert desk.controller().turn(holder="watch")[0].kind == "rollback"
    desk.now_s += 1
    assert times(scrape()) == (None, 3)
    desk.beat(units=NEW)
    assert times(scrape()) == (None, 3)
    desk.alarms = []
    desk.now_s += 1
    desk.beat(units=LEGACY)
    desk.now_s += 1
    assert times(scrape()) == (4, 0)
    desk.now_s += 100
    assert times(scrape()) == (4, 0)


def test_one_by_hand_runs_from_the_journal_whatever_was_open(desk: Desk, scrape: Scrape) -> None:
    desk.climb(BOOK, "canary")
    desk.alarms = [Alarm("memory", BOOK, "not what the person named")]
    desk.beat(units=NEW)
    scrape()
    desk.now_s += 5
    desk.controller().rollback(parse_unit(BOOK))
    desk.now_s += 2
    desk.beat(units=LEGACY)
    assert times(scrape()) == (2, 0)


def test_a_consumer_without_heartbeat_keeps_it_under_way(desk: Desk, scrape: Scrape) -> None:
    desk.climb(BOOK, "canary")
    desk.beat(units=NEW)
    scrape()
    desk.controller().rollback(parse_unit(BOOK))
    desk.now_s += 60
    assert times(scrape()) == (None, 60)


def test_what_ended_before_the_first_look_is_not_measured(desk: Desk, scrape: Scrape) -> None:
    desk.climb(BOOK, "canary")
    desk.controller().rollback(parse_unit(BOOK))
    desk.now_s += 30
    desk.beat(units=LEGACY)
    assert times(scrape()) == (None, 0)


def test_without_a_consumer_there_is_nothing_to_measure(desk: Desk, scrape: Scrape) -> None:
    desk.climb(BOOK, "canary")
    scrape()
    (desk.places.folder / "consumers" / "desk.json").unlink()
    desk.controller().rollback(parse_unit(BOOK))
    desk.now_s += 30
    assert times(scrape()) == (None, 0)
