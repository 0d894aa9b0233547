"""What waits for a coroutine consumer: a bounded deque between the reader and the one processing task."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import Any

__all__ = ["Backlog"]

# A consumer that never suspends still gets its turn after this many frames of one burst.
READ_BURST = 32


class Backlog:
    """Messages in order, each with the time it arrived. Nothing is ever dropped: at `high` the reader waits.

    One frame may decode into several messages, so the deque may pass `high` by what one frame holds. `read_ns` is when
    the frame was read whose messages are being put (0: no frame), `taken_ns` when that of the last taken one was.
    """

    __slots__ = (
        *("_arrived", "_emptier", "entries", "high", "is_draining", "is_finished", "is_paused", "low", "read_ns"),
        "taken_ns",
    )

    def __init__(self, high: int) -> None:
        self.high = max(1, high)
        self.low = self.high // 4
        self.is_paused = False
        self.is_draining = False
        self.is_finished = False
        self.read_ns = 0
        self.taken_ns = 0
        self.entries: deque[tuple[int, Any]] = deque()
        self._arrived = asyncio.Event()
        self._emptier = asyncio.Event()

    def put(self, message: Any) -> None:
        """Append one message with the time."""
        entries = self.entries
        if not entries:
            self._arrived.set()
        entries.append((self.read_ns or perf_counter_ns(), message))

    def note_taken(self) -> None:
        """The consumer took one from `entries`; wakes a paused reader at low water."""
        if self.is_paused and len(self.entries) <= self.low:
            self._emptier.set()

    async def wait_arrival(self) -> bool:
        """Wait until there is something; False when it is empty and finished."""
        while not self.entries:
            if self.is_finished:
                return False
            self._arrived.clear()
            await self._arrived.wait()
        return True

    async def make_room(self) -> None:
        """The reader's turn to wait: at high water until a quarter is left, in a burst for one turn of the loop."""
        waiting = len(self.entries)
        if waiting >= self.high:
            self.is_paused = True
            while len(self.entries) > self.low and not self.is_draining:
                self._emptier.clear()
                await self._emptier.wait()
            self.is_paused = False
        elif waiting % READ_BURST == 0:
            await asyncio.sleep(0)

    def drain(self) -> None:
        """The connection is being closed: a paused reader goes on, what is left on the socket is finite."""
        self.is_draining = True
        self._emptier.set()

    def finish(self) -> None:
        """No more will come: the processing task ends when it is empty."""
        self.is_finished = True
        self._arrived.set()
