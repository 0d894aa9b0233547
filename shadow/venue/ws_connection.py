"""A server connection of the `websockets` library that hands messages over at once, without a queue."""

from __future__ import annotations

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from shadow.venue.client_link import ClientLink

__all__ = ["VenueConnection"]


class VenueConnection(ServerConnection):
    """The library does handshake, pings and closes; whole messages go to `link`, which is set during the handshake."""

    link: ClientLink | None = None
    _parts: bytearray | None = None
    _is_text = True

    def process_event(self, event: Event) -> None:
        """Hand data, pings and pongs to the link; the rest stays with the library."""
        link = self.link
        if link is None or not isinstance(event, Frame):
            super().process_event(event)
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._collect(link, event)
        else:
            if event.opcode in (Opcode.PING, Opcode.PONG):
                link.on_control(event.opcode.name.lower(), bytes(event.data))
            super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        super().connection_lost(exc)
        if self.link is not None:
            self.link.lost(self.close_code, self.close_reason or "")

    def _collect(self, link: ClientLink, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts = bytearray()
        if self._parts is None:
            return
        self._parts += frame.data
        if frame.fin:
            data, self._parts = bytes(self._parts), None
            link.on_message(data.decode(errors="replace") if self._is_text else data)
