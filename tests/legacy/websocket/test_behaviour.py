"""The legacy behaviours that the new stack must not have, each over a real loopback socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.protocol import State

from exchanges.structs import (
    ConnectionContext,
    ConnectionState,
    ExchangeRestError,
    MessageType,
    PublicWebsocketChannelType,
    ReconnectionPolicy,
    Symbol,
    WebSocketConfig,
    WebSocketManagerConfig,
)
from legacy.gateio.strategies.spot_public.connection import GateioSpotPublicConnection
from legacy.gateio.strategies.spot_public.parser import GateioSpotPublicParser
from legacy.gateio.strategies.spot_public.subscription import GateioSpotPublicSubscription
from legacy.websocket import ws_manager
from legacy.websocket.strategies import WebSocketStrategySet
from legacy.websocket.ws_manager import WebSocketManager

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
TRADES = [PublicWebsocketChannelType.TRADES]


class GatedConnection(GateioSpotPublicConnection):
    """Gate.io's connection, with a door before connect and a policy in milliseconds."""

    def __init__(self, config: WebSocketConfig) -> None:
        super().__init__(config)
        self.door = asyncio.Event()
        self.door.set()

    async def connect(self) -> ClientConnection:
        await self.door.wait()
        return await super().connect()


class CountingManager(WebSocketManager):
    """Counts frames at the queue's entry, so that a test can wait for the reader."""

    frames_read = 0
    on_frame: Callable[[], None] | None = None

    def _on_raw_message(self, raw_message: str | bytes) -> None:
        super()._on_raw_message(raw_message)
        self.frames_read += 1
        if self.on_frame is not None:
            self.on_frame()


@pytest.fixture
def make(exchange: Any, caller: Any, closing: Any) -> Callable[..., CountingManager]:
    """Builds a Gate.io manager against the loopback exchange."""

    def build(
        connection: type[GateioSpotPublicConnection] = GatedConnection, pending: int = 1000, **settings: Any
    ) -> CountingManager:
        config = WebSocketConfig(**{"url": exchange.url, "close_timeout": 0.2, **settings})
        strategies = WebSocketStrategySet(connection(config), GateioSpotPublicSubscription(), GateioSpotPublicParser())
        manager = CountingManager(
            config, strategies, caller.on_message, caller.on_state, WebSocketManagerConfig(max_pending_messages=pending)
        )
        manager.on_frame = caller.changed
        closing(manager)
        return manager

    return build


async def start(manager: WebSocketManager, *symbols: Symbol) -> None:
    await manager.initialize(list(symbols or (BTC,)), TRADES)


def payloads(requests: list[dict[str, Any]]) -> list[Any]:
    return [request["payload"] for request in requests if request.get("event") == "subscribe"]


async def test_l1_data_and_close_in_one_write_wedge_the_reader(
    exchange: Any, caller: Any, make: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_manager, "_NOT_OPEN_POLL_S", 0.0)
    manager = make()
    await start(manager)
    connection = await exchange.connected(requests=1)
    connection.transport.write(b"".join([*(wire.frame(wire.trade(n)) for n in (1, 2, 3)), wire.close_frame(1000)]))
    await connection.wait_closed()
    await manager._websocket.wait_closed()
    for _ in range(50):
        await asyncio.sleep(0)
    assert caller.trade_ids() == [1]
    assert manager.connection_state is ConnectionState.CONNECTED
    assert not manager.is_connected()
    assert manager._websocket.state is State.CLOSED
    assert manager.get_performance_metrics()["error_count"] == 0
    assert not manager._reader_task.done()
    assert len(exchange.connections) == 1


async def test_l2_no_backoff_after_an_established_connection(
    exchange: Any, caller: Any, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    manager = make()
    await start(manager)
    for count in (1, 2, 3):
        connection = await exchange.connected(count, requests=1)
        connection.transport.abort()
    await exchange.connected(4, requests=1)
    assert "Reconnecting in" not in caplog.text
    drop = [ConnectionState.DISCONNECTED, ConnectionState.RECONNECTING, ConnectionState.CONNECTED]
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED, *drop * 3]
    assert manager.metrics.error_count == 0


