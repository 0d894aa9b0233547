"""Local books: followed where a stack proves them, fetched where it does not, and absent rather than invented."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from exchanges.interfaces.composite.books import BookState, LocalBooks
from exchanges.structs import ExchangeRestError, OrderBook, OrderBookEntry, Symbol
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.testing import run_virtual, settle

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")


def update(
    last: int, first: int | None = None, bid: tuple[float, float] = (9.0, 1.0), symbol: Symbol = BTC
) -> OrderBook:
    return OrderBook(symbol, [OrderBookEntry(*bid)], [], 1000 + last, last, first, False if first else None)


def whole(last: int, *bids: tuple[float, float]) -> OrderBook:
    levels = [OrderBookEntry(*level) for level in bids or ((9.0, 5.0),)]
    return OrderBook(BTC, levels, [OrderBookEntry(11.0, 3.0), OrderBookEntry(12.0, 4.0)], 1000 + last, last, None, True)


def bids(books: LocalBooks) -> dict[float, float]:
    book = books.view(BTC)
    assert book is not None
    return {level.price: level.size for level in book.bids}


class Exchange:
    """Answers with the versions given, in order; an exception is raised instead."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Symbol] = []

    async def fetch(self, symbol: Symbol) -> BookSnapshot:
        self.asked.append(symbol)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return BookSnapshot(answer, [(8.0, 8.0), (9.0, 7.0)], [(11.0, 1.0)], 5)


@pytest.fixture
async def books() -> AsyncIterator[LocalBooks]:
    """Books without a snapshot function."""
    kept = LocalBooks(logging.getLogger("test"), None)
    yield kept
    await kept.close()


async def test_a_whole_book_is_followed_version_by_version(books: LocalBooks) -> None:
    books.take(update(9, 9))
    assert books.state(BTC) is BookState.ABSENT
    books.take(whole(10, (9.0, 5.0), (8.0, 2.0)))
    assert books.state(BTC) is BookState.SYNCED
    books.take(update(12, 11, bid=(8.5, 1.5)))
    books.take(update(13, 13, bid=(9.0, 0.0)))
    assert books.view(BTC) == OrderBook(
        BTC,
        [OrderBookEntry(8.5, 1.5), OrderBookEntry(8.0, 2.0)],
        [OrderBookEntry(11.0, 3.0), OrderBookEntry(12.0, 4.0)],
        1013,
        13,
        is_snapshot=True,
    )


async def test_what_a_whole_book_contains_already_changes_nothing(books: LocalBooks) -> None:
    books.take(whole(10))
    books.take(update(9, 8, bid=(9.0, 99.0)))
    assert bids(books) == {9.0: 5.0}
    assert books.state(BTC) is BookState.SYNCED


async def test_a_hole_ends_the_book_until_the_next_whole_one(books: LocalBooks) -> None:
    books.take(whole(10))
    books.take(update(12, 12))
    assert books.state(BTC) is BookState.ABSENT
    assert books.view(BTC) is None
    books.take(update(13, 13))
    assert books.view(BTC) is None
    books.take(whole(20, (7.0, 1.0)))
    assert bids(books) == {7.0: 1.0}
    assert books.metrics() == {"synced": 1, "unproven": 0, "gaps": 1, "fetch_failures": 0}


async def test_the_view_is_a_copy_and_as_deep_as_asked(books: LocalBooks) -> None:
    books.take(whole(10, (9.0, 5.0), (8.0, 2.0)))
    top = books.view(BTC, 1)
    assert top is not None
    assert (top.bids, top.asks) == ([OrderBookEntry(9.0, 5.0)], [OrderBookEntry(11.0, 3.0)])
    top.bids[0].size = 0.0
    top.asks.clear()
    assert bids(books) == {9.0: 5.0, 8.0: 2.0}


async def test_updates_without_a_first_version_and_no_snapshot_function_give_no_book(books: LocalBooks) -> None:
    for last in range(10, 20):
        books.take(update(last))
    assert books.state(BTC) is BookState.ABSENT
    assert books.view(BTC) is None


async def test_an_update_that_proves_nothing_ends_a_proven_book(books: LocalBooks) -> None:
    """The other stack took over: the next whole book or snapshot says where it stands."""
    books.take(whole(10))
    books.take(update(11))
    assert books.state(BTC) is BookState.ABSENT
    books.take(whole(12))
    assert books.state(BTC) is BookState.SYNCED


