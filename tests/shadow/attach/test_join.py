"""Two sides of a tap: whose a difference is, what excuses it, and that every event ends once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shadow.attach.pairs import LEGACY, NEW, SIDES
from tests.shadow.attach.conftest import BEGIN, MS, C, Desk, S

W = 2 * S


def found(desk: Desk) -> list[tuple[str, str]]:
    return [(one.code, one.side) for one in desk.look().fresh]


def settle(desk: Desk, first: int = 10_000) -> None:
    """Both go on for longer than W."""
    desk.trades(first, 50)


def test_what_both_have_is_a_match_on_each() -> None:
    desk = Desk()
    desk.trades(1, 60)
    assert found(desk) == []
    assert desk.codes() == {side: {"input": 60, "MATCH": 60, "waiting": 0} for side in SIDES}


@pytest.mark.parametrize("lacking", SIDES)
def test_what_one_side_lacks_is_its_own(lacking: str) -> None:
    desk = Desk()
    desk.trades(1, 30)
    desk.trade(31, (NEW if lacking == LEGACY else LEGACY,))
    assert found(desk) == []
    settle(desk)
    assert found(desk) == [("MISSING", lacking)]
    assert found(desk) == []


def test_the_first_seconds_are_an_edge_and_so_is_what_waits_at_the_end() -> None:
    desk = Desk()
    desk.trade(1, (LEGACY,))
    desk.trades(2, 15)
    desk.trade(17, (NEW,))
    settle(desk)
    assert found(desk) == []
    desk.trade(99, (NEW,))
    desk.close()
    codes = desk.codes()
    assert (codes[LEGACY]["EDGE"], codes[NEW]["EDGE"]) == (1, 2)
    assert codes[NEW]["waiting"] == 0


def test_a_value_that_differs_is_of_both_and_says_both_values() -> None:
    desk = Desk()
    desk.trades(1, 5)
    desk.trade(6, (LEGACY,))
    desk.trade(6, (NEW,), price=1.6)
    (one,) = desk.look().fresh
    assert (one.code, one.side) == ("FIELD", "both")
    assert "price 1.5 and 1.6" in one.says
    assert desk.codes()[NEW]["FIELD"] == desk.codes()[LEGACY]["FIELD"] == 1


def test_long_ids_that_are_one_float_are_two_events() -> None:
    first, second = 58828270140012048, 58828270140012049
    assert float(first) == float(second)
    desk = Desk()
    desk.trade(first, (LEGACY,))
    desk.trade(second, (LEGACY,))
    desk.trade(second, (NEW,))
    desk.trade(first, (NEW,), side="buy")
    assert found(desk) == [("REORDER", NEW)]
    assert desk.codes()[NEW]["MATCH"] == 2


def test_text_and_number_of_one_value_are_equal_and_times_are_not_compared() -> None:
    desk = Desk()
    desk.trade(1, (LEGACY,), price="1.50")
    desk.trade(1, (NEW,), ts=77)
    assert found(desk) == []


@pytest.mark.parametrize("side", SIDES)
def test_an_event_that_a_side_holds_back_breaks_its_order(side: str) -> None:
    theirs = (NEW if side == LEGACY else LEGACY,)
    desk = Desk()
    desk.trades(1, 30)
    desk.trade(31, theirs)
    desk.trades(32, 5)
    desk.trade(31, (side,))
    assert found(desk) == [("REORDER", side)]
    settle(desk)
    assert found(desk) == []


def test_an_event_that_comes_after_it_was_given_up_is_late() -> None:
    desk = Desk()
    desk.trades(1, 30)
    desk.trade(31, (LEGACY,))
    settle(desk)
    assert found(desk) == [("MISSING", NEW)]
    desk.trade(31, (NEW,))
    assert found(desk) == []
    for side in SIDES:
        assert desk.codes()[side]["LATE"] == 1
        assert desk.codes()[side].get("MISSING", 0) == 0


def test_what_comes_twice_from_one_side_is_its_dup() -> None:
    desk = Desk()
    desk.trades(1, 30)
    desk.trade(30, (NEW,))
    settle(desk)
    assert found(desk) == [("DUP", NEW)]


def test_twins_without_an_id_are_counted_not_identified() -> None:
    desk = Desk()
    for _ in range(40):
        for _ in range(2):
            desk.trade(7, id=None, ts=5)
        desk.beat(100 * MS)
    desk.trade(7, (LEGACY,), id=None, ts=5)
    for _ in range(30):
        desk.beat(100 * MS)
        desk.trade(8, id=None, ts=6)
    assert found(desk) == [("DUP", LEGACY)]


def test_a_last_value_that_was_replaced_need_not_come() -> None:
    desk = Desk()
    ticker: dict[str, Any] = {"bid": 1.0, "bid_quantity": 1.0, "ask": 2.0, "ask_quantity": 1.0}
    for number in range(80):
        sides = (LEGACY,) if number % 10 == 5 else SIDES
        for side in sides:
            desk.say(side, "book_ticker", seq=number, **ticker)
        desk.beat(100 * MS)
    assert found(desk) == []
    assert desk.codes()[LEGACY]["CONFLATED"] > 0


def test_what_is_missing_around_a_hole_of_the_connection_is_in_flight() -> None:
    desk = Desk()
    number = desk.trades(1, 30)
    desk.sources[C][NEW]["connected"] = False
    number = desk.trades(number, 3, sides=(LEGACY,))
    desk.sources[C][NEW]["connected"] = True
    settle(desk, number)
    assert found(desk) == []
    assert desk.codes()[LEGACY]["IN_FLIGHT"] == 3


def test_silence_of_one_side_is_named_once_and_ends_when_it_speaks() -> None:
    desk = Desk()
    number = desk.trades(1, 30)
    number = desk.trades(number, 40, sides=(LEGACY,))
    assert found(desk).count(("STALE", NEW)) == 1
    assert ("STALE", NEW) not in found(desk)
    assert [side for _, side in desk.watch.join.stale] == [NEW]
    desk.trades(number, 1)
    assert desk.watch.join.stale == []


def test_a_quiet_market_is_no_silence() -> None:
    desk = Desk()
    desk.trades(1, 30)
    for _ in range(200):
        desk.beat(100 * MS)
    assert found(desk) == []


def test_what_the_tap_dropped_is_nobodys_and_nothing_around_it_is_judged() -> None:
    desk = Desk()
    number = desk.trades(1, 30)
    desk.trade(number, (LEGACY,))
    desk.watch.take({"k": "dropped", "t": desk.now, "count": 12})
    desk.trade(number + 1, (NEW,))
    settle(desk, number + 2)
    look = desk.look()
    assert look.fresh == []
    assert look.coverage == pytest.approx(1 - 13 / (2 * 30 + 2 + 2 * 50 + 12))
    desk.trade(number + 99, (LEGACY,))
    settle(desk, number + 100)
    assert found(desk) == [("MISSING", NEW)]


def test_books_are_compared_by_coverage_whatever_their_batches() -> None:
    desk = Desk()
    for number in range(1, 60, 2):
        desk.book(number, number, (LEGACY,))
        desk.book(number + 1, number + 1, (LEGACY,))
        desk.book(number, number + 1, (NEW,))
        desk.beat(100 * MS)
    for _ in range(30):
        desk.beat(100 * MS)
    assert found(desk) == []
    assert desk.codes()[LEGACY]["MATCH"] == 60
    assert desk.codes()[NEW]["MATCH"] == 30


def books(desk: Desk, first: int, count: int, **more: Any) -> int:
    for number in range(first, first + count):
        desk.book(number, number, **more)
        desk.beat(100 * MS)
    return first + count


def test_a_lost_update_of_a_book_is_missing_and_an_altered_one_differs() -> None:
    desk = Desk()
    number = books(desk, 1, 40)
    desk.book(number, number, (LEGACY,))
    number = books(desk, number + 1, 10)
    desk.book(number, number, (LEGACY,))
    desk.book(number, number, (NEW,), bid=3.0)
    books(desk, number + 1, 40)
    assert sorted(set(found(desk))) == [("FIELD", "both"), ("MISSING", NEW), ("STATE", "both")]


def test_a_book_that_goes_back_is_reordered() -> None:
    desk = Desk()
    number = books(desk, 1, 30)
    desk.book(number + 1, number + 1)
    desk.book(number, number, (NEW,))
    assert ("REORDER", NEW) in found(desk)


@pytest.mark.parametrize("between", [0, 3])
@pytest.mark.parametrize("side", SIDES)
def test_an_update_of_a_book_that_comes_twice_is_a_dup(side: str, between: int) -> None:
    """Not one that goes back, too; and the totals add up."""
    desk = Desk()
    number = books(desk, 1, 30)
    desk.book(number, number)
    number = books(desk, number + 1, between)
    desk.book(number - 1 - between, number - 1 - between, (side,))
    books(desk, number, 40)
    assert found(desk) == [("DUP", side)]
    assert desk.codes()[side]["DUP"] == 1
    assert [told["MATCH"] + told.get("DUP", 0) + told["waiting"] for told in desk.codes().values()] == [
        told["input"] for told in desk.codes().values()
    ]


def test_an_update_that_the_exchange_sent_twice_is_none() -> None:
    desk = Desk()
    number = books(desk, 1, 30)
    for _ in range(30):
        desk.book(number, number)
        desk.beat(200 * MS)
        found(desk)
    books(desk, number + 1, 40)
    assert found(desk) == []
    assert desk.codes()[NEW].get("DUP", 0) == 0


def test_every_event_ends_exactly_once_whatever_happens() -> None:
    rng = random.Random(5)
    desk = Desk()
    for number in range(1, 600):
        sides = rng.choice([SIDES, SIDES, SIDES, (LEGACY,), (NEW,)])
        desk.trade(number - rng.choice([0, 0, 0, 1, 7]), sides, price=rng.choice([1.5, 1.5, 1.6]))
        if number % 3:
            desk.book(number, number + rng.choice([0, 1]), sides)
        if number % 150 == 0:
            desk.watch.take({"k": "dropped", "t": desk.now, "count": 3})
        desk.beat(rng.choice([10, 50, 200]) * MS)
        if number % 10 == 0:
            desk.look()
            for told in desk.codes().values():
                assert told["waiting"] >= 0
    desk.close()
    for told in desk.codes().values():
        assert told["waiting"] == 0
        assert sum(count for code, count in told.items() if code not in ("input", "waiting")) == told["input"]
        assert told["MISSING"] > 0


def test_memory_is_bounded_and_what_finds_no_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadow.attach.join.MOST_EVENTS", 50)
    desk = Desk()
    for number in range(1, 100):
        desk.trade(number)
    assert desk.codes()[NEW]["UNJUDGED"] > 0
    assert desk.look().coverage < 0.999


def test_a_connection_that_is_closed_in_order_is_no_fault() -> None:
    desk = Desk()
    desk.trades(1, 30)
    desk.trade(31, (LEGACY,))
    desk.sources = {}
    desk.beat(3 * S)
    assert found(desk) == []
    assert desk.codes()[LEGACY]["EDGE"] == 1
    assert desk.now > BEGIN
