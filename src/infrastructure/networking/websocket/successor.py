"""The second connection of a renewal, until it takes over: it asks, counts the answers, and keeps what else comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from exchanges.structs.errors import SubscriptionError, TransportError
from infrastructure.networking.websocket.transport import Transport

__all__ = ["ReadAnswer", "Successor"]

# The names that a frame confirms, None where it is no answer; raises what it refuses with.
ReadAnswer = Callable[[bytes], list[str] | None]


class Successor:
    """Reads an open connection from the moment it is made. Whatever fails on it ends its reading and is in `check`.

    With `MOST_KEPT` frames in `kept` nothing more is read from the socket: none is lost, and memory is bounded.
    """

    MOST_KEPT = 10_000

    def __init__(self, websocket: Transport, read_answer: ReadAnswer) -> None:
        self.websocket = websocket
        self.kept: list[bytes] = []
        self._read_answer = read_answer
        self._waiting: set[str] = set()
        loop = asyncio.get_running_loop()
        self._confirmed: asyncio.Future[None] = loop.create_future()
        self._has_room: asyncio.Future[None] = loop.create_future()
        self.reader = asyncio.create_task(websocket.pump(self._take))

    async def ask(self, requests: Iterable[tuple[str, list[str]]], limit_s: float) -> None:
        """Send these texts and wait until each one's names are confirmed; raises what stood in the way."""
        requests = list(requests)
        self._waiting.update(name for _, names in requests for name in names)
        for text, _ in requests:
            await self.websocket.send(text)
        if self._waiting:
            either: set[asyncio.Future[None]] = {self._confirmed, self.reader}
            await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        self.check()
        if self._waiting:
            raise TransportError(f"not all was confirmed within {limit_s:g} s")

    def check(self) -> None:
        """Raise what ended the reading, if anything did."""
        if self.reader.done():
            self.reader.result()
            raise TransportError("the transport stopped reading")

    async def stop_reading(self) -> None:
        """Keep nothing more: what comes from here on waits for whoever reads the connection next."""
        self.reader.cancel()
        await asyncio.wait({self.reader})
        if not self.reader.cancelled():
            self.reader.exception()  # whoever reads next is told in its turn
        if not self._has_room.done():
            self._has_room.set_result(None)

    async def drop(self) -> None:
        """Leave nothing of it."""
        self.websocket.abort()
        await self.stop_reading()

    def _take(self, frame: bytes) -> Awaitable[None] | None:
        if self._waiting and (names := self._read_answer(frame)) is not None:
            self._note_confirmed(names)
            return None
        self.kept.append(frame)
        return self._has_room if len(self.kept) >= self.MOST_KEPT else None

    def _note_confirmed(self, names: list[str]) -> None:
        if self._waiting.isdisjoint(names):
            raise SubscriptionError(f"answer to nothing that was asked: {','.join(names)!r}")
        self._waiting.difference_update(names)
        if not self._waiting:
            self._confirmed.set_result(None)
