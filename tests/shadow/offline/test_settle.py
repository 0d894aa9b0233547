"""What keeps a stream from being settled by the database."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.offline.join import Counts
from shadow.offline.settle import blank, is_a_book, is_recovered, judge_counts
from shadow.offline.streams import Hole, Role, Streams, Whole
from shadow.reference.events import Book

TRADES, BOOKS = ("gateio.spot.public", "trade", "BTC_USDT"), ("gateio.spot.public", "book", "BTC_USDT")
S = 1_000_000_000


def counts(**fields: Any) -> Counts:
    found = blank(0)
    for name, value in ({"owed": 9, "given": 9, "equal": 9, "low": 1, "high": 1} | fields).items():
        setattr(found, name, value)
    return found


def left_by(found: Counts, *, cut: bool = False) -> set[int]:
    streams = Streams()
    streams.number(TRADES), streams.number(BOOKS)
    streams.cut |= {TRADES[0]} if cut else set()
    judge_counts(0, found, streams)
    return set(streams.left())


def test_equal_pairs_in_order_are_settled() -> None:
    assert left_by(counts()) == set()
    assert left_by(counts(edges=2), cut=True) == set()


@pytest.mark.parametrize("name", ["changed", "missing", "extra", "early", "edge_pairs"])
def test_one_of_anything_else_leaves_the_stream(name: str) -> None:
    assert left_by(counts(**{name: 1})) == {0}


def test_another_order_leaves_the_stream() -> None:
    assert left_by(counts(high=2)) == {0}


def test_silence_and_what_was_missing_at_a_cut_leave_the_connection() -> None:
    assert left_by(counts(equal=0, owed=0, given=0, low=None, high=None)) == {0, 1}
    assert left_by(counts(missing=1), cut=True) == {0, 1}


def test_an_event_that_came_late_leaves_the_connection() -> None:
    assert left_by(counts(late=1)) == {0, 1}


def test_accounts_are_left() -> None:
    streams = Streams()
    streams.number(("mexc.spot.private", "order", "BTCUSDT"))
    assert streams.left() == {0: "an account"}


@pytest.mark.parametrize(
    ("until_s", "whole_s", "recovered"), [(5, None, True), (30, None, False), (30, 8, True), (30, 12, False)]
)
def test_a_hole_is_recovered_by_a_whole_book_in_time(until_s: int, whole_s: int | None, recovered: bool) -> None:
    wholes = [Whole(0, 7, whole_s * S, {})] if whole_s is not None else []
    assert is_recovered(Hole(S, until_s * S), Role(wholes={0: wholes}), 0) == recovered


REST = Book("BTC_USDT", None, 10, True, [["1", "2"]], [["3", "4"]], None)
UPDATES = [
    Book("BTC_USDT", first, first, False, [["1", quantity]], [], None)
    for first, quantity in ((10, "9"), (11, "5"), (12, "0"))
]


@pytest.mark.parametrize(
    ("version", "bids", "fits"),
    [(10, [[1, 2]], True), (11, [[1.0, 5.0]], True), (12, [], True), (11, [[1, 2]], False), (12, [[1, 5]], False),
     (9, [[1, 2]], False)],
)  # fmt: skip
def test_a_whole_book_is_a_rest_book_brought_to_its_version(version: int, bids: Any, fits: bool) -> None:
    whole = Whole(0, version, S, {"bids": bids, "asks": [["3", "4"]]})
    assert is_a_book(whole, [REST], UPDATES) == fits
