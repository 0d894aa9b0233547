"""Corners of the legacy manager that the conformance suite does not reach."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from exchanges.structs import (
    ConnectionContext,
    ConnectionState,
    ExchangeConfig,
    MessageType,
    ParsedMessage,
    PublicWebsocketChannelType,
    ReconnectionPolicy,
    Symbol,
    WebSocketConfig,
)
from legacy.gateio.builder import build
from legacy.gateio.strategies.spot_public.connection import GateioSpotPublicConnection
from legacy.websocket.ws_manager import WebSocketManager

BTC = Symbol("BTC", "USDT")
TRADES = [PublicWebsocketChannelType.TRADES]


class LoginConnection(GateioSpotPublicConnection):
    """Authenticates by reading one answer; one retry, in a millisecond."""

    reset = True

    def get_reconnection_policy(self) -> ReconnectionPolicy:
        return ReconnectionPolicy(1, 0.001, 1.0, 0.001, self.reset)

    def create_connection_context(self) -> ConnectionContext:
        return ConnectionContext(f"{self.config.url}/?listenKey=secret", auth_required=True)

    async def authenticate(self) -> bool:
        assert self._websocket is not None
        return await self._websocket.recv() == "welcome"


@pytest.fixture
def manager(exchange: Any, caller: Any, closing: Any) -> WebSocketManager:
    settings = WebSocketConfig(exchange.url, close_timeout=0.2, heartbeat_interval=None)
    config = ExchangeConfig("GATEIO_SPOT", websocket_url=exchange.url, websocket=settings)
    built = build(config, False, caller.on_message, caller.on_state)
    closing(built)
    return built


def login(manager: WebSocketManager) -> LoginConnection:
    strategy = LoginConnection(manager.config)
    manager.strategies.connection_strategy = strategy
    return strategy


async def close_without_code(exchange: Any, count: int) -> None:
    """End the connection with this number by a close frame that carries no code (1005 to the client)."""
    connection = await exchange.connected(count)
    connection.transport.write(b"\x88\x00")


@pytest.mark.parametrize("reset", [True, False])
async def test_code_1005_starts_the_attempts_anew_where_the_policy_says_so(
    manager: WebSocketManager, exchange: Any, caller: Any, reset: bool
) -> None:
    login(manager).reset = reset
    await manager.initialize([BTC], TRADES)
    for count in (1, 2):
        await close_without_code(exchange, count)
    if reset:
        await (await exchange.connected(3)).send("welcome")
        await caller.until(manager.is_connected)
    else:
        assert manager._connection_task is not None
        await manager._connection_task
        assert caller.states[-1] is ConnectionState.ERROR


async def test_a_failed_authentication_is_not_tried_again(
    manager: WebSocketManager, exchange: Any, caller: Any, caplog: pytest.LogCaptureFixture
) -> None:
    login(manager)
    await manager.initialize([BTC], TRADES)
    await (await exchange.connected()).send("go away")
    assert manager._connection_task is not None
    await manager._connection_task
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.ERROR]
    assert "Connection failed (authentication_failure)" in caplog.text
    assert len(exchange.connections) == 1


async def test_the_url_is_logged_without_its_query(
    manager: WebSocketManager, exchange: Any, caller: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    login(manager)
    await manager.initialize([BTC], TRADES)
    await (await exchange.connected()).send("welcome")
    await exchange.connected(requests=1)
    assert f"WebSocket connected: {exchange.url}" in caplog.text
    assert "secret" not in caplog.text


async def test_a_subscription_that_fails_after_connect_counts_as_a_failed_attempt(
    manager: WebSocketManager, caller: Any, exchange: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await manager.initialize([Symbol("\ud800", "USDT")], TRADES)
    await caller.until(lambda: ConnectionState.RECONNECTING in caller.states)
    expected = [ConnectionState.CONNECTING, ConnectionState.CONNECTED, ConnectionState.ERROR]
    assert caller.states == [*expected, ConnectionState.RECONNECTING]
    assert manager.metrics.error_count == 1
    await exchange.connections[0].wait_closed()


async def test_the_heartbeat_goes_on_after_a_failed_one(
    exchange: Any, caller: Any, closing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings = WebSocketConfig(exchange.url, close_timeout=0.2, heartbeat_interval=0.002)
    config = ExchangeConfig("GATEIO_SPOT", websocket_url=exchange.url, websocket=settings)
    manager = closing(build(config, False, caller.on_message))
    strategy = manager.strategies.connection_strategy
    send_ping, failures = strategy.handle_heartbeat, [OSError("no route")]

    async def fail_once() -> None:
        if failures:
            raise failures.pop()
        await send_ping()

    strategy.handle_heartbeat = fail_once
    await manager.initialize([BTC], TRADES)
    await exchange.connected(requests=3)
    assert [request["channel"] for request in exchange.requests[0][1:3]] == ["spot.ping", "spot.ping"]
    assert "Heartbeat failed: no route" in caplog.text


async def test_close_from_the_message_handler(manager: WebSocketManager, exchange: Any, caller: Any, wire: Any) -> None:
    closed = asyncio.Event()

    async def close(message: ParsedMessage) -> None:
        assert message.message_type is MessageType.TRADES
        await manager.close()
        closed.set()

    manager.message_handler = close
    await manager.initialize([BTC], TRADES)
    await (await exchange.connected(requests=1)).send(wire.trade(1))
    async with asyncio.timeout(10):
        await closed.wait()
        assert manager._processing_task is not None
        await manager._processing_task
    assert caller.states[-1] is ConnectionState.CLOSED


async def test_metrics_follow_the_processing(manager: WebSocketManager, exchange: Any, caller: Any) -> None:
    await manager.initialize([BTC], TRADES)
    book = '{"channel":"spot.order_book_update","event":"update","result":{"s":"A_B","t":1,"u":2,"b":[],"a":[]}}'
    await (await exchange.connected(requests=1)).send(book)
    await caller.until(lambda: caller.messages)
    assert manager.metrics.orderbook_updates == 1
    broken = '{"channel":"spot.order_book_update","event":"update","result":{}}'
    await exchange.connections[0].send(broken)
    await exchange.connections[0].send(book)
    await caller.until(lambda: len(caller.messages) == 2)
    assert manager.metrics.error_count == 1
    assert manager.metrics.sub_1ms_messages + manager.metrics.latency_violations >= 2
