"""Three sides with connections of their own: what they lack, where they differ, and what is no difference."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.diff.codes import Dual
from shadow.diff.dual import WINDOW_NS, compare_sides, incidents
from shadow.diff.lines import Delivered

SPOT = "gateio.spot.public"
S = 1_000_000_000
MS = 1_000_000
ROLES = ("legacy", "new", "legacy2")
NEW, LEGACY, THIRD = 0, 1, 2
Events = list[dict[str, Any]]


def delivered(events: Events, lag_ns: int = 0) -> list[Delivered]:
    return [
        Delivered(n, e["t"] + lag_ns, e["t"] + lag_ns, SPOT, e["type"], "BTC_USDT", e) for n, e in enumerate(events)
    ]


def compare(legacy: Events, new: Events, third: Events, end: int = 60 * S) -> Dual:
    return compare_sides({"legacy": delivered(legacy), "new": delivered(new), "legacy2": delivered(third)}, end)


def incidents_of(dual: Dual, code: str) -> tuple[int, int, int]:
    return next((rate.incidents for rate in dual.rates if rate.code == code), (0, 0, 0))


def trades(n: int = 400, every: int = 100 * MS) -> Events:
    return [
        {"type": "trade", "t": S + i * every, "id": str(i), "price": str(100 + i % 7), "quantity": "1", "side": "buy"}
        for i in range(n)
    ]


def best(n: int = 400) -> Events:
    body = {"bid_quantity": "1", "ask": "101", "ask_quantity": "2"}
    return [
        {"type": "book_ticker", "t": S + i * 100 * MS, "seq": 50 + i, "bid": str(100 + i), **body} for i in range(n)
    ]


class Feed:
    """A book's single changes, from which each side's gateway node makes batches of its own."""

    def __init__(self, seed: int, n: int = 300) -> None:
        chance = random.Random(seed)
        self.changes = [
            ("bids" if chance.random() < 0.5 else "asks", chance.randint(1, 12), chance.choice((0, 1, 2, 3)))
            for _ in range(n)
        ]

    def batches(self, seed: int, begin: int = 0, most: int = 5) -> Events:
        chance, at, out = random.Random(seed), begin, []
        while at < len(self.changes):
            part = self.changes[at : at + chance.randint(1, most)]
            body: dict[str, Any] = {"type": "book", "first": at + 1, "last": at + len(part), "snapshot": False}
            at += len(part)
            body |= {"t": S + at * 100 * MS, "bids": [], "asks": []}
            for name in ("bids", "asks"):
                newest = {price: size for side, price, size in part if side == name}
                body[name] = [[str(price), str(size)] for price, size in newest.items()]
            out.append(body)
        return out

    def whole(self, version: int, t: int) -> dict[str, Any]:
        levels: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}
        for side, price, size in self.changes[:version]:
            levels[side][price] = size
        shown = {name: [[str(p), str(q)] for p, q in sorted(side.items()) if q] for name, side in levels.items()}
        return {"type": "book", "first": None, "last": version, "snapshot": True, "t": t, **shown}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 9))
def test_other_batches_and_a_later_beginning_are_no_difference(seed: int, begin: int, most: int) -> None:
    feed = Feed(seed)
    dual = compare(feed.batches(1), feed.batches(seed, begin, most), feed.batches(3))
    assert dual.rates == []
    assert dual.shared == {}
    assert dual.versions[SPOT] > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_one_level_that_is_wrong_is_a_state_of_its_side(seed: int, data: st.DataObject) -> None:
    feed = Feed(seed)
    side, price = data.draw(st.sampled_from(sorted({(side, price) for side, price, _ in feed.changes[:200]})))
    wrong = feed.batches(1)
    for body in wrong:
        for level in body[side]:
            if level[0] == str(price):
                level[1] = "77"
    dual = compare(feed.batches(1), wrong, feed.batches(1), end=S + 400 * 100 * MS)
    assert incidents_of(dual, "STATE")[NEW] >= 1
    assert incidents_of(dual, "STATE")[THIRD] == 0


def test_a_hole_of_one_side_is_one_incident_of_its_own_and_not_a_state() -> None:
    feed = Feed(5)
    holed = [body for body in feed.batches(1) if not 100 < body["last"] < 140]
    dual = compare(feed.batches(2), holed, feed.batches(3))
    assert incidents_of(dual, "MISSING") == (1, 0, 0)
    assert incidents_of(dual, "STATE") == (0, 0, 0)
    assert dual.shared == {}


def test_a_whole_book_in_time_covers_what_a_side_was_not_sent() -> None:
    feed = Feed(5)
    batches = feed.batches(1)
    kept = [body for body in batches if not 100 < body["last"] <= 115]
    at = next(i for i, body in enumerate(kept) if body["last"] > 115)
    in_time = [*kept[:at], feed.whole(kept[at]["first"] - 1, kept[at]["t"] - MS), *kept[at:]]
    assert compare(feed.batches(2), in_time, feed.batches(3)).rates == []
    late = [*kept, feed.whole(120, S + 125 * 100 * MS + 2 * WINDOW_NS)]
    assert incidents_of(compare(feed.batches(2), late, feed.batches(3)), "LATE") == (1, 0, 0)


def test_what_nobody_was_sent_is_shared() -> None:
    feed = Feed(5)
    side = [body for body in feed.batches(1) if not 100 < body["last"] < 140]
    dual = compare(side, side, side)
    assert dual.rates == []
    assert dual.shared == {SPOT: 1}


@pytest.mark.parametrize(("lacking", "expected"), [(NEW, (1, 0, 0)), (LEGACY, (0, 1, 0)), (THIRD, (0, 0, 1))])
def test_a_dropped_connection_is_one_incident_of_its_side(lacking: int, expected: tuple[int, int, int]) -> None:
    sides = {role: trades() for role in (NEW, LEGACY, THIRD)}
    sides[lacking] = sides[lacking][:100] + sides[lacking][130:]
    dual = compare(sides[LEGACY], sides[NEW], sides[THIRD])
    (rate,) = dual.rates
    assert (rate.code, rate.incidents) == ("MISSING", expected)
    assert sum(rate.events) == 30


def test_two_drops_far_apart_are_two_incidents() -> None:
    holed = trades()[:100] + trades()[110:200] + trades()[210:]
    assert incidents_of(compare(trades(), holed, trades()), "MISSING") == (2, 0, 0)


def test_what_both_stacks_lack_and_the_third_leg_has_is_missing_on_both() -> None:
    holed = trades()[:100] + trades()[101:]
    assert incidents_of(compare(holed, holed, trades()), "MISSING") == (1, 1, 0)


def test_a_late_event_is_late_and_not_missing() -> None:
    late = trades()
    late[100] = late[100] | {"t": late[100]["t"] + WINDOW_NS + 1}
    assert [(r.code, r.incidents) for r in compare(trades(), late, trades()).rates] == [("LATE", (1, 0, 0))]
    late[100]["t"] -= 2
    assert compare(trades(), late, trades()).rates == []


def test_trades_without_an_id_are_told_apart_by_content_and_number() -> None:
    without = [{**trade, "id": None} for trade in trades()]
    assert compare(trades(), trades(), without).rates == []
    assert incidents_of(compare(trades(), without[:50] + without[51:], without), "MISSING") == (1, 0, 0)


def test_the_ends_of_a_leg_are_nobody_s_fault() -> None:
    """A side that connected later, and whose last events the stop cut off, lacks nothing."""
    n = len(trades())
    shorter = trades()[30 : n - 15]
    assert compare(trades(), shorter, trades(), end=trades()[-1]["t"]).rates == []


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 390), max_size=300))
def test_last_values_may_be_conflated_within_the_window(left_out: set[int]) -> None:
    """A side may skip values as long as it has one as new as the others' within W."""
    kept = [event for i, event in enumerate(best()) if i not in left_out]
    run = longest_run(left_out)
    lacking = incidents_of(compare(best(), kept, best()), "LATE")[NEW]
    assert (lacking > 0) == (run * 100 * MS > WINDOW_NS)


