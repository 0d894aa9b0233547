"""Both stacks' messages of the same frame stand at the same place of the same stream."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from exchanges.structs import (
    BookTicker,
    ExchangeConfig,
    ExchangeCredentials,
    MessageType,
    OrderBook,
    OrderBookEntry,
    ParsedMessage,
    SubscriptionAction,
    Symbol,
    Trade,
)
from infrastructure.networking.websocket.migration.event import Event
from infrastructure.networking.websocket.migration.streams import Stream, place

BTC = Symbol("BTC", "USDT")
NAMES = {
    "gateio.spot": "GATEIO_SPOT",
    "gateio.futures": "GATEIO_FUTURES",
    "mexc.spot": "MEXC_SPOT",
}
CONNECTIONS = [f"{market}.{scope}" for market in NAMES for scope in ("public", "private")]
ORDERS = {
    "book": {"contiguous"},
    "trade": {"sparse", "unique"},
    "book_ticker": {"sparse"},
    "ticker": {"content"},
    "order": {"unique"},
    "fill": {"unique"},
    "balance": {"unique"},
    "position": {"unique"},
}


async def nobody(message: ParsedMessage) -> None: ...


def build(stack: str, connection: str) -> Any:
    market, _, scope = connection.rpartition(".")
    exchange = market.partition(".")[0]
    module = {"legacy": f"legacy.{exchange}.builder", "new": f"exchanges.integrations.{exchange}.builder"}[stack]
    url = "ws://127.0.0.1:1/"
    config = ExchangeConfig(NAMES[market], ExchangeCredentials("key", "secret"), "http://127.0.0.1:1", url)
    return import_module(module).build(config, scope == "private", nobody)


async def by_legacy(connection: str, frames: list[bytes]) -> list[ParsedMessage]:
    parser = build("legacy", connection).strategies.message_parser
    exchange = connection.partition(".")[0]
    messages = [await parser.parse_message(frame.decode() if exchange == "gateio" else frame) for frame in frames]
    return [message for message in messages if message is not None]


async def by_new(connection: str, frames: list[bytes]) -> list[ParsedMessage]:
    manager = build("new", connection)
    channels = manager.handler.default_channels()
    manager.handler.set_subscriptions([BTC], channels)
    manager.handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, [(one, BTC) for one in channels])
    for frame in frames:
        manager.handler._on_raw_message(frame)
    messages = [message for _, message in manager.handler._backlog.entries]
    await manager.close()
    return messages


def positions(messages: list[ParsedMessage]) -> list[tuple[Any, ...]]:
    placed: list[tuple[Stream, Event]] = [one for message in messages if (one := place(message)) is not None]
    return [(stream, event.first, event.last, event.parts, event.ranks) for stream, event in placed]


@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_both_stacks_give_the_same_place(connection: str, good_frames: Callable[[str], list[bytes]]) -> None:
    frames = good_frames(connection)
    legacy, new = positions(await by_legacy(connection, frames)), positions(await by_new(connection, frames))
    assert legacy == new
    assert len(legacy) >= 8
    streams = {position[0] for position in legacy}
    assert all(stream.order in ORDERS[stream.channel] for stream in streams)
    assert len({stream.channel for stream in streams}) == (
        4 if "public" in connection else 3 + ("futures" in connection)
    )


@pytest.mark.parametrize(
    ("message_type", "data", "order"),
    [
        (MessageType.ORDERBOOK, OrderBook(BTC, [OrderBookEntry(1.0, 2.0)], [], 5, 7), "content"),
        (MessageType.ORDERBOOK, OrderBook(BTC, [OrderBookEntry(1.0, 2.0)], [], 5, 7, None, True), "contiguous"),
        (MessageType.TRADES, [Trade(BTC, 1.0, 2.0, "buy", 5)], "content"),
        (MessageType.TRADES, [Trade(BTC, 1.0, 2.0, "buy", 5, "7X0_8X0")], "unique"),
        (MessageType.TRADES, [Trade(BTC, 1.0, 2.0, "buy", 5, "7")], "sparse"),
        (MessageType.BOOK_TICKER, BookTicker(BTC, 1.0, 2.0, 3.0, 4.0), "content"),
    ],
)
def test_what_lacks_a_version_is_matched_by_id_or_content(message_type: MessageType, data: Any, order: str) -> None:
    placed = place(ParsedMessage(message_type, BTC, "channel", data))
    assert placed is not None
    assert placed[0].order == order
    assert placed[0].symbol == "BTC_USDT"


def test_a_list_of_trades_is_cut_where_the_consumer_is() -> None:
    trades = [Trade(BTC, 1.0, 2.0, "buy", 5, str(number)) for number in (9, 7, 8)]
    placed = place(ParsedMessage(MessageType.TRADES, BTC, "channel", trades))
    assert placed is not None
    event = placed[1]
    assert (event.first, event.last) == (7, 9)
    assert [trade.trade_id for trade in event.keep(event.versions_above(7)).item.data] == ["9", "8"]


def test_answers_and_errors_have_no_place() -> None:
    for message_type in (MessageType.SUBSCRIPTION_CONFIRM, MessageType.ERROR, MessageType.SUBSCRIPTION_ERROR):
        assert place(ParsedMessage(message_type, None, "channel", "text")) is None