async def test_a_fetched_snapshot_and_what_came_behind_it_is_an_unproven_book() -> None:
    exchange = Exchange(11)
    books = LocalBooks(logging.getLogger("test"), exchange.fetch)
    for last in (10, 11, 12):
        books.take(update(last, bid=(9.0, float(last))))
    assert books.state(BTC) is BookState.ABSENT
    await settle()
    assert books.state(BTC) is BookState.UNPROVEN
    assert bids(books) == {9.0: 12.0, 8.0: 8.0}
    books.take(update(15, bid=(9.0, 0.0)))
    assert bids(books) == {8.0: 8.0}
    books.take(update(14, bid=(9.0, 4.0)))
    assert bids(books) == {8.0: 8.0}
    assert exchange.asked == [BTC]
    assert books.metrics()["unproven"] == 1
    await books.close()


def test_a_snapshot_older_than_the_first_update_is_asked_for_again() -> None:
    """Between the two something may be missing."""
    exchange = Exchange(8, 9, 10)

    async def play() -> None:
        books = LocalBooks(logging.getLogger("test"), exchange.fetch)
        books.take(update(10, bid=(9.0, 10.0)))
        books.take(update(11, bid=(9.0, 11.0)))
        await asyncio.sleep(1.0)
        assert bids(books) == {9.0: 11.0, 8.0: 8.0}
        await books.close()

    run_virtual(play())
    assert len(exchange.asked) == 3


def test_what_the_snapshot_function_raises_is_kept_counted_and_tried_again() -> None:
    refused, foreign = ExchangeRestError(429, "slowly"), OSError("no route")
    exchange = Exchange(refused, foreign, 10)

    async def play() -> None:
        books = LocalBooks(logging.getLogger("test"), exchange.fetch)
        assert books.take_failure() is None
        books.take(update(10))
        await settle()
        assert books.take_failure() is refused
        assert books.take_failure() is None
        books.take(update(11))
        await asyncio.sleep(1.0)
        assert books.take_failure() is foreign
        assert books.state(BTC) is BookState.UNPROVEN
        assert books.metrics()["fetch_failures"] == 2
        await books.close()

    run_virtual(play())


async def test_the_new_stacks_whole_book_takes_the_place_of_an_unproven_one() -> None:
    exchange = Exchange(10)
    books = LocalBooks(logging.getLogger("test"), exchange.fetch)
    books.take(update(10))
    books.take(update(11))
    await settle()
    assert books.state(BTC) is BookState.UNPROVEN
    books.take(update(12, 12, bid=(9.0, 12.0)))
    assert bids(books)[9.0] == 12.0
    assert books.state(BTC) is BookState.UNPROVEN
    books.take(whole(13, (7.0, 1.0)))
    assert books.state(BTC) is BookState.SYNCED
    books.take(update(14, 14, bid=(7.0, 2.0)))
    assert books.state(BTC) is BookState.SYNCED
    assert bids(books) == {7.0: 2.0}
    await books.close()


async def test_with_a_snapshot_function_a_stack_that_proves_its_books_is_not_second_guessed() -> None:
    exchange = Exchange()
    books = LocalBooks(logging.getLogger("test"), exchange.fetch)
    books.take(update(9, 9))
    books.take(whole(10))
    books.take(update(12, 12))
    await settle()
    assert exchange.asked == []
    assert books.state(BTC) is BookState.ABSENT
    await books.close()


@pytest.mark.parametrize("end", [LocalBooks.reset, lambda books: books.drop([BTC, ETH])], ids=["reset", "drop"])
async def test_a_lost_connection_or_a_symbol_given_up_ends_books_and_fetches(end: Callable[[LocalBooks], None]) -> None:
    exchange = Exchange(30)
    books = LocalBooks(logging.getLogger("test"), exchange.fetch)
    books.take(whole(20))
    end(books)
    assert books.state(BTC) is BookState.ABSENT
    books.take(update(21, 21))
    assert books.state(BTC) is BookState.ABSENT
    books.take(update(25))
    end(books)
    await settle()
    assert exchange.asked == []
    books.take(update(30))
    await settle()
    books.take(update(31))
    assert books.state(BTC) is BookState.UNPROVEN
    end(books)
    assert books.state(BTC) is BookState.ABSENT
    await books.close()


async def test_symbols_do_not_mix() -> None:
    exchange = Exchange(10, 50)
    books = LocalBooks(logging.getLogger("test"), exchange.fetch)
    books.take(update(10))
    books.take(update(50, symbol=ETH))
    await settle()
    books.take(update(11, bid=(9.0, 0.0)))
    books.take(update(51, symbol=ETH))
    versions: list[Any] = [(book.symbol, book.last_update_id) for book in (books.view(BTC), books.view(ETH)) if book]
    assert versions == [(BTC, 11), (ETH, 51)]
    assert exchange.asked == [BTC, ETH]
    await books.close()
