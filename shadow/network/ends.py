"""Both ends of a relayed connection: the library's own, which hand whole messages over at once, without a queue."""

from __future__ import annotations

from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

__all__ = ["ExchangeEnd", "Receiver", "SubjectEnd"]


class Receiver(Protocol):
    """Who gets what comes in at one end."""

    def message(self, payload: bytes, is_text: bool) -> None:
        """A whole message."""

    def control(self, kind: str, payload: bytes) -> None:
        """A protocol `ping` or `pong`; the library has answered it."""

    def full(self, is_full: bool) -> None:
        """This end's socket takes no more for now, or takes more again."""

    def lost(self, code: int | None, reason: str) -> None:
        """The connection is gone."""


class _End(Connection):
    receiver: Receiver | None = None
    _parts: bytearray | None = None
    _is_text = True

    def process_event(self, event: Event) -> None:
        """Hand data, pings and pongs over; the rest stays with the library."""
        receiver = self.receiver
        if receiver is None or not isinstance(event, Frame):
            super().process_event(event)
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._collect(receiver, event)
        else:
            if event.opcode in (Opcode.PING, Opcode.PONG):
                receiver.control(event.opcode.name.lower(), bytes(event.data))
            super().process_event(event)

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        super().pause_writing()
        if self.receiver is not None:
            self.receiver.full(True)

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        if self.receiver is not None:
            self.receiver.full(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        super().connection_lost(exc)
        if self.receiver is not None:
            self.receiver.lost(self.close_code, self.close_reason or "")

    def _collect(self, receiver: Receiver, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts = bytearray()
        if self._parts is None:
            return
        self._parts += frame.data
        if frame.fin:
            data, self._parts = bytes(self._parts), None
            receiver.message(data, self._is_text)


class SubjectEnd(_End, ServerConnection):
    """Towards a subject."""


class ExchangeEnd(_End, ClientConnection):
    """Towards the exchange."""
