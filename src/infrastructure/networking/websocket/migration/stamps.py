"""When a frame was read, and when its message reached the callback: each stack is asked in its own way.

The new stack and a sidecar say it themselves. Legacy does not, and is not changed: its queue of frames is replaced,
before it starts, by one that stamps what is put in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Protocol

__all__ = ["StampClock", "StampedQueue"]


class StampedQueue(asyncio.Queue[Any]):
    """A queue that knows when the item was put in that was taken out last."""

    recv_ns: int | None = None

    _queue: deque[tuple[int, Any]]

    def _put(self, item: Any) -> None:
        self._queue.append((perf_counter_ns(), item))

    def _get(self) -> Any:
        self.recv_ns, item = self._queue.popleft()
        return item


class Received(Protocol):
    """What knows when the frame was read whose message is being delivered."""

    @property
    def recv_ns(self) -> int | None:
        """In ns of CLOCK_MONOTONIC; None where it is not known."""


class Unstamped:
    """A stack that says nothing, and whose queue cannot be made to."""

    recv_ns: int | None = None


class StampClock:
    """Where `recv` and `t` of the message that is being delivered are asked for: at the stack that a side has now.

    Two plain looks, because each message of the primary's path pays for them while somebody reads at a tap.
    """

    __slots__ = ("now", "received")

    def __init__(self) -> None:
        self.received: Received = Unstamped()
        self.now: Callable[[], int] = perf_counter_ns

    def set(self, stack: Any) -> None:
        """A stack has been built, and is not yet started."""
        # One in another process took both stamps there.
        self.now = (lambda: int(stack.t_ns)) if hasattr(type(stack), "t_ns") else perf_counter_ns
        self.received = _received(stack)


def _received(stack: Any) -> Received:
    if hasattr(type(stack), "recv_ns"):
        said: Received = stack
        return said
    queue = getattr(stack, "_queue", None)
    if type(queue) is not asyncio.Queue:
        return Unstamped()
    stamped = stack._queue = StampedQueue(queue.maxsize)
    return stamped
