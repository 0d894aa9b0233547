"""What the first of two connections delivered is not delivered again by the second, and nothing else is held back."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges.structs import Balance, Fill, Order, Symbol
from exchanges.structs.events import BookTickerEvent, BookUpdate, TickerEvent, TradeEvent
from infrastructure.networking.websocket.handlers.sieve import BALANCE, FILL, ORDER, TRADE, Sieve

BTC = Symbol("BTC", "USDT")


def book(last: int, first: int | None = None, symbol: str = "BTCUSDT", *, whole: bool = False) -> BookUpdate:
    return BookUpdate(last, symbol, first or last, last, [(1.0, float(last))], [], whole)


def best(version: int | None, time: int = 0, bid: float = 1.0) -> BookTickerEvent:
    return BookTickerEvent("BTCUSDT", bid, 1.0, 2.0, 1.0, time, version)


def ticker(time: int | None, last: float) -> TickerEvent:
    return TickerEvent("BTCUSDT", last, None, None, 1.0, 1.0, 1.0, 1.0, time)


def trade(number: int, trade_id: str | None = None) -> TradeEvent:
    return TradeEvent("BTCUSDT", 1.0, 1.0, "buy", number, trade_id)


def order(filled: float, sent_at: int, status: str = "partial") -> Order:
    return Order(BTC, "o", None, status, "buy", "limit", 1.0, 9.0, filled, 1.0, sent_at)


def balance(free: float, time: int) -> Balance:
    return Balance("USDT", free, 0.0, time)


def fill(number: int) -> Fill:
    return Fill(BTC, str(number), "o", "buy", 1.0, 1.0, None, None, "maker", number)


def passed(door: str, first: list[Any], second: list[Any], *args: Any) -> list[Any]:
    """What of the second connection's events passes behind all of the first's."""
    sieve, got = Sieve(), list[Any]()
    take = getattr(sieve, door)(*args, got.append)
    for event in first:
        take(event)
    assert got == first
    got.clear()
    sieve.is_sifting = True
    for event in second:
        take(event)
    held_back = sum(map(len, second)) - sum(map(len, got)) if args else len(second) - len(got)
    assert sieve.copies == held_back
    return got


def test_a_book_goes_on_behind_the_last_version() -> None:
    second = [book(2), book(3), book(4), book(5)]
    assert passed("books", [book(1), book(2), book(3)], second) == second[2:]


def test_an_update_that_begins_before_and_ends_behind_is_new() -> None:
    second = [book(4, 2), book(6, 5)]
    assert passed("books", [book(3, 1)], second) == second


def test_books_of_other_symbols_and_whole_books_pass() -> None:
    second = [book(1, symbol="ETHUSDT"), book(2, whole=True)]
    assert passed("books", [book(3), book(9, whole=True)], second) == second


def test_new_versions_pass_in_the_order_in_which_they_come() -> None:
    assert [update.last for update in passed("books", [book(3)], [book(5), book(4)])] == [5, 4]


def test_a_best_price_is_known_by_its_version_whenever_it_was_sent() -> None:
    second = [best(6, 99, 3.0), best(7, 99), best(7, 99, 2.0), best(8, 1)]
    assert passed("last_values", [best(6, 10, 3.0), best(7, 11)], second) == second[2:]


@pytest.mark.parametrize("event", [lambda t, v: best(None, t, v), ticker])
def test_without_a_version_by_its_time_and_figures(event: Any) -> None:
    """The same push is sent by two gateways some milliseconds apart; a later one with the same figures is new."""
    second = [event(1, 1.0), event(205, 2.0), event(301, 2.0), event(302, 3.0)]
    assert passed("last_values", [event(0, 1.0), event(200, 2.0)], second) == second[2:]


def test_tickers_without_a_time_by_their_figures() -> None:
    second = [ticker(None, 2.0), ticker(None, 3.0)]
    assert passed("last_values", [ticker(None, 1.0), ticker(None, 2.0)], second) == second[1:]


def test_trades_by_id_and_without_one_as_often_as_they_were_there() -> None:
    first = [[trade(1, "a"), trade(1, "b")], [trade(2), trade(2)]]
    second = [[trade(1, "b")], [trade(2), trade(2), trade(2)], [trade(3, "c")]]
    assert passed("lists", first, second, TRADE) == [[trade(2)], [trade(3, "c")]]


def test_an_orders_state_is_the_same_whenever_it_was_sent() -> None:
    second = [[order(1.0, 11)], [order(2.0, 12)], [order(2.0, 13, "cancelled")]]
    assert passed("lists", [[order(1.0, 10)], [order(2.0, 12)]], second, ORDER) == second[2:]


def test_a_balance_that_comes_back_to_what_it_was_is_new() -> None:
    first = [[balance(1.0, 1)], [balance(2.0, 2)], [balance(1.0, 3)]]
    second = [[balance(2.0, 2)], [balance(1.0, 3)], [balance(2.0, 4)]]
    assert passed("lists", first, second, BALANCE) == second[2:]


def test_fills_by_their_id() -> None:
    assert passed("lists", [[fill(1)], [fill(2)]], [[fill(2), fill(3)]], FILL) == [[fill(3)]]


def test_callbacks_bound_anew_know_what_passed_before() -> None:
    sieve, got = Sieve(), list[Any]()
    sieve.books(got.append)(book(5))
    sieve.last_values(got.append)(best(5))
    sieve.lists(TRADE, got.append)([trade(1, "a")])
    sieve.is_sifting = True
    del got[:]
    sieve.books(got.append)(book(5))
    sieve.last_values(got.append)(best(5))
    sieve.lists(TRADE, got.append)([trade(1, "a")])
    assert got == []
