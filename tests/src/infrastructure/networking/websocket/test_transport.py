"""The seam to the WebSocket library, against a real loopback server: what comes through it, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from websockets.asyncio.server import ServerConnection

from exchanges.structs.errors import TransportError
from infrastructure.networking.websocket.transport import ConnectionEnded, Opener, Transport, TransportSettings

from .conftest import exchange, idle, raw_server


async def echo(connection: ServerConnection) -> None:
    async for text in connection:
        await connection.send(text)


def reader(connection: Transport) -> tuple[asyncio.Queue[bytes], asyncio.Task[None]]:
    """What the connection hands on, and the task that ends with it."""
    got: asyncio.Queue[bytes] = asyncio.Queue()
    return got, asyncio.create_task(connection.pump(got.put_nowait))


async def test_sends_receives_bytes_and_closes(opener: Opener) -> None:
    async with exchange(echo) as (url, _):
        connection = await opener(TransportSettings(url))
        assert connection.is_open
        got, reading = reader(connection)
        await connection.send('{"a":1}')
        assert await got.get() == b'{"a":1}'
        await asyncio.wait_for(await connection.ping(), 5)
        await connection.close()
        assert not connection.is_open
        for call in (reading, connection.send("x"), connection.ping()):
            with pytest.raises(ConnectionEnded) as caught:
                await call
            assert caught.value.code == 1000


async def test_a_library_logs_neither_addresses_nor_frames(opener: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """They hold listen keys and signatures. The test's own server logs what it hears, under a name of its own."""
    with caplog.at_level(logging.DEBUG):
        async with exchange(echo) as (url, _):
            connection = await opener(TransportSettings(f"{url}?listenKey=very-secret"))
            got, reading = reader(connection)
            await connection.send(json.dumps({"SIGN": "very-secret"}))
            assert b"very-secret" in await got.get()
            await connection.close()
            with pytest.raises(ConnectionEnded):
                await reading
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert [record.getMessage() for record in ours if "very-secret" in record.getMessage()] == []


@pytest.mark.parametrize("code", [1001, 1012, 4000])
async def test_frames_in_front_of_a_close_come_first(opener: Opener, code: int) -> None:
    """L1 at the seam."""

    async def push_and_close(connection: ServerConnection) -> None:
        for number in range(100):
            await connection.send(str(number))
        await connection.close(code, "maintenance")

    async with exchange(push_and_close) as (url, _):
        connection = await opener(TransportSettings(url))
        got: list[bytes] = []
        with pytest.raises(ConnectionEnded) as caught:
            await connection.pump(got.append)
        assert got == [b"%d" % number for number in range(100)]
        assert caught.value.code == code
        assert "maintenance" in str(caught.value)


async def test_a_reset_is_an_abnormal_closure(opener: Opener) -> None:
    async def reset(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with exchange(reset) as (url, _):
        connection = await opener(TransportSettings(url))
        with pytest.raises(ConnectionEnded) as caught:
            await connection.pump(lambda _: None)
        assert caught.value.code == 1006


async def test_abort_wakes_the_reader(opener: Opener) -> None:
    async with exchange(idle) as (url, _):
        connection = await opener(TransportSettings(url))
        _, reading = reader(connection)
        await asyncio.sleep(0)
        connection.abort()
        with pytest.raises(ConnectionEnded):
            await asyncio.wait_for(reading, 5)


async def test_fragments_are_put_together_up_to_the_limit(opener: Opener) -> None:
    async def push(connection: ServerConnection) -> None:
        await connection.send([b"ab", b"cd", b"ef"])
        await connection.send([b"x" * 600, b"y" * 600])

    got: list[bytes] = []
    async with exchange(push) as (url, _):
        connection = await opener(TransportSettings(url, max_message_size=1000))
        with pytest.raises(ConnectionEnded):
            await asyncio.wait_for(connection.pump(got.append), 10)
    assert got == [b"abcdef"]


async def test_a_frame_above_the_limit_ends_the_connection(opener: Opener) -> None:
    async def push(connection: ServerConnection) -> None:
        await connection.send(b"a" * 1000)
        await connection.send(b"a" * 1001)
        await connection.wait_closed()

    got: list[bytes] = []
    async with exchange(push) as (url, _):
        connection = await opener(TransportSettings(url, max_message_size=1000))
        with pytest.raises(ConnectionEnded):
            await asyncio.wait_for(connection.pump(got.append), 10)
    assert [len(message) for message in got] == [1000]


async def test_a_server_that_says_goodbye_but_does_not_hang_up(opener: Opener) -> None:
    got: list[bytes] = []
    async with raw_server(b"\x82\x01a" + b"\x88\x02\x03\xe9") as url:  # a message, then close 1001
        connection = await opener(TransportSettings(url, close_timeout=0.2))
        with pytest.raises(ConnectionEnded) as caught:
            await asyncio.wait_for(connection.pump(got.append), 5)
    assert (got, caught.value.code) == ([b"a"], 1001)


@pytest.mark.parametrize(
    "wrong", [b"\xc2\x01x", b"\x80\x01x", b"\x02\x01x\x82\x01y"], ids=["reserved bit", "stray piece", "not a piece"]
)
async def test_frames_that_break_the_protocol_end_the_connection(opener: Opener, wrong: bytes) -> None:
    got: list[bytes] = []
    async with raw_server(b"\x82\x01a" + wrong + b"\x82\x01z") as url:
        connection = await opener(TransportSettings(url, close_timeout=0.2))
        with pytest.raises(ConnectionEnded):
            await asyncio.wait_for(connection.pump(got.append), 5)
    assert got == [b"a"]


async def test_a_pump_behind_the_end_says_so(opener: Opener) -> None:
    async with raw_server(b"\x88\x02\x03\xe8") as url:
        connection = await opener(TransportSettings(url, close_timeout=0.2))
        for _ in range(2):
            with pytest.raises(TransportError):
                await asyncio.wait_for(connection.pump(lambda _: None), 5)