class ImpatientConnection(GateioSpotPublicConnection):
    """Two retries within milliseconds."""

    def get_reconnection_policy(self) -> ReconnectionPolicy:
        return ReconnectionPolicy(2, 0.001, 3.0, 0.002)


async def test_l2_policy_applies_when_connect_raises(
    make: Any, caller: Any, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    manager = make(ImpatientConnection, url=f"ws://127.0.0.1:{unused_tcp_port}")
    delays: list[float] = []
    wait = manager._wait_before_attempt

    async def record(attempt: int, policy: ReconnectionPolicy) -> None:
        delays.append(min(policy.initial_delay * policy.backoff_factor ** (attempt - 1), policy.max_delay))
        await wait(attempt, policy)

    manager._wait_before_attempt = record
    await start(manager)
    await manager._connection_task
    assert delays == [0.001, 0.002]
    assert manager.metrics.error_count == 3
    assert caller.states[-1] is ConnectionState.ERROR
    assert "Connection failed (connection_refused)" in caplog.text
    assert "Connection given up after 3 attempts" in caplog.text


class FixedWaitConnection(GatedConnection):
    """Sends credentials, waits a fixed time and says yes."""

    def create_connection_context(self) -> ConnectionContext:
        return ConnectionContext(self.config.url, auth_required=True)

    async def authenticate(self) -> bool:
        assert self._websocket is not None
        await self._websocket.send('{"channel":"spot.login","event":"api"}')
        await asyncio.sleep(0.01)
        return True


async def test_l3_a_refused_authentication_still_connects(exchange: Any, caller: Any, make: Any) -> None:
    exchange.reply = lambda request: [
        '{"channel":"spot.login","event":"api","error":{"code":4,"message":"bad key"}}'
        for _ in range(request["event"] == "api")
    ]
    manager = make(FixedWaitConnection)
    await start(manager)
    await caller.until(lambda: caller.messages)
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert manager.is_connected()
    assert caller.messages[0].data == "bad key"
    await exchange.connected(requests=2)
    assert exchange.requests[0][1]["event"] == "subscribe"


async def test_l5_the_queue_drops_the_oldest_unseen(exchange: Any, caller: Any, make: Any, wire: Any) -> None:
    caller.gate.clear()
    manager = make(pending=4)
    await start(manager)
    connection = await exchange.connected(requests=1)
    await connection.send(wire.trade(0))
    await caller.until(lambda: caller.messages)
    for number in range(1, 11):
        await connection.send(wire.trade(number))
    await caller.until(lambda: manager.frames_read == 11)
    caller.gate.set()
    await caller.until(lambda: len(caller.messages) == 5)
    assert caller.trade_ids() == [0, 7, 8, 9, 10]
    metrics = manager.get_performance_metrics()
    assert metrics["error_count"] == 0
    assert not [name for name in metrics if "drop" in name or "lost" in name]


async def test_l6_a_burst_above_the_queue_loses_messages_with_a_fast_consumer(
    exchange: Any, caller: Any, make: Any, wire: Any
) -> None:
    manager = make(pending=10)
    await start(manager)
    connection = await exchange.connected(requests=1)
    connection.transport.write(b"".join(wire.frame(wire.trade(number)) for number in range(50)))
    await caller.until(lambda: 49 in caller.trade_ids())
    assert manager.frames_read == 50
    assert caller.trade_ids() == list(range(40, 50))


async def test_l7_counted_twice_and_reconnections_never(exchange: Any, caller: Any, make: Any, wire: Any) -> None:
    manager = make()
    await start(manager)
    connection = await exchange.connected(requests=1)
    for number in range(3):
        await connection.send(wire.trade(number))
    await caller.until(lambda: manager.metrics.messages_processed == 6)
    connection.transport.abort()
    await exchange.connected(2, requests=1)
    metrics = manager.get_performance_metrics()
    assert len(caller.messages) == 3
    assert metrics["messages_processed"] == 6
    assert metrics["reconnection_count"] == 0


async def test_l7_processing_time_leaves_out_the_queue_wait(
    exchange: Any, caller: Any, make: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ws_manager, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    caller.gate.clear()
    manager = make()
    await start(manager)
    connection = await exchange.connected(requests=1)
    for number in (1, 2):
        await connection.send(wire.trade(number))
    await caller.until(lambda: manager.frames_read == 2 and caller.messages)
    clock.now = 5.0
    caller.gate.set()
    await caller.until(lambda: len(caller.messages) == 2)
    assert manager.metrics.max_processing_time_ms == 5000.0
    # 0.1 of 5 s for the first; the second waited 5 s in the queue and counts as nothing.
    await caller.until(lambda: manager.metrics.messages_processed == 4)
    assert manager.metrics.avg_processing_time_ms == pytest.approx(450.0)


async def test_l12_a_half_open_link_is_not_noticed(exchange: Any, caller: Any, make: Any) -> None:
    manager = make(heartbeat_interval=0.002, ping_interval=0.001, ping_timeout=0.001)
    heartbeats = 0
    strategy = manager.strategies.connection_strategy
    send_ping = strategy.handle_heartbeat

    async def count() -> None:
        nonlocal heartbeats
        await send_ping()
        heartbeats += 1
        caller.changed()

    strategy.handle_heartbeat = count
    await start(manager)
    connection = await exchange.connected(requests=2)
    assert exchange.requests[0][1]["channel"] == "spot.ping"
    connection.transport.pause_reading()
    sent = heartbeats
    await caller.until(lambda: heartbeats >= sent + 20)
    assert manager.is_connected()
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert manager.metrics.error_count == 0


async def test_l14_subscribe_while_offline_raises_and_forgets(exchange: Any, make: Any) -> None:
    manager = make()
    door = manager.strategies.connection_strategy.door
    door.clear()
    await start(manager, BTC)
    with pytest.raises(ExchangeRestError) as raised:
        await manager.subscribe([ETH])
    assert raised.value.code == 503
    door.set()
    await exchange.connected(requests=1)
    assert payloads(exchange.requests[0]) == [["BTC_USDT"]]


async def test_l14_unsubscribe_while_offline_is_forgotten(exchange: Any, caller: Any, make: Any) -> None:
    manager = make()
    await start(manager, BTC, ETH)
    connection = await exchange.connected(requests=1)
    door = manager.strategies.connection_strategy.door
    door.clear()
    connection.transport.abort()
    await caller.until(lambda: ConnectionState.RECONNECTING in caller.states)
    await manager.unsubscribe([ETH])
    door.set()
    await exchange.connected(2, requests=1)
    assert payloads(exchange.requests[1]) == [["BTC_USDT", "ETH_USDT"]]


async def test_l15_a_refused_symbol_stays_active(exchange: Any, caller: Any, make: Any) -> None:
    exchange.reply = lambda request: [
        '{"time":1,"channel":"spot.trades","event":"subscribe",'
        '"error":{"code":2,"message":"unknown currency pair: ETH_USDT"}}'
    ]
    manager = make()
    await start(manager, BTC)
    connection = await exchange.connected(requests=1)
    await manager.subscribe([ETH])
    await caller.until(lambda: len(caller.messages) == 2)
    assert {message.message_type for message in caller.messages} == {MessageType.SUBSCRIPTION_ERROR}
    assert caller.messages[1].data == "unknown currency pair: ETH_USDT"
    connection.transport.abort()
    await exchange.connected(2, requests=1)
    assert payloads(exchange.requests[1]) == [["BTC_USDT", "ETH_USDT"]]
    assert manager.metrics.error_count == 0


async def test_l16_close_discards_the_backlog(exchange: Any, caller: Any, make: Any, wire: Any) -> None:
    caller.gate.clear()
    manager = make()
    await start(manager)
    connection = await exchange.connected(requests=1)
    for number in range(5):
        await connection.send(wire.trade(number))
    await caller.until(lambda: manager.frames_read == 5)
    await manager.close()
    caller.gate.set()
    assert caller.trade_ids() == [0]
    assert manager._queue.qsize() == 4
    assert caller.states[-2:] == [ConnectionState.CLOSING, ConnectionState.CLOSED]
