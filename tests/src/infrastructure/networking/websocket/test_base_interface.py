"""Connection lifecycle and hand-over, on a virtual clock over fake sockets."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest

from exchanges.structs import (
    AuthenticationError,
    ConnectionState,
    ExchangeRestError,
    HalfOpenError,
    WebSocketConfig,
    WebSocketManagerConfig,
)
from infrastructure.networking.websocket.base_interface import BaseWebSocketInterface
from infrastructure.networking.websocket.testing import FakeServer, FakeSocket, MockHandler, run_virtual, settle
from infrastructure.networking.websocket.transport import ConnectFailed, Transport

State = ConnectionState
CONFIG = WebSocketConfig("ws://exchange/ws?listenKey=secret", heartbeat_interval=None, close_timeout=5.0)


class Consumer:
    """A coroutine consumer that can be held, can fail, and remembers."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.states: list[State] = []
        self.gate: asyncio.Event | None = None
        self.fails = False

    async def on_message(self, message: Any) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self.got.append(message)
        if self.fails:
            raise RuntimeError("broken consumer")

    async def on_state(self, state: State) -> None:
        self.states.append(state)
        if self.fails:
            raise RuntimeError("broken consumer")


def make(server: FakeServer, consumer: Consumer | None = None, **options: Any) -> MockHandler:
    """A mock handler on a fake server."""
    config = options.pop("config", CONFIG)
    return MockHandler(
        config,
        message_handler=consumer.on_message if consumer else None,
        connection_handler=consumer.on_state if consumer else None,
        transport=server.open,
        random_source=random.Random(1),
        **options,
    )


def play(scene: Callable[[FakeServer, Consumer, MockHandler], Awaitable[None]], **options: Any) -> None:
    """Run a scene with a connected handler, and close it."""

    async def main() -> None:
        server, consumer = FakeServer(), Consumer()
        handler = make(server, consumer, **options)
        await handler.initialize()
        await settle()
        await scene(server, consumer, handler)
        await handler.close()

    run_virtual(main())


@pytest.mark.checklist("1.1.1", "1.1.2", "1.1.9", "5.1.5")
def test_initialises_without_a_connection() -> None:
    handler = make(FakeServer())
    assert handler.connection_state is State.DISCONNECTED
    assert not handler.is_connected()
    assert handler.interface_metrics()["pending"] == 0


@pytest.mark.checklist("1.1.6", "1.1.11")
def test_what_an_exchange_decides_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        BaseWebSocketInterface(CONFIG)  # type: ignore[abstract]
    assert "_handle_message" in BaseWebSocketInterface.__abstractmethods__


@pytest.mark.checklist("1.1.14")
def test_initialisation_is_cheap(stopwatch: Any) -> None:
    server, watch = FakeServer(), stopwatch()

    async def main() -> None:
        for _ in range(20):
            with watch.round():
                handler = make(server, Consumer())
                await handler.initialize()
            await handler.close()

    run_virtual(main())
    assert watch.best_ns < 5_000_000


@pytest.mark.checklist("1.1.3", "1.1.4", "1.1.5", "1.1.10")
def test_connects_delivers_in_order_and_closes() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        assert handler.is_connected()
        server.socket.feed(b"1", b"2", b"3")
        await settle()
        assert consumer.got == [b"1", b"2", b"3"]
        await handler.close()
        assert consumer.states == [State.CONNECTING, State.CONNECTED, State.CLOSING, State.CLOSED]
        assert not handler.is_connected()
        assert len(asyncio.all_tasks()) == 1

    play(scene)


def test_initialize_returns_before_the_connection_is_there() -> None:
    async def main() -> None:
        handler = make(FakeServer())
        await handler.initialize()
        assert handler.connection_state is State.DISCONNECTED
        await handler.close()

    run_virtual(main())


def test_plain_callbacks_need_no_task_and_no_queue() -> None:
    async def main() -> None:
        server = FakeServer()
        handler = make(server)
        await handler.initialize()
        await settle()
        server.socket.feed(b"1")
        await settle(3)
        assert handler.frames == [b"1"]
        assert handler._processing_task is None
        await handler.close()

    run_virtual(main())


def test_everything_buffered_is_read_before_a_close_is_acted_on() -> None:
    """L1: data and close in one go."""

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        first = server.socket
        first.feed(*[b"%d" % n for n in range(50)])
        first.end(1001)
        await settle(100)
        assert consumer.got == [b"%d" % n for n in range(50)]
        assert consumer.states[2:] == [State.DISCONNECTED, State.RECONNECTING, State.CONNECTED]
        assert len(server.sockets) == 2

    play(scene)


