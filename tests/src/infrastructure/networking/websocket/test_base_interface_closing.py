"""A close ends everything once, whoever asks for it and whatever goes on meanwhile, over fake sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exchanges.structs import WebSocketManagerConfig
from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual, settle
from infrastructure.networking.websocket.transport import ConnectFailed, Transport

from .scenes import CONFIG, Consumer, State, make, play


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
