"""The seam to the WebSocket library, against a real loopback server."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from exchanges.structs import ConfigurationError, WebSocketConfig, WebSocketManagerConfig
from exchanges.structs.errors import TransportError
from infrastructure.networking.websocket import transport as seam
from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual, settle
from infrastructure.networking.websocket.transport import (
    ConnectFailed,
    ConnectionEnded,
    Opener,
    Transport,
    TransportSettings,
    open_websockets,
    resolve_transport,
)
from infrastructure.networking.websocket.transport_picows import open_picows

Behaviour = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def exchange(behaviour: Behaviour, refuse_with: int | None = None) -> AsyncIterator[tuple[str, list[Request]]]:
    """A server's address and the handshakes it saw."""
    handshakes: list[Request] = []

    def note(connection: ServerConnection, request: Request) -> Response | None:
        handshakes.append(request)
        return connection.respond(refuse_with, "no\n") if refuse_with is not None else None

    async with serve(behaviour, "127.0.0.1", 0, process_request=note, close_timeout=0.2) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws", handshakes


@pytest.fixture(params=["websockets", "picows"])
def opener(request: pytest.FixtureRequest) -> Opener:
    """Each transport by its name."""
    return resolve_transport(request.param)


async def idle(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


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


@pytest.mark.parametrize(
    ("status", "cause"), [(401, "authentication_failure"), (403, "authentication_failure"), (500, "unknown")]
)
async def test_refused_handshakes(opener: Opener, status: int, cause: str) -> None:
    async with exchange(idle, status) as (url, _):
        with pytest.raises(ConnectFailed) as caught:
            await opener(TransportSettings(url))
        assert caught.value.cause == cause


async def test_nobody_listens(opener: Opener) -> None:
    async with exchange(idle) as (url, _):
        pass
    with pytest.raises(ConnectFailed) as caught:
        await opener(TransportSettings(url))
    assert caught.value.cause == "connection_refused"


async def test_a_server_that_does_not_answer_times_out(opener: Opener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(ConnectFailed) as caught:
            await opener(TransportSettings(f"ws://127.0.0.1:{silent.getsockname()[1]}/", connect_timeout=0.05))
    assert caught.value.cause == "timeout"


async def test_an_address_that_is_none(opener: Opener) -> None:
    with pytest.raises(ConnectFailed):
        await opener(TransportSettings("http://127.0.0.1/"))


@pytest.mark.checklist("1.2.4", "1.2.5", "1.2.9")
async def test_only_what_is_asked_for_is_in_the_handshake() -> None:
    async with exchange(idle) as (url, handshakes):
        plain = await open_websockets(TransportSettings(url))
        rich = await open_websockets(TransportSettings(url, headers={"X-A": "b"}, user_agent="ua", compression=True))
        await plain.close()
        await rich.close()
    names = {name.lower() for name in handshakes[0].headers}
    assert "user-agent" not in names
    assert "sec-websocket-extensions" not in names
    assert "permessage-deflate" in handshakes[1].headers["Sec-WebSocket-Extensions"]
    assert handshakes[1].headers["X-A"] == "b"
    assert handshakes[1].headers["User-Agent"] == "ua"


async def test_picows_offers_no_compression_but_sends_the_headers_asked_for() -> None:
    async with exchange(idle) as (url, handshakes):
        rich = await open_picows(TransportSettings(url, headers={"X-A": "b"}, user_agent="ua", compression=True))
        await rich.close()
    names = {name.lower() for name in handshakes[0].headers}
    assert "sec-websocket-extensions" not in names
    assert (handshakes[0].headers["X-A"], handshakes[0].headers["User-Agent"]) == ("b", "ua")


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


@asynccontextmanager
async def raw_server(behind_handshake: bytes, answer: bool = True) -> AsyncIterator[str]:
    """A server that shakes hands, writes these bytes, and then leaves the socket open; or hangs up on the request."""

    async def serve_raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if answer:
            key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
            accept = accept_key(key.partition(b":")[2].strip().decode())
            head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode() + behind_handshake)
            await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    async with await asyncio.start_server(serve_raw, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await ended.wait()


async def test_a_server_that_says_goodbye_but_does_not_hang_up(opener: Opener) -> None:
    got: list[bytes] = []
    async with raw_server(b"\x82\x01a" + b"\x88\x02\x03\xe9") as url:  # a message, then close 1001
        connection = await opener(TransportSettings(url, close_timeout=0.2))
        with pytest.raises(ConnectionEnded) as caught:
            await asyncio.wait_for(connection.pump(got.append), 5)
    assert (got, caught.value.code) == ([b"a"], 1001)


async def test_a_server_that_hangs_up_on_the_request(opener: Opener) -> None:
    async with raw_server(b"", answer=False) as url:
        with pytest.raises(ConnectFailed):
            await opener(TransportSettings(url, connect_timeout=2))


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


def test_names() -> None:
    assert resolve_transport(None) is open_websockets
    assert resolve_transport("websockets") is open_websockets
    server = FakeServer()
    assert resolve_transport(server.open) == server.open
    with pytest.raises(ConfigurationError, match="known: picows, websockets"):
        resolve_transport("carrier-pigeon")


def test_a_faster_one_slots_in_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(seam.TRANSPORTS, "fast", "infrastructure.networking.websocket.transport:open_websockets")
    monkeypatch.setitem(seam.TRANSPORTS, "missing", "no_such_library.transport:open")
    assert resolve_transport("fast") is open_websockets
    with pytest.raises(ConfigurationError, match="not installed"):
        resolve_transport("missing")


@pytest.mark.checklist("5.1.11", "5.1.12")
def test_a_mock_handler_runs_without_a_network() -> None:
    from infrastructure.networking.websocket.structs import WebSocketConfig

    async def main() -> list[bytes]:
        server = FakeServer(lambda socket: socket.feed("hello"))
        handler = MockHandler(WebSocketConfig("ws://x"), transport=server.open)
        await handler.initialize()
        await asyncio.sleep(3600)
        await handler.close()
        return handler.frames

    assert run_virtual(main()) == [b"hello"]


def test_a_virtual_clock_says_when_nothing_can_happen() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing can happen"):
        run_virtual(main())
