"""What a stream's two ends say of each other."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.reference.events import Book, BookTicker, Ticker
from shadow.rehearsal.served import WAIT_NS, Stream


def owed(seq: int, bid: str = "10.5") -> BookTicker:
    return BookTicker("BTC_USDT", bid, "1", "11", "2", seq, 1000 + seq)


def given(seq: int, bid: float = 10.5) -> dict[str, Any]:
    return {
        "k": "event",
        "c": "gateio.spot.public",
        "type": "book_ticker",
        "symbol": "BTC_USDT",
        "bid": bid,
        "bid_quantity": 1,
        "ask": 11,
        "ask_quantity": 2,
        "seq": seq,
        "ts": 1000 + seq,
    }


def stream_of(sent: list[int], delivered: list[dict[str, Any]]) -> Stream:
    """All sent first, then all delivered, and no more waiting."""
    stream = Stream("book_ticker")
    for seq in sent:
        stream.owe(owed(seq), seq)
    for body in delivered:
        stream.give(body, 10)
    stream.is_settled(10 + WAIT_NS)
    return stream


def wrongs(stream: Stream) -> dict[str, int]:
    counts = stream.counts
    found = {name: getattr(counts, name) for name in ("doubled", "reordered", "altered", "invented")}
    return {name: n for name, n in (found | {"lost": stream.lost()}).items() if n}


@pytest.mark.parametrize(
    ("delivered", "found"),
    [
        ([given(1), given(2), given(3)], {}),
        ([given(1), given(3)], {"lost": 1}),
        ([given(1), given(2), given(2), given(3)], {"doubled": 1}),
        ([given(1), given(3), given(2)], {"reordered": 1}),
        ([given(1), given(2, bid=11.5), given(3)], {"altered": 1}),
        ([given(1), given(2), given(3), given(4)], {"invented": 1}),
    ],
)
def test_each_thing_that_is_wrong_is_counted_by_its_name(
    delivered: list[dict[str, Any]], found: dict[str, int]
) -> None:
    assert wrongs(stream_of([1, 2, 3], delivered)) == found


def test_what_is_delivered_before_the_ledger_tells_of_it_waits_in_order() -> None:
    stream = Stream("book_ticker")
    for seq in (1, 2):
        stream.give(given(seq), 5)
    for seq in (1, 2):
        stream.owe(owed(seq), 6)
    assert (stream.counts.delivered, wrongs(stream)) == (2, {})


def test_what_nobody_ever_sent_is_invented_once_it_has_waited() -> None:
    stream = stream_of([1], [given(1)])
    stream.give(given(9), 20)
    assert stream.counts.wrong == 0
    stream.owe(owed(10), 20 + WAIT_NS)
    assert wrongs(stream) == {"invented": 1, "lost": 1}


def test_silence_and_a_hole_are_told_apart() -> None:
    stream = Stream("book_ticker")
    for seq in (1, 2, 3):
        stream.owe(owed(seq), 100 * seq)
    stream.give(given(1), 400)
    assert (stream.overdue_ns(500), stream.hole_ns(500)) == (300, 0)
    stream.give(given(3), 600)
    assert (stream.overdue_ns(700), stream.hole_ns(700)) == (500, 500)


def test_what_was_written_off_stays_lost_and_is_missed_no_more() -> None:
    stream = Stream("book_ticker")
    for seq in (1, 2):
        stream.owe(owed(seq), 100)
    stream.give(given(2), 200)
    stream.write_off()
    assert (stream.lost(), stream.overdue_ns(900), stream.hole_ns(900)) == (1, 0, 0)
    assert stream.is_settled(900)
    stream.owe(owed(3), 1000)
    assert stream.lost() == 2
    stream.give(given(1), 1100)
    assert wrongs(stream) == {"lost": 2, "doubled": 1}


def test_a_book_that_a_stack_rebuilt_is_nothing_wrong() -> None:
    stream = Stream("book")
    stream.owe(Book("BTC_USDT", 1, 2, False, [["1", "2"]], [], 7), 1)
    rebuilt = {"c": "x", "type": "book", "symbol": "BTC_USDT", "last": 1, "snapshot": True, "bids": [], "asks": []}
    stream.give(rebuilt, 2)
    stream.is_settled(2 + WAIT_NS)
    assert wrongs(stream) == {"lost": 1}


def test_a_book_that_is_rebuilt_at_a_version_that_came_already_is_not_doubled_but_an_update_is() -> None:
    stream = Stream("book")
    stream.owe(Book("BTC_USDT", 1, 2, False, [["1", "2"]], [], 7), 1)
    update = {"c": "x", "type": "book", "symbol": "BTC_USDT", "first": 1, "last": 2, "snapshot": False, "ts": 7}
    stream.give(update | {"bids": [["1", "2"]], "asks": []}, 2)
    rebuilt = update | {"first": None, "snapshot": True, "bids": [["1", "2"]], "asks": []}
    stream.give(rebuilt, 3)
    assert wrongs(stream) == {}
    stream.give(update | {"bids": [["1", "2"]], "asks": []}, 4)
    assert wrongs(stream) == {"doubled": 1}


def test_without_versions_content_tells_and_order_does_not_matter() -> None:
    names = ("bid", "ask", "base_volume", "quote_volume", "high", "low", "ts")
    rest: dict[str, Any] = dict.fromkeys(names)
    stream = Stream("ticker")
    for price in ("1", "2", "2"):
        stream.owe(Ticker(symbol="BTC_USDT", last=price, **rest), 1)
    for price in (2, 2, 1, 1, 3):
        stream.give({"c": "x", "type": "ticker", "symbol": "BTC_USDT", "last": price, **rest}, 2)
    stream.is_settled(2 + WAIT_NS)
    assert wrongs(stream) == {"doubled": 1, "invented": 1}
