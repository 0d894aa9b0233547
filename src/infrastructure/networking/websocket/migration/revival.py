"""When a stack that went by itself is started again: a moment later, and later each time that it does not stay.

Legacy's alone, in every stage that wants both connected: without it there is nothing to go back to, and what new does
wrong would be a cause that both share. New is not started again until it is told to: what it did once it may do again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic

__all__ = ["Revival"]

FIRST_S = 1.0
FACTOR = 2.0
MOST_S = 60.0
BUSY_S = 0.1


class Revival:
    """Calls `start` behind each end, and soon again while that returns False because it cannot be done just then.

    The first wait is `FIRST_S`, each further one `FACTOR` times as long, at most `MOST_S`; after a life of `MOST_S` it
    begins anew. `count` says how often the stack was started again.
    """

    def __init__(self, start: Callable[[], bool]) -> None:
        self.count = 0
        self._start = start
        self._delay_s = FIRST_S
        self._started_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def note_end(self) -> None:
        """The stack went by itself."""
        if monotonic() - self._started_at >= MOST_S:
            self._delay_s = FIRST_S
        self._wait(self._delay_s)
        self._delay_s = min(FACTOR * self._delay_s, MOST_S)

    def cancel(self) -> None:
        """It is not wanted any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, delay_s: float) -> None:
        self.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._revive)

    def _revive(self) -> None:
        if not self._start():
            self._wait(BUSY_S)
            return
        self.count += 1
        self._started_at = monotonic()