def longest_run(numbers: set[int]) -> int:
    longest = run = 0
    for i in range(400):
        run = run + 1 if i in numbers else 0
        longest = max(longest, run)
    return longest


@pytest.mark.parametrize("spell", [str, int])
def test_neighbouring_ids_beyond_a_float_are_two_events(spell: Callable[[int], Any]) -> None:
    numbers = [(1 << 53) + 2 * n for n in range(400)]
    whole = [event | {"id": spell(number)} for event, number in zip(trades(), numbers, strict=True)]
    other = [*whole[:200], whole[200] | {"id": spell(numbers[200] + 1)}, *whole[201:]]
    assert incidents_of(compare(whole, other, whole), "MISSING") == (1, 1, 1)
    tops = [event | {"seq": number} for event, number in zip(best(), numbers, strict=True)]
    jumped = [*tops[:200], tops[200] | {"seq": numbers[200] + 1, "bid": "7"}, *tops[201:]]
    assert incidents_of(compare(tops, jumped, tops), "FIELD") == (0, 0, 0)


@pytest.mark.parametrize("spell", [str, float])
def test_an_id_is_the_same_however_a_stack_spells_it(spell: Callable[[int], Any]) -> None:
    spelt = [event | {"id": spell(int(event["id"]))} for event in trades()]
    assert compare(trades(), spelt, [event | {"id": int(event["id"])} for event in trades()]).rates == []


def test_a_last_value_that_stands_alone_is_a_field_of_its_side() -> None:
    wrong = best()
    wrong[100] = {**wrong[100], "bid": "1"}
    assert [(r.code, r.incidents) for r in compare(best(), wrong, best()).rates] == [("FIELD", (1, 0, 0))]
    assert [(r.code, r.incidents) for r in compare(wrong, best(), best()).rates] == [("FIELD", (0, 1, 0))]


@pytest.mark.parametrize(("times", "groups"), [([], 0), ([5], 1), ([0, 9, 18], 1), ([0, 10], 2), ([30, 0, 29], 2)])
def test_incidents_are_groups(times: list[int], groups: int) -> None:
    assert incidents(times, 10) == groups
