"""Pings with their answers tracked, so that a half-open link is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exchanges.structs.errors import HalfOpenError
from infrastructure.networking.websocket.transport import Transport

__all__ = ["KeepAlive"]

# A peer that goes on sending but answers no ping hears nothing from us any more.
MISSED_PONGS = 2


class KeepAlive:
    """Pings one connection; `create_message` gives the application ping, or None for a protocol ping."""

    def __init__(self, create_message: Callable[[], str | None], frames_received: Callable[[], int]) -> None:
        self.pongs = 0
        self._create_message = create_message
        self._frames_received = frames_received

    def note_pong(self) -> None:
        """A ping was answered."""
        self.pongs += 1

    async def run(self, websocket: Transport, interval_s: float, timeout_s: float) -> None:
        """Ping each interval. HalfOpenError when nothing at all came within the timeout, or two pongs are missing."""
        missed = 0
        patience = min(timeout_s, interval_s)
        await asyncio.sleep(interval_s)
        while True:
            pongs, frames = self.pongs, self._frames_received()
            await self._ping(websocket)
            await asyncio.sleep(patience)
            missed = 0 if self.pongs > pongs else missed + 1
            if missed >= MISSED_PONGS or (missed and self._frames_received() == frames):
                raise HalfOpenError(f"no answer to a ping within {patience:g} s")
            await asyncio.sleep(interval_s - patience)

    async def _ping(self, websocket: Transport) -> None:
        message = self._create_message()
        if message is not None:
            await websocket.send(message)
            return
        pong = asyncio.ensure_future(await websocket.ping())
        pong.add_done_callback(self._on_protocol_pong)

    def _on_protocol_pong(self, pong: asyncio.Future[object]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.note_pong()
