"""A client connection that reads whole data frames by itself and leaves all else to the `websockets` library.

Handshake, pings, pongs, closes, fragments and compressed frames go through the library. An uncompressed data frame in
one piece, which is nearly every frame of a market feed, goes from the socket's buffer to the consumer within one call
stack: no generator, frame object, queue or coroutine in between.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from infrastructure.networking.websocket.delivery import UNLIMITED, Delivery

__all__ = ["FramedConnection"]

# RFC 6455, 5.2: FIN set, no reserved bit, and the opcode; a length byte of 126 or 127 says that 2 or 8 bytes follow.
WHOLE_TEXT, WHOLE_BINARY = 0x81, 0x82
LENGTH_16, LENGTH_64 = 126, 127
HEADERS_END = b"\r\n\r\n"
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class FramedConnection(ClientConnection, asyncio.BufferedProtocol):
    """The library's connection with `pump` in the place of `recv`.

    asyncio otherwise allocates 256 KiB for every read and gives most of it back: page faults that cost as much as
    handling a small frame. So it reads into one buffer, which is free again when `buffer_updated` returns.
    """

    RECEIVE_BYTES = 256 * 1024

    def __init__(self, *args: Any, max_message_size: int | None = None, max_waiting: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._largest = UNLIMITED - 1 if max_message_size is None else max_message_size
        self._delivery = Delivery(max_waiting)
        self._hand_on = self._delivery.hand_on
        self.pump = self._delivery.pump
        self.drain_messages = self._delivery.drain
        # How bytes are read: the handshake's by the library, then frame by frame here, after the end by the library.
        self._headers_tail: bytes | None = b""
        self._is_framing = False
        self._unread = bytearray()
        self._needed = 0
        self._pieces: bytearray | None = None
        self._last_call: asyncio.TimerHandle | None = None

    # The socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The buffer lives as long as the connection."""
        self._receive_view = memoryview(bytearray(self.RECEIVE_BYTES))
        super().connection_made(transport)
        self._delivery.attach(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the delivery: what waits is still handed on."""
        super().connection_lost(exc)
        self._receive_view = memoryview(b"")
        if self._last_call is not None:
            self._last_call.cancel()
        self._delivery.end(self.close_exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport writes what it reads."""
        return self._receive_view

    def buffer_updated(self, nbytes: int) -> None:
        """That many bytes came."""
        chunk = bytes(self._receive_view[:nbytes])
        if self._is_framing:
            self._frame(chunk)
        elif self._headers_tail is None:
            self.data_received(chunk)
        else:
            self._shake_hands(chunk, self._headers_tail)

    def _shake_hands(self, chunk: bytes, tail: bytes) -> None:
        """Give the library the answer's headers and nothing behind them, however the bytes were split."""
        seen = tail + chunk
        found = seen.find(HEADERS_END)
        if found < 0:
            self._headers_tail = seen[-len(HEADERS_END) + 1 :]
            self.data_received(chunk)
            return
        self._headers_tail = None
        cut = found + len(HEADERS_END) - len(tail)
        self.data_received(chunk[:cut])
        self._is_framing = self.protocol.state is State.OPEN
        if self._is_framing:
            self._frame(chunk[cut:])
        elif chunk[cut:]:
            self.data_received(chunk[cut:])

    def _frame(self, chunk: bytes) -> None:
        if self._unread:
            self._unread += chunk
            if len(self._unread) < self._needed:
                return
            chunk = bytes(self._unread)
            self._unread.clear()
        read = self._read_frames(chunk)
        if read == len(chunk):
            return
        if self._is_framing:
            self._unread += chunk[read:]
        else:
            self.data_received(chunk[read:])

    def _read_frames(self, chunk: bytes) -> int:
        """Read whole frames; gives how many bytes they took. `_needed` says how many the next one has."""
        at, size = 0, len(chunk)
        largest, hand_on = self._largest, self._hand_on
        self._needed = 0
        while (start := at + 2) <= size:
            length = chunk[at + 1]
            if length >= LENGTH_16:
                if length == LENGTH_16:
                    start += 2
                    if start > size:
                        break
                    length = chunk[at + 2] << 8 | chunk[at + 3]
                else:
                    start += 8
                    if length == LENGTH_64 and start > size:
                        break
                    # A masked length is a mistake of the server's; like a message too large it is the library's matter.
                    length = int.from_bytes(chunk[at + 2 : start], "big") if length == LENGTH_64 else UNLIMITED
            if length > largest:
                self._is_framing = False
                return at
            stop = start + length
            if stop > size:
                self._needed = stop - at
                break
            opening = chunk[at]
            if opening in (WHOLE_BINARY, WHOLE_TEXT) and self._pieces is None:
                hand_on(chunk[start:stop])
            elif not self._leave_to_library(chunk[at:stop]):
                return stop
            at = stop
        return at

    def _leave_to_library(self, frame: bytes) -> bool:
        """One frame of another kind; False when the library reads no frames behind it: a close or an error."""
        self.data_received(frame)
        protocol = self.protocol
        self._is_framing = protocol.parser_exc is None and protocol.close_rcvd is None
        if not self._is_framing and self._last_call is None:
            # A server that said goodbye has to hang up, too; the library would wait for that without end.
            self._last_call = self.loop.call_later(self.close_timeout or 0.0, self.transport.abort)
        return self._is_framing

    def process_event(self, event: Event) -> None:
        """A frame that the library read: put fragments together, the rest is its own matter."""
        if not isinstance(event, Frame) or event.opcode not in DATA:
            super().process_event(event)
            return
        pieces = self._pieces = self._pieces if self._pieces is not None else bytearray()
        pieces += event.data
        if event.fin:
            self._pieces = None
            self._hand_on(bytes(pieces))
