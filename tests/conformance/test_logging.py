"""The log lines of legacy/websocket/LOGGING.md, alike on every stack."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from exchanges.structs import ConnectionState, MessageType, PublicWebsocketChannelType, Symbol

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
LOGGER = "conformance"
CHANNELS = [PublicWebsocketChannelType.ORDERBOOK, PublicWebsocketChannelType.TRADES]

pytestmark = pytest.mark.checklist("4.1.13")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines written so far: (level, text), optionally from a level on."""
    caplog.set_level(logging.DEBUG, LOGGER)

    def written(level: int = logging.DEBUG) -> list[tuple[str, str]]:
        return [
            (record.levelname, record.getMessage())
            for record in caplog.records
            if record.name == LOGGER and record.levelno >= level
        ]

    return written


async def test_a_whole_life(manager: Any, venue: Any, caller: Any, lines: Any) -> None:
    await manager.initialize([BTC, ETH], CHANNELS)
    await venue.until(lambda: len(venue.asked(0)) == 4)
    await caller.settled(venue)
    await manager.unsubscribe([ETH])
    await manager.subscribe([ETH])
    await manager.close()
    assert lines() == [
        ("INFO", "Initializing WebSocket manager: 2 symbols, 2 channels"),
        ("DEBUG", "Connection state: DISCONNECTED -> CONNECTING"),
        ("DEBUG", "Connection state: CONNECTING -> CONNECTED"),
        ("INFO", f"WebSocket connected: {venue.ws_url}"),
        ("INFO", "Subscribed to 2 symbols"),
        ("INFO", "Unsubscribed from 1 symbols"),
        ("INFO", "Subscribed to 1 symbols"),
        ("DEBUG", "Connection state: CONNECTED -> CLOSING"),
        ("DEBUG", "Connection state: CLOSING -> CLOSED"),
        ("INFO", "WebSocket closed"),
    ]


async def test_a_drop(manager: Any, venue: Any, caller: Any, lines: Any) -> None:
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await caller.settled(venue)
    await connection.close(1001)
    await venue.subscribed(1, BTC)
    await caller.until(lambda: caller.states.count(ConnectionState.CONNECTED) == 2)
    drop = [line for line in lines() if "DISCONNECTED" in line[1] or "disconnected" in line[1]]
    assert drop == [
        ("DEBUG", "Connection state: DISCONNECTED -> CONNECTING"),
        ("WARNING", "WebSocket disconnected: code 1001"),
        ("DEBUG", "Connection state: CONNECTED -> DISCONNECTED"),
        ("DEBUG", "Connection state: DISCONNECTED -> RECONNECTING"),
    ]
    assert ("DEBUG", "Connection state: RECONNECTING -> CONNECTED") in lines()
    assert len(lines(logging.WARNING)) == 1


async def test_nothing_is_written_per_message(manager: Any, venue: Any, caller: Any, lines: Any) -> None:
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await caller.settled(venue)
    await connection.send(venue.wire.push("trade", BTC, 0))
    await caller.got(1, MessageType.TRADES)
    before = lines()
    for number in range(1, 30):
        await connection.send(venue.wire.push("trade", BTC, number))
    await caller.got(30, MessageType.TRADES)
    assert lines() == before


async def test_a_failing_handler_is_one_error_line(manager: Any, venue: Any, caller: Any, lines: Any) -> None:
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await caller.settled(venue)
    caller.broken = True
    await connection.send(venue.wire.push("trade", BTC, 1))
    await caller.got(1, MessageType.TRADES)
    caller.broken = False
    await connection.send(venue.wire.push("trade", BTC, 2))
    await caller.got(2, MessageType.TRADES)
    text = "Message processing failed: the caller's handler is broken"
    assert lines(logging.WARNING) == [("ERROR", text)]
