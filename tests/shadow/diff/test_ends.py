"""How a leg ends: whose book and whose account is the venue's."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.diff.codes import AccountEnd
from shadow.diff.ends import account_ends
from shadow.diff.frames import Frame, FrameStore
from shadow.diff.lines import Delivered
from shadow.reference.events import Balance, Event, Order, Position

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
PLACES = {(GATEIO, "BTC_USDT"), (MEXC, "BTCUSDT")}
ACCOUNT = "gateio.futures.private"


def books(scene: Any, role: str = "new") -> dict[tuple[str, str], bool]:
    found: dict[tuple[str, str], bool] = scene.judge().ends[role].books
    return found


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_faultless_books_end_equal(scene: Any, role: str) -> None:
    assert books(scene, role) == dict.fromkeys(PLACES, True)


def test_a_hole_without_a_new_book_ends_unequal_and_with_one_equal(scene: Any) -> None:
    scene.step(GATEIO, to=("legacy",))
    scene.step(GATEIO)
    assert books(scene) == {(GATEIO, "BTC_USDT"): False, (MEXC, "BTCUSDT"): True}
    scene.rebuild("new", GATEIO)
    scene.step(GATEIO)
    assert books(scene) == dict.fromkeys(PLACES, True)


def test_one_wrong_level_in_the_last_update_ends_unequal(scene: Any) -> None:
    scene.events("new", GATEIO, "book")[-1]["bids"][1][1] += 1
    assert not books(scene)[GATEIO, "BTC_USDT"]


def test_an_update_that_was_sent_last_and_lost_ends_unequal(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", MEXC, "book")[-1])
    assert books(scene) == {(GATEIO, "BTC_USDT"): True, (MEXC, "BTCUSDT"): False}


def store_of(*events: Event) -> FrameStore:
    store = FrameStore([])
    for number, event in enumerate(events):
        store.frames[number] = Frame(number, ACCOUNT, event.type, event.symbol, b"", True, "", [event], True)
    return store


def said(event: Event, **changes: Any) -> Delivered:
    body = {name: getattr(event, name) for name in event.__struct_fields__ if name != "times"} | changes
    return Delivered(0, 0, 0, ACCOUNT, event.type, event.symbol, body)


def balance(free: str, ts: int = 1) -> Balance:
    return Balance("", "USDT", free, None, ts)


def position(size: str) -> Position:
    return Position("BTC_USDT", size, "1", "single", "0", "1", "0", 1)


def order(status: str, filled: str, number: str = "7") -> Order:
    return Order("BTC_USDT", number, None, status, "buy", "limit", "1", "10", filled, None, 1)


def ends(store: FrameStore, *given: Delivered, missed: int | None = None) -> AccountEnd:
    return account_ends(store, given, store.frames.keys() - {missed})[ACCOUNT]


def test_the_last_state_counts_and_nothing_before() -> None:
    store = store_of(balance("1"), position("5"), balance("2"))
    assert ends(store, said(balance("9")), said(balance("2")), said(position("5"))) == AccountEnd([])
    assert ends(store, said(balance("2")), said(balance("1")), said(position("5"))).differing == ["balance USDT"]


def test_a_state_that_was_never_delivered_differs() -> None:
    assert ends(store_of(balance("1"), position("5")), said(balance("1"))).differing == ["position BTC_USDT single"]


def test_an_order_is_held_to_what_was_sent_of_it() -> None:
    store = store_of(order("open", "0"), order("filled", "10"))
    assert ends(store, said(order("filled", "10"))) == AccountEnd([], 0)
    assert ends(store, said(order("open", "0"))) == AccountEnd(["order 7"], 0)
    assert ends(store, said(order("open", "0")), missed=1) == AccountEnd([], 1)
    assert ends(store, said(order("open", "1")), missed=1) == AccountEnd(["order 7"], 1)


def test_an_order_that_the_side_was_never_sent_is_none_of_its() -> None:
    assert ends(store_of(order("open", "0"), balance("1")), said(balance("1")), missed=0) == AccountEnd([], 0)


@pytest.mark.parametrize("earlier", [order("open", "0"), order("partial", "4")])
def test_of_orders_that_changed_places_the_one_that_has_come_further_counts(earlier: Order) -> None:
    for latest in (order("partial", "6"), order("filled", "10")):
        assert ends(store_of(latest, earlier), said(latest)) == AccountEnd([], 0)
        assert ends(store_of(latest, earlier), said(earlier)) == AccountEnd(["order 7"], 0)
