"""Signs that the recorder itself could not keep up, as `harness-bound` marks, at most one a second."""

from __future__ import annotations

from typing import Final

import orjson

from shadow.capture.writer import Row

__all__ = ["SLOW_TURN_NS", "Strain"]

SLOW_TURN_NS: Final = 50_000_000
EVERY_NS: Final = 1_000_000_000


class Strain:
    """Counts full pipes and slow turns of the loop between two marks.

    A pipe counts as full when half of its bytes are waiting: a pipe holds pages, and writes of a little over half a
    page fill one each.
    """

    def __init__(self) -> None:
        self._due = 0
        self._full: int
        self._slow: int
        self._slowest: int
        self._fullest: float
        self._fullest_of: str
        self._reset()

    def pipe(self, name: str, size: int, capacity: int) -> None:
        """Note the bytes found waiting in a pipe."""
        if 2 * size < capacity:
            return
        self._full += 1
        if size / capacity > self._fullest:
            self._fullest, self._fullest_of = size / capacity, name

    def marks(self, began: int, ended: int, leg: str) -> list[Row]:
        """Note a turn from `began` to `ended` (ns); returns the mark that is due, if any."""
        if ended - began > SLOW_TURN_NS:
            self._slow += 1
            self._slowest = max(self._slowest, ended - began)
        if not (self._full or self._slow) or ended < self._due:
            return []
        detail = {
            "full_pipes": self._full,
            "fullest": round(self._fullest, 3),
            "fullest_of": self._fullest_of,
            "slow_turns": self._slow,
            "slowest_ms": round(self._slowest / 1e6, 1),
        }
        self._reset()
        self._due = ended + EVERY_NS
        return [(ended, leg, "", "harness-bound", orjson.dumps(detail).decode())]

    def _reset(self) -> None:
        self._full = 0
        self._slow = 0
        self._slowest = 0
        self._fullest = 0.0
        self._fullest_of = ""
