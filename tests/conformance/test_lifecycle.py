"""initialize, states, reconnection and close, alike on every stack."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import replace
from typing import Any

import pytest

from exchanges.structs import ConnectionState, ExchangeRestError, MessageType, Symbol, WebSocketManagerConfig

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
DATA = (MessageType.ORDERBOOK, MessageType.TRADES, MessageType.BOOK_TICKER, MessageType.TICKER)
FIRST = [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
DROPPED = [ConnectionState.DISCONNECTED, ConnectionState.RECONNECTING, ConnectionState.CONNECTED]
CLOSED = [ConnectionState.CLOSING, ConnectionState.CLOSED]


@pytest.mark.checklist("4.1.3", "4.1.4", "4.1.10")
def test_the_public_members(manager: Any) -> None:
    for name in ("initialize", "subscribe", "unsubscribe", "send_message", "close"):
        assert inspect.iscoroutinefunction(getattr(manager, name)), name
    assert list(inspect.signature(manager.initialize).parameters) == ["symbols", "default_channels"]
    assert list(inspect.signature(manager.subscribe).parameters) == ["symbols"]
    assert list(inspect.signature(manager.unsubscribe).parameters) == ["symbols"]
    assert list(inspect.signature(manager.send_message).parameters) == ["message"]
    for name in ("config", "manager_config", "logger", "connection_state", "metrics", "start_time"):
        assert getattr(manager, name) is not None, name
    assert not hasattr(manager, "start")
    assert not hasattr(manager, "stop")


@pytest.mark.checklist("4.1.14", "4.1.16")
async def test_handlers_and_settings_are_kept(build: Any, exchange_config: Any, caller: Any) -> None:
    settings = WebSocketManagerConfig(max_pending_messages=7)
    manager = build(exchange_config, False, caller.on_message, caller.on_state, manager_config=settings)
    assert manager.message_handler == caller.on_message
    assert manager.connection_handler == caller.on_state
    assert manager.manager_config == settings
    assert manager.config.url == exchange_config.websocket_url
    assert manager.connection_state is ConnectionState.DISCONNECTED
    await manager.close()


@pytest.mark.checklist("4.1.14")
async def test_initialize_returns_before_connected(manager: Any, venue: Any, caller: Any) -> None:
    await manager.initialize([BTC])
    assert not manager.is_connected()
    await caller.until(lambda: caller.states == FIRST)
    assert manager.is_connected()
    await venue.subscribed(0, BTC)


@pytest.mark.checklist("4.1.14")
async def test_initialize_without_symbols_connects(manager: Any, venue: Any, caller: Any) -> None:
    await manager.initialize()
    await caller.until(lambda: caller.states == FIRST)
    assert venue.asked(0) == set()
    assert manager.is_connected()


@pytest.mark.checklist("4.1.9")
@pytest.mark.parametrize("clean", [True, False])
async def test_a_dropped_connection_comes_back_with_its_symbols(
    manager: Any, venue: Any, caller: Any, clean: bool
) -> None:
    await manager.initialize([BTC])
    first = await venue.subscribed(0, BTC)
    await manager.subscribe([ETH])
    await venue.subscribed(0, BTC, ETH)
    await caller.settled(venue)
    if clean:
        await first.close(1001)
    else:
        first.transport.abort()
    second = await venue.subscribed(1, BTC, ETH)
    await caller.until(lambda: caller.states == FIRST + DROPPED)
    await second.send(venue.wire.push("trade", BTC, 1))
    assert (await caller.got(1, *DATA))[0].data == venue.expected("trade", BTC, 1)
    assert venue.asked(1) == venue.market(BTC, ETH)


@pytest.mark.checklist("4.1.12")
async def test_an_unreachable_exchange_shows_as_error(
    build: Any, exchange_config: Any, caller: Any, unused_tcp_port: int
) -> None:
    url = f"ws://127.0.0.1:{unused_tcp_port}/ws"
    config = replace(exchange_config, websocket_url=url, websocket=exchange_config.websocket.with_url(url))
    manager = build(config, False, caller.on_message, caller.on_state)
    await manager.initialize([BTC])
    await caller.until(lambda: len(caller.states) == 3)
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.ERROR, ConnectionState.RECONNECTING]
    assert manager.get_performance_metrics()["error_count"] == 1
    await manager.close()
    assert caller.states[-2:] == CLOSED


@pytest.mark.checklist("4.1.9")
async def test_close_ends_everything(manager: Any, venue: Any, caller: Any) -> None:
    before = asyncio.all_tasks()
    await manager.initialize([BTC])
    connection = await venue.subscribed(0, BTC)
    await caller.until(manager.is_connected)
    await manager.close()
    await connection.wait_closed()
    assert caller.states == FIRST + CLOSED
    assert not manager.is_connected()
    left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}
    assert not [name for name in left if "Manager" in name or "Interface" in name]
    with pytest.raises(ExchangeRestError):
        await manager.subscribe([ETH])


@pytest.mark.checklist("4.1.9")
async def test_close_never_raises(manager: Any, caller: Any) -> None:
    await manager.close()
    await manager.close()
    assert caller.states == CLOSED


@pytest.mark.checklist("4.1.17")
def test_private_without_credentials_is_a_value_error(build: Any, exchange_config: Any, caller: Any) -> None:
    with pytest.raises(ValueError, match=exchange_config.name):
        build(exchange_config, True, caller.on_message, caller.on_state)
