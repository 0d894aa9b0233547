"""Bytes to messages: whatever the frames and however their bytes are split, as the library itself would read them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterable
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from infrastructure.networking.websocket.framed_connection import FramedConnection
from infrastructure.networking.websocket.testing import run_virtual, settle
from infrastructure.networking.websocket.transport import ConnectionEnded, _WebsocketsTransport


class Wire(asyncio.Transport):
    """The socket: keeps what is written, knows whether it is read, feeds bytes as the event loop does."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_read = True
        self.is_closed = False
        self.connection: FramedConnection | None = None

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return self.is_closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        self.lose()

    def lose(self) -> None:
        """The socket is gone."""
        if not self.is_closed:
            self.is_closed = True
            connection, self.connection = self.connection, None  # as the event loop's transport does
            assert connection is not None
            connection.connection_lost(None)

    def feed(self, data: bytes) -> None:
        """Bytes come, in reads no larger than the buffer."""
        assert self.connection is not None
        while data:
            view = self.connection.get_buffer(-1)
            read = min(len(view), len(data))
            view[:read] = data[:read]
            data = data[read:]
            self.connection.buffer_updated(read)


class Link:
    """A client connection and the server's protocol at its other end, with no network between."""

    def __init__(self, *, largest: int | None = 1 << 20, max_waiting: int | None = 1000, deflate: bool = False) -> None:
        extensions = [ClientPerMessageDeflateFactory()] if deflate else None
        protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), extensions=extensions, max_size=largest)
        self.server = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()] if deflate else None)
        self.client = FramedConnection(
            protocol, ping_interval=None, close_timeout=1, max_message_size=largest, max_waiting=max_waiting
        )
        self.wire = Wire()
        self.wire.connection = self.client
        self.client.connection_made(self.wire)

    def answer(self) -> bytes:
        """The server's answer to the handshake."""
        protocol = cast(ClientProtocol, self.client.protocol)
        protocol.send_request(protocol.connect())
        self.server.receive_data(b"".join(protocol.data_to_send()))
        (request,) = self.server.events_received()
        self.server.send_response(self.server.accept(request))  # type: ignore[arg-type]
        return self.said()

    def open(self) -> None:
        """Shake hands."""
        self.wire.feed(self.answer())

    def said(self) -> bytes:
        """What the server has to send."""
        return b"".join(self.server.data_to_send())

    def heard(self) -> list[Frame]:
        """Frames that the client wrote since the last look, as the server reads them."""
        data, self.wire.written = bytes(self.wire.written), bytearray()
        self.server.receive_data(data)
        return [event for event in self.server.events_received() if isinstance(event, Frame)]


def frame(payload: bytes, opcode: Opcode = Opcode.BINARY, fin: bool = True) -> bytes:
    """A server's frame."""
    return Frame(opcode, payload, fin).serialize(mask=False)


def pieces(payload: bytes, cuts: Iterable[int]) -> list[bytes]:
    """`payload` cut at those places."""
    places = [0, *sorted({min(cut, len(payload)) for cut in cuts}), len(payload)]
    return [payload[first:last] for first, last in pairwise(places)]


def pump(link: Link, deliver: Callable[[bytes], Awaitable[None] | None]) -> asyncio.Task[None]:
    return asyncio.create_task(link.client.pump(deliver))


SIZES = st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536])
MESSAGES = st.tuples(
    st.sampled_from(["text", "binary", "fragments", "ping"]),
    SIZES,
    st.integers(0, 255),
    st.lists(st.integers(0, 400), max_size=3),
)


