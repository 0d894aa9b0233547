"""How long one task may hold the loop that it shares with the serving stack."""

from __future__ import annotations

import asyncio
from time import perf_counter

__all__ = ["GLANCE", "TURN_S", "Turn"]

TURN_S = 0.001
GLANCE = 4
"""The clock is looked at once in so many steps."""


class Turn:
    """A stretch of a task on its loop: over after `TURN_S`, begun anew when the others have had theirs."""

    def __init__(self) -> None:
        self._ends_s = 0.0

    def is_over(self, step: int, most: int) -> bool:
        """Before each step, counted from one: whether to let the others run first; after `most` steps in any case.

        `most` is a multiple of `GLANCE`.
        """
        if step % GLANCE or (step % most and perf_counter() < self._ends_s):
            return False
        # It runs right before the task itself: what the others take does not count.
        asyncio.get_running_loop().call_soon(self._begin)
        return True

    def _begin(self) -> None:
        self._ends_s = perf_counter() + TURN_S
