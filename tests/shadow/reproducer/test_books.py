"""REST books that fit a list of frames from the middle of a run."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shadow.reference.events import Book, Trade
from shadow.reproducer.books import brought_forward, read_books
from shadow.reproducer.case import RestBook

BASE = RestBook("BTC_USDT", 10, [("99", "1"), ("98", "2")], [("101", "3"), ("102.50", "4")])


def update(first: int | None, last: int, bids: Any = (), asks: Any = (), symbol: str = "BTC_USDT") -> Book:
    return Book(symbol, first, last, False, [list(level) for level in bids], [list(level) for level in asks], 1)


UPDATES = [
    update(9, 10, [("50", "9")]),
    update(11, 12, [("99", "0"), ("97", "5")]),
    update(13, 15, [], [("101", "7.0")]),
    update(16, 16, [("96", "1")]),
]


def test_updates_before_the_first_kept_one_are_in_the_book_and_others_are_not() -> None:
    (book,) = brought_forward([BASE], UPDATES, UPDATES[3:])
    assert book == RestBook("BTC_USDT", 15, [("98", "2"), ("97", "5")], [("101", "7.0"), ("102.50", "4")])


def test_a_list_that_begins_at_the_book_leaves_it_alone() -> None:
    assert brought_forward([BASE], UPDATES, UPDATES[1:]) == [BASE]
    assert brought_forward([BASE], UPDATES, []) == [BASE]
    trade = Trade("BTC_USDT", "1", "2", "3", "buy", 4)
    assert brought_forward([BASE], UPDATES, [trade, update(16, 16, symbol="ETH_USDT")]) == [BASE]


def test_a_hole_on_the_way_leaves_the_book_as_it_was_recorded() -> None:
    assert brought_forward([BASE], [UPDATES[1], UPDATES[3]], [update(17, 18)]) == [BASE]


@given(st.integers(1, 4))
def test_the_book_goes_up_to_the_version_before(place: int) -> None:
    following = [*UPDATES, update(17, 20)]
    (book,) = brought_forward([BASE], following, following[place:])
    assert book.version == (following[place].first or 0) - 1


def test_answers_that_are_no_book_are_left_out() -> None:
    answer = b'{"id":7,"current":1,"bids":[["1","2"]],"asks":[["3","4.50"]]}'
    pairs = [("BTC_USDT", answer), ("ETH_USDT", b"<html>")]
    assert read_books("gateio.spot.public", pairs) == [RestBook("BTC_USDT", 7, [("1", "2")], [("3", "4.50")])]
