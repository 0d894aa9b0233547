"""A handler's making, its first connection, what it sends and what it logs, on a virtual clock over fake sockets."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from exchanges.structs import ExchangeRestError
from infrastructure.networking.websocket.base_interface import BaseWebSocketInterface
from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual, settle

from .scenes import CONFIG, Consumer, State, make, play


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
