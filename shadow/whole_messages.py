"""A connection of the `websockets` library that hands whole messages over at once, without a queue."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from websockets.asyncio.connection import Connection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

__all__ = ["Receiver", "WholeMessages"]


class Receiver(Protocol):
    """Who gets what comes in."""

    def message(self, payload: bytes, is_text: bool) -> None:
        """A whole message."""

    def control(self, kind: str, payload: bytes) -> None:
        """A protocol `ping` or `pong`; the library has answered it."""

    def lost(self, code: int | None, reason: str) -> None:
        """The connection is gone."""


R = TypeVar("R", bound=Receiver)


class WholeMessages(Connection, Generic[R]):
    """The library does handshake, pings and closes; messages go to `receiver`, set during or behind the handshake."""

    receiver: R | None = None
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

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        super().connection_lost(exc)
        if self.receiver is not None:
            self.receiver.lost(self.close_code, self.close_reason or "")

    def _collect(self, receiver: R, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts = bytearray()
        if self._parts is None:
            return
        self._parts += frame.data
        if frame.fin:
            data, self._parts = bytes(self._parts), None
            receiver.message(data, self._is_text)
