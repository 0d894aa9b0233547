"""A transport waits where its consumer tells it to, and the socket with it; nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from websockets.asyncio.server import ServerConnection

from exchanges.structs import WebSocketConfig, WebSocketManagerConfig
from infrastructure.networking.websocket.testing import MockHandler, settle
from infrastructure.networking.websocket.transport import ConnectionEnded, Opener, TransportSettings

from .conftest import exchange


async def test_the_pump_hands_on_everything_and_waits_where_it_is_told(opener: Opener) -> None:
    async def push_and_close(connection: ServerConnection) -> None:
        for number in range(10):
            await connection.send(str(number))
        await connection.close(1001)

    got: list[bytes] = []
    waits = 0

    async def wait() -> None:
        nonlocal waits
        await asyncio.sleep(0)
        waits += 1

    def deliver(frame: bytes) -> Awaitable[None] | None:
        got.append(frame)
        return wait() if frame == b"5" else None

    async with exchange(push_and_close) as (url, _):
        connection = await opener(TransportSettings(url))
        with pytest.raises(ConnectionEnded) as caught:
            await connection.pump(deliver)
    assert got == [b"%d" % number for number in range(10)]
    assert waits == 1
    assert caught.value.code == 1001


async def test_a_slow_consumer_makes_the_socket_wait_and_loses_nothing(opener: Opener) -> None:
    """The server's own writes block: what it sends is far above what buffers hold."""
    message, count = b"m" * 250_000, 400
    stuck = asyncio.Event()

    async def push(connection: ServerConnection) -> None:
        for _ in range(count):
            writing = asyncio.create_task(connection.send(message))
            done, _ = await asyncio.wait({writing}, timeout=0.5)
            if not done:
                stuck.set()
            await writing
        await connection.close()

    got, room = 0, asyncio.Event()

    def deliver(_: bytes) -> Awaitable[None] | None:
        nonlocal got
        got += 1
        return wait_for_room() if got == 1 else None

    async def wait_for_room() -> None:
        await room.wait()

    async with exchange(push) as (url, _):
        connection = await opener(TransportSettings(url))
        reading = asyncio.create_task(connection.pump(deliver))
        await asyncio.wait_for(stuck.wait(), 30)
        assert got == 1
        room.set()
        with pytest.raises(ConnectionEnded) as caught:
            await reading
    assert (got, caught.value.code) == (count, 1000)


async def test_a_close_during_a_pause_gets_its_answer(opener: Opener) -> None:
    room = asyncio.Event()

    async def until_there_is_room() -> None:
        await room.wait()

    async def push(connection: ServerConnection) -> None:
        await connection.send(b"a")
        await connection.send(b"b")
        await connection.wait_closed()

    got: list[bytes] = []
    paused = asyncio.Event()

    def deliver(message: bytes) -> Awaitable[None] | None:
        got.append(message)
        paused.set()
        return until_there_is_room() if message == b"a" else None

    async with exchange(push) as (url, _):
        connection = await opener(TransportSettings(url, close_timeout=20))
        reading = asyncio.create_task(connection.pump(deliver))
        await paused.wait()
        await asyncio.wait_for(connection.close(), 5)
        room.set()
        with pytest.raises(ConnectionEnded) as caught:
            await asyncio.wait_for(reading, 5)
    assert (got, caught.value.code) == ([b"a", b"b"], 1000)


async def test_a_slow_coroutine_consumer_stops_the_sender_and_nothing_is_lost(opener: Opener) -> None:
    """Above high water the reader rests, the window of the connection fills, and the sender has to wait."""
    frames, high = 1200, 20
    senders: list[ServerConnection] = []
    sent = 0

    async def push(connection: ServerConnection) -> None:
        nonlocal sent
        senders.append(connection)
        for number in range(frames):
            await connection.send(b"%d " % number + bytes(20_000))
            sent += 1
        await connection.wait_closed()

    room, whole = asyncio.Event(), asyncio.Event()
    got: list[int] = []

    async def consume(message: bytes) -> None:
        await room.wait()
        got.append(int(message.partition(b" ")[0]))
        if len(got) == frames:
            whole.set()

    async with exchange(push) as (url, _), asyncio.timeout(20):
        limit = WebSocketManagerConfig(max_pending_messages=high)
        handler = MockHandler(WebSocketConfig(url), message_handler=consume, transport=opener, manager_config=limit)
        await handler.initialize()
        while not (senders and senders[0].paused and handler.interface_metrics()["pending"] >= high):
            await settle(1)
        stopped_at = -1
        while sent != stopped_at:  # the kernel's buffers take some more
            stopped_at = sent
            await settle(500)
        assert len(handler.frames) <= high + 1
        assert sent < frames
        room.set()
        await whole.wait()
        assert got == list(range(frames))
        assert handler.errors == []
        await handler.close()