@pytest.mark.no_cover
@settings(max_examples=150, deadline=None)
@given(
    messages=st.lists(MESSAGES, max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
    pauses=st.sets(st.integers(0, 12), max_size=4),
    with_answer=st.booleans(),
)
def test_every_message_in_order_however_the_bytes_are_split(
    messages: list[tuple[str, int, int, list[int]]], cuts: list[int], pauses: set[int], with_answer: bool
) -> None:
    wire = bytearray()
    expected: list[bytes] = []
    pings: list[bytes] = []
    for kind, size, fill, inner in messages:
        payload = bytes([fill]) * (min(size, 125) if kind == "ping" else size)
        if kind == "ping":
            wire += frame(payload, Opcode.PING)
            pings.append(payload)
            continue
        expected.append(payload)
        if kind == "fragments":
            parts = pieces(payload, inner)
            for number, part in enumerate(parts):
                opcode = Opcode.CONT if number else Opcode.BINARY
                wire += frame(part, opcode, number == len(parts) - 1)
        else:
            wire += frame(payload, Opcode.TEXT if kind == "text" else Opcode.BINARY)

    async def main() -> tuple[list[bytes], list[bytes]]:
        link, got = Link(), []

        def deliver(message: bytes) -> Awaitable[None] | None:
            got.append(message)
            return asyncio.sleep(0.001) if len(got) in pauses else None

        answer = link.answer()
        stream = answer + bytes(wire)
        if not with_answer:
            link.wire.feed(answer)
            stream = bytes(wire)
        reading = pump(link, deliver)
        for part in pieces(stream, cuts):
            link.wire.feed(part)
            await settle(2)
        link.wire.lose()
        with pytest.raises(ConnectionClosed):
            await reading
        pongs = [bytes(event.data) for event in link.heard() if event.opcode is Opcode.PONG]
        return got, pongs

    got, pongs = run_virtual(main())
    assert got == expected
    assert pongs == pings


def test_byte_by_byte() -> None:
    async def main() -> list[bytes]:
        link, got = Link(), []
        answer = link.answer()
        reading = pump(link, got.append)
        await settle()
        for byte in answer + frame(b"x" * 200) + frame(b"") + frame(b"yz", Opcode.TEXT):
            link.wire.feed(bytes([byte]))
        assert link.client._is_framing  # the library would read them as well, at several times the cost
        link.wire.lose()
        with pytest.raises(ConnectionClosed):
            await reading
        return got

    assert run_virtual(main()) == [b"x" * 200, b"", b"yz"]


def test_the_header_of_a_large_message_byte_by_byte() -> None:
    async def main() -> list[bytes]:
        link, got = Link(), []
        link.open()
        reading = pump(link, got.append)
        await settle()
        for part in pieces(frame(b"x" * 65536) + frame(b"y"), range(12)):
            link.wire.feed(part)
        assert link.client._is_framing
        link.wire.lose()
        with pytest.raises(ConnectionClosed):
            await reading
        return got

    assert run_virtual(main()) == [b"x" * 65536, b"y"]


def test_messages_are_handed_on_within_the_read_that_brings_them() -> None:
    async def main() -> None:
        link, got = Link(), []
        link.open()
        reading = pump(link, got.append)
        await settle()
        link.wire.feed(frame(b"a") + frame(b"b"))
        assert got == [b"a", b"b"]
        reading.cancel()

    run_virtual(main())


def test_without_a_consumer_messages_wait_and_pings_are_answered() -> None:
    async def main() -> None:
        link, got = Link(max_waiting=3), []
        link.open()
        link.wire.feed(frame(b"0") + frame(b"1") + frame(b"", Opcode.PING))
        assert link.wire.is_read
        assert [event.opcode for event in link.heard()] == [Opcode.PONG]
        link.wire.feed(frame(b"2"))
        assert not link.wire.is_read
        reading = pump(link, got.append)
        await settle()
        assert (got, link.wire.is_read) == ([b"0", b"1", b"2"], True)
        reading.cancel()

    run_virtual(main())


def test_a_connection_that_ended_leaves_nothing_for_the_garbage_collector() -> None:
    """Each holds a large buffer; twenty reconnections must not hold twenty of them."""

    async def main() -> weakref.ref[FramedConnection]:
        link = Link()
        link.open()
        reading = asyncio.create_task(_WebsocketsTransport(link.client).pump(lambda _: None))
        await settle()
        link.wire.feed(frame(b"x"))
        link.wire.lose()
        await asyncio.wait({reading})
        assert isinstance(reading.exception(), ConnectionEnded)
        return weakref.ref(link.client)

    gc.collect()
    gc.disable()
    try:
        assert run_virtual(main())() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("by", [0, 1])
def test_the_size_limit_is_exact(by: int) -> None:
    async def main() -> tuple[list[bytes], int]:
        link, got = Link(largest=1000), []
        link.open()
        reading = pump(link, got.append)
        await settle()
        link.wire.feed(frame(b"a") + frame(b"x" * (1000 + by)) + frame(b"b"))
        link.wire.lose()
        with pytest.raises(ConnectionClosed) as ended:
            await reading
        return got, ended.value.sent.code if ended.value.sent else 0

    got, code = run_virtual(main())
    assert (len(got), code) == ((3, 0) if by == 0 else (1, 1009))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"\xc2\x01x", 1002),  # a reserved bit without an extension
        (b"\x83\x01x", 1002),  # no such opcode
        (b"\x82\x81abcdx", 1002),  # masked by a server
        (b"\x82\xff" + bytes(12) + b"x", 1002),  # masked, in the longest form
        (frame(b"x", Opcode.CONT), 1002),  # a continuation of nothing
        (frame(b"x", fin=False) + frame(b"y"), 1002),  # a new message inside a fragmented one
        (b"\x82\x7f\xff" + bytes(7), 1009),  # 2**63 bytes and more
    ],
)
def test_the_servers_mistakes_end_the_connection_as_the_library_says(wrong: bytes, code: int) -> None:
    async def main() -> tuple[list[bytes], int]:
        link, got = Link(), []
        link.open()
        reading = pump(link, got.append)
        await settle()
        link.wire.feed(frame(b"good") + wrong + frame(b"late"))
        link.wire.lose()
        with pytest.raises(ConnectionClosed) as ended:
            await reading
        return got, ended.value.sent.code if ended.value.sent else 0

    assert run_virtual(main()) == ([b"good"], code)


def test_what_stands_behind_a_close_is_not_a_message() -> None:
    async def main() -> tuple[list[bytes], int]:
        link, got = Link(), []
        link.open()
        reading = pump(link, got.append)
        await settle()
        link.server.send_binary(b"last")
        link.server.send_close(1001, "maintenance")
        link.wire.feed(link.said() + frame(b"late"))
        link.wire.feed(frame(b"later"))
        link.wire.lose()
        with pytest.raises(ConnectionClosed) as ended:
            await reading
        return got, ended.value.rcvd.code if ended.value.rcvd else 0

    assert run_virtual(main()) == ([b"last"], 1001)


def test_compressed_messages_between_plain_ones() -> None:
    async def main() -> list[bytes]:
        link, got = Link(deflate=True), []
        link.open()
        reading = pump(link, got.append)
        await settle()
        for number in range(3):
            link.server.send_text(b"text %d " % number * 50)
            link.wire.feed(link.said() + frame(b"plain %d" % number))
        link.wire.lose()
        with pytest.raises(ConnectionClosed):
            await reading
        return got

    got = run_virtual(main())
    assert got == [m for n in range(3) for m in (b"text %d " % n * 50, b"plain %d" % n)]


def test_a_refused_handshake_is_left_to_the_library() -> None:
    async def main() -> None:
        link = Link()
        link.answer()
        link.wire.feed(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r")
        link.wire.feed(b"\nbusy")
        assert link.client.response is not None
        assert (link.client.response.status_code, link.client.response.body) == (503, b"busy")

    run_virtual(main())
