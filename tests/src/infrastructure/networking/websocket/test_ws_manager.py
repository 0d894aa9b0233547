"""The manager over a real loopback connection."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from exchanges.integrations.gateio.builder import build
from exchanges.structs import (
    BookTicker,
    ConfigurationError,
    ConnectionState,
    ExchangeConfig,
    ExchangeRestError,
    MessageType,
    ParsedMessage,
    PublicWebsocketChannelType,
    Symbol,
)

BTC = Symbol("BTC", "USDT")
PUSH = {
    "time": 1,
    "time_ms": 1000,
    "channel": "spot.book_ticker",
    "event": "update",
    "result": {"t": 7, "u": 2, "s": "BTC_USDT", "b": "1.5", "B": "2", "a": "3", "A": "4"},
}
LEGACY_KEYS = {
    "messages_processed",
    "messages_per_second",
    "avg_processing_time_ms",
    "max_processing_time_ms",
    "connection_uptime_seconds",
    "reconnection_count",
    "error_count",
    "connection_state",
}


async def answer(connection: ServerConnection) -> None:
    """Confirm each subscription and push one best bid/ask."""
    async for text in connection:
        request = orjson.loads(text)
        await connection.send(orjson.dumps({**request, "result": {"status": "success"}}).decode())
        if request["channel"] == "spot.book_ticker":
            await connection.send(orjson.dumps(PUSH).decode())


@pytest.mark.checklist("4.1.1", "4.1.2", "4.1.6", "4.1.7", "4.1.14", "4.1.16", "4.1.18")
async def test_factory_door_delivers_what_the_exchange_sends() -> None:
    messages: list[ParsedMessage] = []
    states: list[ConnectionState] = []
    arrived = asyncio.Event()

    async def on_message(message: ParsedMessage) -> None:
        messages.append(message)
        if message.message_type is MessageType.BOOK_TICKER:
            arrived.set()

    async def on_state(state: ConnectionState) -> None:
        states.append(state)

    async with serve(answer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        config = ExchangeConfig("GATEIO_SPOT", websocket_url=f"ws://127.0.0.1:{port}/ws/v4/")
        manager = build(config, False, on_message, on_state)
        await manager.initialize([BTC], [PublicWebsocketChannelType.BOOK_TICKER])
        async with asyncio.timeout(30):
            await arrived.wait()
        assert manager.is_connected()
        metrics = manager.get_performance_metrics()
        await manager.close()

    assert [message.message_type for message in messages] == [MessageType.SUBSCRIPTION_CONFIRM, MessageType.BOOK_TICKER]
    assert messages[0].channel == "spot.book_ticker"
    assert messages[0].data == ["BTC_USDT"]
    assert messages[1].data == BookTicker(BTC, 1.5, 2.0, 3.0, 4.0, 7, 2)
    assert states == [
        ConnectionState.CONNECTING,
        ConnectionState.CONNECTED,
        ConnectionState.CLOSING,
        ConnectionState.CLOSED,
    ]
    assert metrics.keys() >= LEGACY_KEYS | {"architecture_version", "interface", "handler"}
    assert metrics["connection_state"] == "CONNECTED"
    assert metrics["handler"]["frames"]["book_ticker"] == 1
    assert not manager.is_connected()


@pytest.mark.checklist("4.1.3", "4.1.4", "4.1.10")
def test_public_api_has_the_signatures_that_callers_use() -> None:
    from infrastructure.networking.websocket.ws_manager import WebSocketManager

    wanted: dict[str, list[str]] = {
        "__init__": ["config", "strategies", "message_handler", "connection_handler", "manager_config", "logger"],
        "initialize": ["symbols", "default_channels"],
        "subscribe": ["symbols"],
        "unsubscribe": ["symbols"],
        "send_message": ["message"],
        "is_connected": [],
        "get_performance_metrics": [],
        "close": [],
    }
    for name, parameters in wanted.items():
        assert list(inspect.signature(getattr(WebSocketManager, name)).parameters)[1:] == parameters
    for name in ("initialize", "subscribe", "unsubscribe", "send_message", "close"):
        assert inspect.iscoroutinefunction(getattr(WebSocketManager, name))


async def test_offline_calls_say_so() -> None:
    async def ignore(message: ParsedMessage) -> None:
        raise AssertionError(message)

    manager = build(ExchangeConfig("GATEIO_SPOT"), False, ignore, None)
    for call in (manager.subscribe([BTC]), manager.send_message({"channel": "x"})):
        with pytest.raises(ExchangeRestError) as caught:
            await call
        assert caught.value.code == 503
    assert manager.handler.wanted_symbols == []
    await manager.close()


def test_unknown_options_and_scopes_are_refused() -> None:
    async def ignore(message: ParsedMessage) -> None:
        raise AssertionError(message)

    options: dict[str, Any] = {"max_speed": 1}
    with pytest.raises(ConfigurationError, match="max_speed"):
        build(ExchangeConfig("GATEIO_SPOT"), False, ignore, None, **options)
    with pytest.raises(ConfigurationError, match="private"):
        build(ExchangeConfig("GATEIO_SPOT"), True, ignore, None)


def test_importing_the_manager_loads_neither_http_nor_flags() -> None:
    code = (
        "import sys, infrastructure.networking.websocket.ws_manager;"
        "sys.exit(any(name in sys.modules for name in ('aiohttp', 'openfeature')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
