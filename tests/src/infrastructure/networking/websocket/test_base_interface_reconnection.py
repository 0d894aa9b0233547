"""What ends a connection or an attempt, and what comes after it, on a virtual clock over fake sockets."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from exchanges.structs import AuthenticationError, HalfOpenError, WebSocketConfig
from infrastructure.networking.websocket.testing import FakeServer, FakeSocket, MockHandler, run_virtual, settle
from infrastructure.networking.websocket.transport import ConnectFailed

from .scenes import Consumer, State, make, play


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
