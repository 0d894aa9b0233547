"""Whole public connections over loopback sockets, from the flag file to the application, on both architectures."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges.interfaces.composite import BookState, PublicExchange
from exchanges.structs import BookTicker, ConnectionState, OrderBook, Symbol, Ticker, Trade
from infrastructure.networking.websocket.book_keeper import BookSnapshot

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")

pytestmark = pytest.mark.no_cover


def levels(book: OrderBook | None) -> tuple[Any, Any, Any]:
    assert book is not None
    bids, asks = ([(level.price, level.size) for level in side] for side in (book.bids, book.asks))
    return book.last_update_id, bids, asks


def told(snapshot: BookSnapshot) -> tuple[Any, Any, Any]:
    """A REST book in the same form."""
    return snapshot.version, [tuple(level) for level in snapshot.bids], [tuple(level) for level in snapshot.asks]


def stack_of(exchange: PublicExchange) -> str:
    """Which stack serves: only the new one's figures name its architecture."""
    return "new" if "architecture_version" in exchange.metrics()["manager"] else "legacy"


async def still(exchange: PublicExchange, street: Any, fetch_book: Any, signal: Any, symbol: Symbol) -> BookSnapshot:
    """The market stands still and everything sent has arrived: the exchange's own book."""
    await street.hush()
    snapshot: BookSnapshot = await fetch_book(symbol)
    await signal.until(lambda: (book := exchange.book(symbol)) and book.last_update_id == snapshot.version)
    return snapshot


@pytest.mark.checklist("4.2.1", "4.2.7", "4.2.10", "4.2.12")
async def test_an_application_holds_books_trades_and_tickers_on_either_stack(
    architecture: str, exchange_name: str, public_street: Any, fetch_book: Any, signal: Any
) -> None:
    """The same lines of an application; what its book is worth depends on what the stack tells."""
    got: dict[type, int] = {OrderBook: 0, Trade: 0, BookTicker: 0, Ticker: 0}
    async with PublicExchange(public_street.config(exchange_name), fetch_book=fetch_book) as exchange:
        for register in (exchange.on_book, exchange.on_trade, exchange.on_book_ticker, exchange.on_ticker):

            @register
            async def count(event: Any) -> None:
                got[type(event)] += 1
                signal.changed()

        await exchange.start([BTC, ETH])
        await signal.until(lambda: min(got.values()) > 3 and exchange.book(BTC) and exchange.book(ETH))
        assert stack_of(exchange) == architecture
        assert exchange.is_connected()
        expected = BookState.SYNCED if architecture == "new" else BookState.UNPROVEN
        for symbol in (BTC, ETH):
            snapshot = await still(exchange, public_street, fetch_book, signal, symbol)
            assert levels(exchange.book(symbol)) == told(snapshot)
            assert exchange.book_state(symbol) is expected
            assert exchange.trades(symbol)[-1].symbol.base == symbol.base
            best, day = exchange.book_ticker(symbol), exchange.ticker(symbol)
            assert best is not None and best.bid_price < best.ask_price  # noqa: PT018 - one fact
            assert day is not None and day.last > 0  # noqa: PT018
        assert exchange.metrics()["faults"] == {}
    assert exchange.state is ConnectionState.CLOSED
    assert exchange.book(BTC) is None


async def test_without_a_snapshot_of_its_own_only_the_new_stack_has_a_book(
    architecture: str, exchange_name: str, public_street: Any, signal: Any
) -> None:
    async with PublicExchange(public_street.config(exchange_name)) as exchange:
        exchange.on_book(signal.changed)
        seen: list[OrderBook] = []
        exchange.on_book(seen.append)
        await exchange.start([BTC])
        if architecture == "new":
            await signal.until(lambda: exchange.book_state(BTC) is BookState.SYNCED)
        else:
            await signal.until(lambda: len(seen) >= 5)
            assert exchange.book_state(BTC) is BookState.ABSENT
            assert exchange.book(BTC) is None


async def test_a_lost_connection_ends_the_book_and_the_next_one_builds_it_again(
    architecture: str, exchange_name: str, public_street: Any, fetch_book: Any, signal: Any
) -> None:
    config = public_street.config(exchange_name)
    async with PublicExchange(config, fetch_book=fetch_book, trades_kept=10_000) as exchange:
        exchange.on_book(signal.changed)
        while_away: list[tuple[ConnectionState, OrderBook | None, BookTicker | None]] = []
        exchange.on_state(lambda state: while_away.append((state, exchange.book(BTC), exchange.book_ticker(BTC))))
        await exchange.start([BTC])
        await signal.until(lambda: exchange.book(BTC) and exchange.book_ticker(BTC))
        trades = exchange.trades(BTC)
        public_street.drop()
        await signal.until(lambda: len(while_away) >= 5 and exchange.book(BTC))
        assert all(book is None and best is None for _, book, best in while_away)
        assert [state for state, _, _ in while_away].count(ConnectionState.CONNECTED) == 2
        assert exchange.trades(BTC)[: len(trades)] == trades
        snapshot = await still(exchange, public_street, fetch_book, signal, BTC)
        assert levels(exchange.book(BTC)) == told(snapshot)


async def test_symbols_are_added_and_given_up(
    architecture: str, exchange_name: str, public_street: Any, signal: Any
) -> None:
    async with PublicExchange(public_street.config(exchange_name)) as exchange:
        exchange.on_book_ticker(signal.changed)
        await exchange.start([BTC])
        await signal.until(lambda: exchange.book_ticker(BTC))
        assert exchange.book_ticker(ETH) is None
        await exchange.subscribe([ETH])
        await signal.until(lambda: exchange.book_ticker(ETH))
        await exchange.unsubscribe([BTC])
        assert exchange.book_ticker(BTC) is None
        assert exchange.trades(BTC) == []
        last = exchange.book_ticker(ETH)
        await signal.until(lambda: exchange.book_ticker(ETH) != last)
        assert exchange.book_ticker(BTC) is None


async def test_a_lost_update_is_healed_where_it_shows_and_nothing_is_called_proven_where_it_does_not(
    architecture: str, exchange_name: str, public_street: Any, fetch_book: Any, signal: Any
) -> None:
    async with PublicExchange(public_street.config(exchange_name), fetch_book=fetch_book) as exchange:
        worth: list[BookState] = []
        updates: list[OrderBook] = []
        exchange.on_book(lambda _: worth.append(exchange.book_state(BTC)))
        exchange.on_book(updates.append)
        exchange.on_book(signal.changed)
        await exchange.start([BTC])
        await signal.until(lambda: exchange.book(BTC))
        lose = public_street.lose_book()
        if architecture == "new":
            await signal.until(lambda: exchange.metrics()["books"]["gaps"] == 1)
            assert BookState.ABSENT in worth[worth.index(BookState.SYNCED) :]
            await signal.until(lambda: exchange.book(BTC))
            snapshot = await still(exchange, public_street, fetch_book, signal, BTC)
            assert levels(exchange.book(BTC)) == told(snapshot)
        else:
            seen = len(updates)
            await signal.until(lambda: lose.lost and len(updates) > seen + 3)
            assert exchange.metrics()["books"]["gaps"] == 0
        assert (BookState.SYNCED in worth) == (architecture == "new")
        assert (BookState.UNPROVEN in worth) == (architecture == "legacy")
        assert lose.lost == 1