@pytest.mark.checklist("1.2.16")
def test_first_reconnection_after_a_good_connection_is_immediate() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.end()
        await settle()
        assert server.attempts[1] - server.attempts[0] < 0.001
        assert handler.reconnection_count == 1
        assert handler.is_connected()

    play(scene)


def test_connections_that_end_before_a_confirmation_back_off() -> None:
    """L2: neither a hot loop nor an endless one."""

    async def main() -> None:
        server = FakeServer(lambda socket: socket.end(1006))
        consumer = Consumer()
        handler = make(server, consumer)
        handler.confirms = False
        await handler.initialize()
        await asyncio.sleep(1000)
        assert handler.connection_state is State.ERROR
        gaps = [later - earlier for earlier, later in zip(server.attempts, server.attempts[1:], strict=False)]
        assert len(gaps) == 10
        for gap, nominal in zip(gaps, (1, 2, 4, 8, 16, 32, 60, 60, 60, 60), strict=True):
            assert 0.75 * nominal <= gap <= 1.25 * nominal + 0.01
        await handler.close()

    run_virtual(main())


def test_failed_attempts_follow_the_policy_and_give_up(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> Consumer:
        server, consumer = FakeServer(), Consumer()
        server.fails_always = ConnectFailed("connection_refused", "refused")
        handler = make(server, consumer)
        await handler.initialize()
        await asyncio.sleep(1000)
        assert len(server.attempts) == 11
        assert handler.errors == [("connect", "refused")] * 11
        await handler.close()
        return consumer

    with caplog.at_level(logging.INFO):
        consumer = run_virtual(main())
    assert consumer.states[:4] == [State.CONNECTING, State.ERROR, State.RECONNECTING, State.ERROR]
    assert "Connection failed (connection_refused): refused" in caplog.messages
    assert "Connection given up after 10 attempts" in caplog.messages


def test_a_retry_that_cannot_help_is_not_made() -> None:
    async def main() -> None:
        server = FakeServer()
        server.fails_always = AuthenticationError("wrong key")
        handler = make(server, Consumer())
        await handler.initialize()
        await asyncio.sleep(100)
        assert len(server.attempts) == 1
        assert handler.connection_state is State.ERROR
        await handler.close()

    run_virtual(main())


def test_a_failed_attempt_recovers() -> None:
    async def main() -> None:
        server, consumer = FakeServer(), Consumer()
        server.failures.append(ConnectFailed("timeout", "slow"))
        handler = make(server, consumer)
        await handler.initialize()
        await asyncio.sleep(5)
        assert consumer.states == [State.CONNECTING, State.ERROR, State.RECONNECTING, State.CONNECTED]
        await handler.close()

    run_virtual(main())


def test_a_failed_subscription_is_a_failed_attempt() -> None:
    async def main() -> None:
        server, consumer = FakeServer(), Consumer()
        handler = make(server, consumer)
        handler.restore_error = ValueError("no such channel")
        await handler.initialize()
        await settle()
        assert consumer.states[-2:] == [State.ERROR, State.RECONNECTING]
        assert not server.socket.is_open
        handler.restore_error = None
        await asyncio.sleep(5)
        assert handler.is_connected()
        await handler.close()

    run_virtual(main())


def test_authentication_comes_before_the_subscriptions() -> None:
    async def main() -> None:
        server = FakeServer()
        handler = make(server)
        order: list[str] = []

        async def authenticate() -> bool:
            order.append(f"auth in {handler.connection_state.name}, restored {handler.restored}")
            return True

        handler.requires_authentication = lambda: True  # type: ignore[method-assign]
        handler.authenticate = authenticate  # type: ignore[method-assign]
        await handler.initialize()
        await settle()
        assert order == ["auth in CONNECTING, restored 0"]
        assert handler.restored == 1
        await handler.close()

    run_virtual(main())


def test_a_slow_consumer_pauses_the_reader_and_loses_nothing() -> None:
    """L5, L6: at high water nothing is dropped."""

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        consumer.gate = asyncio.Event()
        server.socket.feed(*[b"%d" % n for n in range(500)])
        await settle(200)
        assert server.socket.unread >= 399
        assert handler.interface_metrics()["pending"] <= 100
        consumer.gate.set()
        await settle(200)
        assert consumer.got == [b"%d" % n for n in range(500)]

    play(scene, manager_config=WebSocketManagerConfig(max_pending_messages=100))


def test_a_burst_above_the_queue_size_reaches_a_fast_consumer_whole() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.feed(*[b"%d" % n for n in range(3000)])
        await settle(1000)
        assert len(consumer.got) == 3000

    play(scene, manager_config=WebSocketManagerConfig(max_pending_messages=10))


@pytest.mark.checklist("1.1.7", "1.1.12")
def test_metrics_count_once_and_include_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """L7."""
    # Each look at the clock is a millisecond later: both frames are read before the first is done with.
    clock = count(1_000_000, 1_000_000).__next__
    monkeypatch.setattr("infrastructure.networking.websocket.base_interface.perf_counter_ns", clock)

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.feed(b"1", b"2")
        await settle()
        delivered = handler.interface_metrics()["delivered"]
        assert delivered["count"] == 2
        assert delivered["mean_us"] > 1000
        server.socket.end()
        await settle()
        assert handler.interface_metrics()["reconnections"] == 1

    play(scene)


def test_a_consumer_can_ask_when_the_frame_of_its_message_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.networking.websocket.base_interface.perf_counter_ns", count(7).__next__)
    told: list[int | None] = []

    async def main() -> None:
        server = FakeServer()

        class Asks(Consumer):
            async def on_message(self, message: Any) -> None:
                told.append(handler.recv_ns)

        handler = make(server, Asks())
        assert handler.recv_ns is None
        await handler.initialize()
        await settle()
        server.socket.feed(b"1", b"2")
        await settle()
        await handler.close()

    run_virtual(main())
    assert told == [7, 8]


def test_close_delivers_the_backlog() -> None:
    """L16, with frames still on the socket."""

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        consumer.gate = asyncio.Event()
        server.socket.feed(*[b"%d" % n for n in range(300)])
        await settle()
        closing = asyncio.create_task(handler.close())
        await settle()
        consumer.gate.set()
        await closing
        assert len(consumer.got) == 300
        assert handler.connection_state is State.CLOSED

    play(scene, manager_config=WebSocketManagerConfig(max_pending_messages=100))


def test_close_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server, consumer = FakeServer(), Consumer()
        handler = make(server, consumer)
        await handler.initialize()
        await settle()
        consumer.gate = asyncio.Event()
        server.socket.hangs_on_close = True
        server.socket.feed(b"1", b"2")
        await settle()
        before = asyncio.get_running_loop().time()
        await handler.close()
        assert asyncio.get_running_loop().time() - before <= 3 * CONFIG.close_timeout + 0.1
        assert handler.connection_state is State.CLOSED
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
    assert [text for text in caplog.messages if text.startswith("Close failed")]


def test_close_from_the_consumer_itself() -> None:
    async def main() -> None:
        server, got = FakeServer(), []

        async def on_message(message: Any) -> None:
            got.append(message)
            if message == b"1":
                await handler.close()

        handler = MockHandler(CONFIG, message_handler=on_message, transport=server.open)
        await handler.initialize()
        await settle()
        server.socket.feed(b"1", b"2", b"3")
        await settle(50)
        assert got == [b"1", b"2", b"3"]
        assert handler.connection_state is State.CLOSED
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


@pytest.mark.parametrize("at", [State.CONNECTED, State.DISCONNECTED, State.ERROR, State.RECONNECTING])
def test_close_from_the_connection_handler(at: State) -> None:
    async def main() -> None:
        server, states = FakeServer(), []

        async def on_state(state: State) -> None:
            states.append(state)
            if state is at:
                await handler.close()

        handler = MockHandler(CONFIG, connection_handler=on_state, transport=server.open)
        if at is State.ERROR:
            server.failures.append(ConnectFailed("timeout", "slow"))
        await handler.initialize()
        await settle()
        if at in (State.DISCONNECTED, State.RECONNECTING):
            server.socket.end()
        await settle(50)
        assert states[-2:] == [State.CLOSING, State.CLOSED]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


class SlowToDrop(MockHandler):
    """Has something to end with a connection, as one that renews its connections; a close lets it come to its end."""

    async def _drop(self) -> None:
        self.may_drop = asyncio.Event()
        await self.may_drop.wait()
        await super()._drop()

    async def _wind_up(self) -> None:
        self.may_drop.set()
        await settle()
        await super()._wind_up()


@pytest.mark.parametrize("how", ["ended", "failed"])
def test_no_state_follows_a_close_that_meets_an_ending_connection(how: str) -> None:
    async def main() -> None:
        server, consumer = FakeServer(), Consumer()
        if how == "failed":
            server.failures.append(ConnectFailed("timeout", "slow"))
        handler = SlowToDrop(CONFIG, connection_handler=consumer.on_state, transport=server.open)
        await handler.initialize()
        await settle()
        if how == "ended":
            server.socket.end()
        await settle()
        await handler.close()
        assert consumer.states[-2:] == [State.CLOSING, State.CLOSED]

    run_virtual(main())


def test_close_twice_and_before_a_start() -> None:
    async def main() -> None:
        handler = make(FakeServer(), Consumer())
        await handler.close()
        await handler.close()
        assert handler.connection_state is State.CLOSED

    run_virtual(main())


def test_close_while_waiting_and_while_connecting() -> None:
    async def main() -> None:
        server = FakeServer()
        server.fails_always = ConnectFailed("timeout", "slow")
        waiting = make(server)
        await waiting.initialize()
        await settle()
        await waiting.close()

        async def never(settings: Any) -> Transport:
            await asyncio.Event().wait()
            raise AssertionError

        connecting = MockHandler(CONFIG, transport=never)
        await connecting.initialize()
        await settle()
        await connecting.close()
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


@pytest.mark.checklist("1.1.8")
def test_one_bad_frame_ends_with_itself(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        handler.poison.add(b"bad")
        server.socket.feed(b"1", b"bad", b"2")
        await settle()
        assert consumer.got == [b"1", b"2"]
        assert handler.error_count == 1
        assert handler.errors == [("internal", "poison b'bad'")]

    play(scene)
    assert caplog.messages.count("Message processing failed: poison b'bad'") == 1


def test_a_consumer_that_raises_is_counted_and_served_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        consumer.fails = True
        server.socket.feed(b"1", b"2")
        server.socket.end()
        await settle()
        assert consumer.got == [b"1", b"2"]
        assert handler.errors.count(("callback", "broken consumer")) == 2 + 3
        assert handler.is_connected()

    play(scene)
    assert "Connection handler failed: broken consumer" in caplog.messages


def test_no_log_line_per_message(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        before = len(caplog.records)
        server.socket.feed(*[b"x"] * 200)
        await settle(50)
        assert len(consumer.got) == 200
        assert len(caplog.records) == before

    with caplog.at_level(logging.DEBUG):
        play(scene)


def test_an_error_of_the_library_ends_the_connection_only() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        async def recv() -> bytes:
            raise BufferError("library")

        server.socket.end()

        def break_next(socket: FakeSocket) -> None:
            if len(server.sockets) == 2:
                socket.recv = recv  # type: ignore[method-assign]

        server._on_open = break_next
        await settle(50)
        assert len(server.sockets) == 3
        assert ("internal", "library") in handler.errors

    play(scene)


def test_a_transport_that_stops_reading_is_replaced() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        async def pump(deliver: Any) -> None:
            return

        def break_second(socket: FakeSocket) -> None:
            if len(server.sockets) == 2:
                socket.pump = pump  # type: ignore[method-assign]

        server._on_open = break_second
        server.socket.end()
        await settle(50)
        assert len(server.sockets) == 3
        assert handler.is_connected()

    play(scene)


def test_send_message() -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        await handler.send_message({"channel": "x"})
        assert server.socket.sent == ['{"channel":"x"}']
        server.socket.fails_to_send = True
        for message in ({"channel": "x"}, {"any": object()}):
            with pytest.raises(ExchangeRestError) as caught:
                await handler.send_message(message)
            assert caught.value.code == 400
        await handler.close()
        with pytest.raises(ExchangeRestError) as caught:
            await handler.send_message({})
        assert caught.value.code == 503

    play(scene)


@pytest.mark.checklist("1.1.5")
def test_a_half_open_link_is_noticed_and_replaced() -> None:
    """L12."""

    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.answers_pings = False
        await asyncio.sleep(41)
        assert len(server.sockets) == 2
        assert handler.is_connected()
        assert isinstance(handler._failure, HalfOpenError) or handler.errors[0][0] == "connect"
        await asyncio.sleep(200)
        assert len(server.sockets) == 2
        assert server.socket.pings >= 6

    play(scene, config=WebSocketConfig("ws://exchange", heartbeat_interval=30.0, ping_timeout=10.0))


@pytest.mark.checklist("1.1.16")
def test_state_transitions_are_cheap(stopwatch: Any) -> None:
    watch = stopwatch()

    async def main() -> None:
        handler = make(FakeServer(), Consumer())
        for _ in range(50):
            with watch.round():
                await handler._set_state(State.CONNECTED)
                await handler._set_state(State.DISCONNECTED)

    run_virtual(main())
    assert watch.best_ns < 2 * 100_000


def test_the_address_is_logged_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: FakeServer, consumer: Consumer, handler: MockHandler) -> None:
        server.socket.end(1001)
        await settle()

    with caplog.at_level(logging.DEBUG):
        play(scene)
    assert "WebSocket connected: ws://exchange/ws" in caplog.messages
    assert "WebSocket disconnected: code 1001" in caplog.messages
    assert not any("secret" in text for text in caplog.messages)
