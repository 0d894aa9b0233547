"""What the message handler gets, what a broken one does, and the metrics, alike on every stack."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges.structs import MessageType, OrderBook, ParsedMessage, Symbol

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
DATA = (MessageType.ORDERBOOK, MessageType.TRADES, MessageType.BOOK_TICKER, MessageType.TICKER)
KINDS = ("book", "trade", "book_ticker", "ticker")
METRICS = {
    "messages_processed": int,
    "messages_per_second": float,
    "avg_processing_time_ms": float,
    "max_processing_time_ms": float,
    "connection_uptime_seconds": float,
    "reconnection_count": int,
    "error_count": int,
    "connection_state": str,
}


async def connect(manager: Any, venue: Any, caller: Any) -> Any:
    await manager.initialize([BTC, ETH])
    connection = await venue.subscribed(0, BTC, ETH)
    await caller.settled(venue)
    return connection


def content(message: ParsedMessage) -> Any:
    if isinstance(message.data, OrderBook):
        return message.data.bids, message.data.asks, message.data.last_update_id
    return message.data


@pytest.mark.no_cover
@pytest.mark.checklist("4.1.9", "4.1.16")
@pytest.mark.parametrize("symbol", [BTC, ETH])
@pytest.mark.parametrize(("kind", "message_type"), list(zip(KINDS, DATA, strict=True)))
async def test_each_type_arrives_as_its_struct(
    manager: Any, venue: Any, caller: Any, kind: str, message_type: MessageType, symbol: Symbol
) -> None:
    connection = await connect(manager, venue, caller)
    await connection.send(venue.wire.push(kind, symbol, 101))
    (message,) = await caller.got(1, *DATA)
    assert message.message_type is message_type
    assert message.symbol == venue.wire.listed(symbol)
    assert content(message) == venue.expected(kind, symbol, 101)
    assert isinstance(message.timestamp, int)


@pytest.mark.checklist("4.1.16")
async def test_messages_arrive_in_order_and_none_is_lost(manager: Any, venue: Any, caller: Any) -> None:
    connection = await connect(manager, venue, caller)
    for number in range(101, 121):
        for kind in KINDS:
            await connection.send(venue.wire.push(kind, BTC, number))
    messages = await caller.got(80, *DATA)
    assert [message.message_type for message in messages] == list(DATA) * 20
    books = [message.data.last_update_id for message in messages[::4]]
    assert books == list(range(101, 121))


@pytest.mark.checklist("4.1.8", "4.1.12", "4.1.17")
async def test_a_damaged_text_frame_is_counted_and_reading_goes_on(manager: Any, venue: Any, caller: Any) -> None:
    connection = await connect(manager, venue, caller)
    await connection.send("Invalid listen key")
    await connection.send(venue.wire.push("trade", BTC, 1))
    await caller.got(1, MessageType.TRADES)
    assert manager.get_performance_metrics()["error_count"] == 1
    assert len(caller.of(MessageType.ERROR)) == 1
    assert len(venue.connections) == 1


@pytest.mark.checklist("4.1.8", "4.1.17")
async def test_a_raising_message_handler_is_counted_and_ends_nothing(manager: Any, venue: Any, caller: Any) -> None:
    connection = await connect(manager, venue, caller)
    caller.broken = True
    await connection.send(venue.wire.push("trade", BTC, 1))
    await connection.send(venue.wire.push("trade", BTC, 2))
    await caller.got(2, MessageType.TRADES)
    caller.broken = False
    await connection.send(venue.wire.push("trade", BTC, 3))
    await caller.got(3, MessageType.TRADES)
    assert manager.get_performance_metrics()["error_count"] == 2
    assert manager.is_connected()


@pytest.mark.checklist("4.1.17")
async def test_a_raising_connection_handler_ends_nothing(manager: Any, venue: Any, caller: Any) -> None:
    caller.broken = True
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await connection.send(venue.wire.push("trade", BTC, 1))
    await caller.got(1, MessageType.TRADES)
    assert manager.is_connected()


@pytest.mark.checklist("4.1.7", "4.1.18")
async def test_metrics_keys_and_types(manager: Any, venue: Any, caller: Any) -> None:
    before = manager.get_performance_metrics()
    assert before["connection_state"] == "DISCONNECTED"
    connection = await connect(manager, venue, caller)
    await connection.send(venue.wire.push("trade", BTC, 1))
    await connection.send(venue.wire.push("trade", BTC, 2))
    await caller.got(2, MessageType.TRADES)
    for metrics in (before, manager.get_performance_metrics()):
        assert {name: type(metrics[name]) for name in METRICS} == METRICS
    assert metrics["messages_processed"] >= 2
    assert metrics["messages_per_second"] > 0
    assert metrics["connection_uptime_seconds"] > 0
    assert metrics["max_processing_time_ms"] >= metrics["avg_processing_time_ms"] > 0
    assert metrics["connection_state"] == "CONNECTED"
