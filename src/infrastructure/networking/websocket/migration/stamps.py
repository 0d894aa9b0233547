"""When a frame was read, and when its message reached the callback: each stack is asked in its own way.

The new stack and a sidecar say it themselves. Legacy does not, and is not changed: its queue of frames is replaced,
before it starts, by one that stamps what is put in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

__all__ = ["StampClock", "StampedQueue", "Stamps", "stamps_of"]

Stamps = Callable[[], tuple[int | None, int]]
"""`recv` (None where it is not known) and `t` of the message that is being delivered, in ns of CLOCK_MONOTONIC."""


class StampedQueue(asyncio.Queue[Any]):
    """A queue that knows when the item was put in that was taken out last."""

    recv_ns: int | None = None

    _queue: deque[tuple[int, Any]]

    def _put(self, item: Any) -> None:
        self._queue.append((perf_counter_ns(), item))

    def _get(self) -> Any:
        self.recv_ns, item = self._queue.popleft()
        return item


def stamps_of(stack: Any) -> Stamps:
    """What to ask while a message of this stack, built and not yet started, is delivered."""
    if hasattr(type(stack), "stamps"):
        stamps: Stamps = stack.stamps
        return stamps
    if hasattr(type(stack), "recv_ns"):
        return lambda: (stack.recv_ns, perf_counter_ns())
    queue = getattr(stack, "_queue", None)
    if type(queue) is not asyncio.Queue:
        return lambda: (None, perf_counter_ns())
    stamped = stack._queue = StampedQueue(queue.maxsize)
    return lambda: (stamped.recv_ns, perf_counter_ns())


class StampClock:
    """The stamps of whichever stack a side has now."""

    __slots__ = ("stamps",)

    def __init__(self) -> None:
        self.stamps: Stamps = lambda: (None, perf_counter_ns())

    def set(self, stack: Any) -> None:
        """A stack has been built."""
        self.stamps = stamps_of(stack)
