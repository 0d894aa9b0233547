"""What a PublicExchange holds of each message, for how long, and what it calls back with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exchanges.interfaces.composite import BookState, Fault, PublicExchange
from exchanges.structs import (
    BookTicker,
    ConnectionState,
    ExchangeConfig,
    ExchangeRestError,
    MessageType,
    OrderBook,
    OrderBookEntry,
    Symbol,
    Ticker,
    Trade,
)
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.testing import settle

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
SPOT = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
BEST = BookTicker(BTC, 9.0, 1.0, 11.0, 2.0, 1, 5)
DAY = Ticker(BTC, 10.0, 9.0, 11.0, 100.0, 1000.0, 12.0, 8.0, 1)
WHOLE = OrderBook(BTC, [OrderBookEntry(9.0, 1.0)], [OrderBookEntry(11.0, 2.0)], 1, 5, None, True)


def trade(number: int, symbol: Symbol = BTC) -> Trade:
    return Trade(symbol, 10.0, 1.0, "buy", number, str(number))


async def running(factory: Any, **options: Any) -> PublicExchange:
    """Started with BTC, connected and confirmed."""
    exchange = PublicExchange(SPOT, create_manager=factory, **options)
    await exchange.start([BTC])
    await factory.manager.connect()
    return exchange


async def tell_all(factory: Any) -> None:
    for kind, data in (
        (MessageType.ORDERBOOK, WHOLE),
        (MessageType.BOOK_TICKER, BEST),
        (MessageType.TICKER, [DAY]),
        (MessageType.TRADES, [trade(1), trade(2)]),
    ):
        await factory.manager.tell(kind, data)


async def test_each_message_is_held_before_its_callback_is_called(factory: Any) -> None:
    exchange = await running(factory)
    seen: list[Any] = []
    exchange.on_book(lambda book: seen.append((book, exchange.book_state(BTC))))
    exchange.on_book_ticker(lambda best: seen.append((best, exchange.book_ticker(BTC))))
    exchange.on_ticker(lambda day: seen.append((day, exchange.ticker(BTC))))
    exchange.on_trade(lambda one: seen.append((one, exchange.trades(BTC)[-1])))
    await tell_all(factory)
    expected = [(WHOLE, BookState.SYNCED), (BEST, BEST), (DAY, DAY)]
    assert seen == [*expected, (trade(1), trade(1)), (trade(2), trade(2))]
    assert exchange.book(BTC) == WHOLE
    assert exchange.book(ETH) is exchange.book_ticker(ETH) is exchange.ticker(ETH) is None
    assert exchange.trades(ETH) == []


@pytest.mark.parametrize("state", [state for state in ConnectionState if state is not ConnectionState.CONNECTED])
async def test_what_was_said_about_now_ends_with_the_connection(factory: Any, state: ConnectionState) -> None:
    exchange = await running(factory)
    await tell_all(factory)
    await factory.manager.on_state(state)
    assert exchange.book(BTC) is exchange.book_ticker(BTC) is exchange.ticker(BTC) is None
    assert exchange.trades(BTC) == [trade(1), trade(2)]


async def test_what_still_waited_behind_a_lost_connection_is_called_back_with_and_not_held(factory: Any) -> None:
    exchange = await running(factory)
    seen: list[Any] = []
    exchange.on_book(seen.append)
    exchange.on_book_ticker(seen.append)
    await factory.manager.lose()
    await tell_all(factory)
    await factory.manager.on_state(ConnectionState.CONNECTED)
    await tell_all(factory)
    assert exchange.book(BTC) is exchange.book_ticker(BTC) is exchange.ticker(BTC) is None
    assert seen == [WHOLE, BEST, WHOLE, BEST]
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await tell_all(factory)
    assert exchange.book(BTC) == WHOLE
    assert exchange.book_ticker(BTC) == BEST


async def test_a_confirmation_of_a_lost_connection_makes_nothing_current(factory: Any) -> None:
    exchange = await running(factory)
    await factory.manager.lose()
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await tell_all(factory)
    assert exchange.book(BTC) is None


async def test_so_many_trades_are_kept_of_each_symbol(factory: Any) -> None:
    exchange = await running(factory, trades_kept=2)
    await exchange.subscribe([ETH])
    await factory.manager.tell(MessageType.TRADES, [trade(number) for number in range(5)])
    await factory.manager.tell(MessageType.TRADES, [trade(9, ETH)])
    assert exchange.trades(BTC) == [trade(3), trade(4)]
    assert exchange.trades(ETH) == [trade(9, ETH)]


async def test_a_symbol_given_up_is_forgotten_and_late_messages_are_not_held(factory: Any) -> None:
    exchange = await running(factory)
    await tell_all(factory)
    await exchange.unsubscribe([BTC])
    assert factory.manager.asked == [("unsubscribe", [BTC])]
    for _ in range(2):
        assert exchange.book(BTC) is exchange.book_ticker(BTC) is exchange.ticker(BTC) is None
        assert exchange.trades(BTC) == []
        await tell_all(factory)


async def test_what_comes_while_a_subscription_is_being_sent_is_held(factory: Any) -> None:
    exchange = await running(factory)
    whole = OrderBook(ETH, [], [], 1, 5, None, True)
    factory.manager.answers_with = (MessageType.ORDERBOOK, whole)
    await exchange.subscribe([ETH])
    assert exchange.book(ETH) == whole


@pytest.mark.checklist("4.2.13")
async def test_a_subscription_that_could_not_be_sent_raises_and_holds_nothing(factory: Any) -> None:
    exchange = await running(factory)
    factory.manager.error = ExchangeRestError(503, "WebSocket not connected")
    with pytest.raises(ExchangeRestError, match="503"):
        await exchange.subscribe([BTC, ETH])
    await factory.manager.tell(MessageType.TRADES, [trade(1), trade(2, ETH)])
    assert exchange.trades(BTC) == [trade(1)]
    assert exchange.trades(ETH) == []


@pytest.mark.checklist("4.2.13")
async def test_a_snapshot_that_could_not_be_fetched_is_a_fault(factory: Any) -> None:
    refused = ExchangeRestError(429, "slowly")

    async def fetch(symbol: Symbol) -> BookSnapshot:
        raise refused

    exchange = await running(factory, fetch_book=fetch)
    faults: list[Fault] = []

    @exchange.on_fault
    async def close(fault: Fault) -> None:
        faults.append(fault)
        await exchange.close()

    await factory.manager.tell(MessageType.ORDERBOOK, OrderBook(BTC, [], [], 1, 5))
    assert faults == []
    await settle()
    await factory.manager.tell(MessageType.ORDERBOOK, OrderBook(BTC, [], [], 1, 6))
    assert faults == [Fault("book", refused)]
    assert exchange.state is ConnectionState.CLOSED
    assert exchange.metrics()["faults"] == {"book": 1}


async def test_messages_of_other_kinds_change_nothing(factory: Any) -> None:
    exchange = await running(factory)
    await factory.manager.tell(MessageType.OTHER, object())
    assert exchange.metrics()["faults"] == {}


async def test_close_waits_until_a_snapshot_under_way_is_given_up(factory: Any) -> None:
    """Who closes the REST side behind it finds nothing of it in use."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def fetch(symbol: Symbol) -> BookSnapshot:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await settle()
            ended.set()
        raise AssertionError

    exchange = await running(factory, fetch_book=fetch)
    await factory.manager.tell(MessageType.ORDERBOOK, OrderBook(BTC, [], [], 1, 5))
    await began.wait()
    await exchange.close()
    assert ended.is_set()
