"""One client's WebSocket connection: answers it, pushes to it, and tells the ledger."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Final, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode
from websockets.protocol import OPEN

from shadow.venue.ledger import Ledger
from shadow.venue.outgoing import Frame
from shadow.venue.wire import PersonaBase, PersonaSession, Push, Reply

__all__ = ["ClientLink", "Owner"]

CLOSE_WAIT_S: Final = 2.0


class Owner(Protocol):
    """What a link tells about its subscriptions; the outlet of its role and connection."""

    def joined(self, link: ClientLink, key: str) -> None:
        """The link may get frames of `key` from now on."""

    def left(self, link: ClientLink, key: str) -> None:
        """No more frames of `key`."""

    def gone(self, link: ClientLink) -> None:
        """The connection is closed."""

    def refusals(self, session: PersonaSession, data: str | bytes) -> tuple[list[Reply], str] | None:
        """The replies of a fault that refuses subscriptions and the cause to note; None: answer as usual."""


class ClientLink:
    """A connection of `role`, the `conn_no`-th of its kind in the run (from 1)."""

    def __init__(
        self,
        socket_side: ServerConnection,
        persona: PersonaBase,
        session: PersonaSession,
        role: str,
        conn_no: int,
        owner: Owner,
        ledger: Ledger,
        *,
        deflate: bool,
    ) -> None:
        self.persona = persona
        self.connection = persona.id
        self.role = role
        self.conn_no = conn_no
        self.keys: set[str] = set()
        self.last_frame_ns = 0
        self.is_mute = False
        self._socket = socket_side
        self._session = session
        self._owner = owner
        self._ledger = ledger
        self._deflate = deflate
        self._close_told = False
        self._lost = asyncio.get_running_loop().create_future()

    @property
    def transport(self) -> asyncio.Transport:
        """The TCP side."""
        return self._socket.transport

    @property
    def is_open(self) -> bool:
        """Whether frames may be written."""
        return not self.is_mute and self._socket.protocol.state is OPEN and not self._socket.transport.is_closing()

    def opened(self) -> None:
        """The handshake is done."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ledger.connection(self.role, self.connection, self.conn_no, "open")

    # Towards the client

    def write(self, frame: Frame, first_written: bool = True, burst: int = -1) -> None:
        """Send one frame now; nothing happens on a connection that is not open."""
        if not self.is_open:
            return
        transport = self._socket.transport
        queued = transport.get_write_buffer_size() > 0
        wire = self._deflated(frame) if self._deflate else frame.wire
        t_sent = perf_counter_ns()
        transport.write(wire)
        self.last_frame_ns = t_sent
        self._ledger.sent(frame, self.role, self.conn_no, t_sent, first_written, queued, burst)

    def write_many(self, frames: Sequence[Frame], first_written: bool, burst: int) -> int:
        """Send frames with one write; return its t_sent (0 when not open)."""
        return self._write_joined(frames, first_written, burst) if self.is_open else 0

    def unsent_bytes(self) -> int:
        """What waits in the socket's buffer; 0 for a connection that nobody will empty."""
        return self._socket.transport.get_write_buffer_size() if self.is_open else 0

    # From the client

    def message(self, payload: bytes, is_text: bool) -> None:
        """Answer a text or binary message."""
        data = payload.decode(errors="replace") if is_text else payload
        raw = data.encode() if isinstance(data, str) else data
        self._ledger.request(self.role, self.connection, self.conn_no, "ws", raw)
        if self.is_mute:
            return
        refusals = self._owner.refusals(self._session, data)
        if refusals is not None:
            self._answer(*refusals)
        else:
            self._answer(self._session.on_message(data, time.time()), "venue")

    def holds(self, session: PersonaSession) -> bool:
        """Whether this is the link of a session."""
        return self._session is session

    def answer(self, replies: Sequence[Reply], cause: str) -> None:
        """Carry out replies later than their question; nothing happens on a connection that is not open."""
        if self.is_open:
            self._answer(replies, cause)

    def control(self, kind: str, payload: bytes) -> None:
        """Note a protocol ping or pong; the library has answered it."""
        self._ledger.request(self.role, self.connection, self.conn_no, kind, payload)

    def tick(self) -> None:
        """Do what time alone makes due: idle and 24-hour closes."""
        if not self.is_open:
            return
        now_s = time.time()
        if self.last_frame_ns:
            self._session.last_push_s = now_s - (perf_counter_ns() - self.last_frame_ns) / 1e9
        self._answer(self._session.due(now_s), "venue")

    # Ends

    def expire(self) -> None:
        """What lets this connection in is over; the session says so at once."""
        expire = getattr(self._session, "expire", None)
        if expire is not None and self.is_open:
            expire()
            self._answer(self._session.due(time.time()), "fault:expire-key")

    async def close(self, code: int, cause: str, reason: str = "") -> None:
        """Close orderly; 1006 drops the TCP connection. Returns when the connection is gone."""
        if code == CloseCode.ABNORMAL_CLOSURE:
            self.drop(cause)
        else:
            self._tell_close(code, cause, reason)
            await self._socket.close(code, reason)
        await self.wait_lost()

    def drop(self, cause: str, *, reset: bool = False) -> None:
        """End the TCP connection without a close frame; `reset` sends RST."""
        self._tell_close(CloseCode.ABNORMAL_CLOSURE, cause, "reset" if reset else "")
        if reset:
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close_behind(self, frames: Sequence[Frame], code: int, cause: str) -> None:
        """Frames and close frame in one write; code 1006: frames, then the connection drops."""
        if code == CloseCode.ABNORMAL_CLOSURE:
            self.write_many(frames, True, -1)
            self._tell_close(code, cause, "")
            self.transport.close()
        elif self.is_open:
            protocol = self._socket.protocol
            protocol.send_close(code, "")
            tail = b"".join(protocol.data_to_send())
            self._write_joined(frames, True, -1, tail)
            self._tell_close(code, cause, "")
            asyncio.get_running_loop().call_later(CLOSE_WAIT_S, self.transport.abort)

    def lost(self, code: int | None, reason: str) -> None:
        """The TCP connection is gone."""
        self._tell_close(code, "client", reason)
        if not self._lost.done():
            self._lost.set_result(None)

    async def wait_lost(self) -> None:
        """Return when the connection is gone."""
        await asyncio.shield(self._lost)

    # Inside

    def _write_joined(self, frames: Sequence[Frame], first_written: bool, burst: int, tail: bytes = b"") -> int:
        transport = self._socket.transport
        queued = transport.get_write_buffer_size() > 0
        # With deflate a frame depends on those before it, so the library has to build each one.
        wire = b"".join([self._deflated(frame) if self._deflate else frame.wire for frame in frames]) + tail
        t_sent = perf_counter_ns()
        transport.write(wire)
        self.last_frame_ns = t_sent
        conn_no = self.conn_no

        def note() -> None:
            for frame in frames:
                self._ledger.sent(frame, self.role, conn_no, t_sent, first_written, queued, burst)

        self._ledger.later(note)
        return t_sent

    def _deflated(self, frame: Frame) -> bytes:
        protocol = self._socket.protocol
        (protocol.send_text if frame.is_text else protocol.send_binary)(frame.payload)
        return b"".join(protocol.data_to_send())

    def _answer(self, replies: Sequence[Reply], cause: str) -> None:
        for reply in replies:
            self._carry_out(reply, cause)

    def _carry_out(self, reply: Reply, cause: str) -> None:
        if reply.payload:
            self.write(Frame.of_reply(self.connection, reply))
        if reply.kind == "close":
            if not cause.startswith("fault:"):
                cause = "planned" if "life" in reply.close_reason else "idle"
            code = reply.close_code or CloseCode.ABNORMAL_CLOSURE
            self._closing = asyncio.get_running_loop().create_task(self.close(code, cause, reply.close_reason))
        elif reply.kind == "refused":
            for key in reply.variants:
                self._session.subscriptions.discard(key)
                self._tell("refused", key, cause)
        elif reply.unsubscribe:
            for key in reply.variants:
                self._leave(key)
        elif reply.kind == "ack":
            for key in reply.variants:
                self._join(key)

    def _join(self, key: str) -> None:
        self.keys.add(key)
        self._tell("subscribed", key, "client")
        for push in self._session.opening(key):
            self._push(push)
        self._owner.joined(self, key)

    def _leave(self, key: str) -> None:
        self.keys.discard(key)
        self._owner.left(self, key)
        self._tell("unsubscribed", key, "client")

    def _push(self, push: Push) -> None:
        self.write(Frame.of_push(self.connection, push))

    def _tell(self, event: str, key: str, cause: str) -> None:
        try:
            channel, symbol = self.persona.variant(key)
        except (KeyError, ValueError):
            channel, symbol = key, ""
        else:
            symbol = self.persona.spell(symbol)
        self._ledger.connection(
            self.role, self.connection, self.conn_no, event, channel=channel, symbol=symbol, cause=cause, detail=key
        )

    def _tell_close(self, code: int | None, cause: str, reason: str) -> None:
        if self._close_told:
            return
        self._close_told = True
        self._session.ended()
        self._owner.gone(self)
        self._ledger.connection(
            self.role, self.connection, self.conn_no, "close", code=code, cause=cause, detail=reason
        )
