"""How far an offline judgement is: one line at a time on stderr, at most one a second."""

from __future__ import annotations

import sys
import time

__all__ = ["JoinProgress"]

EVERY_S = 1.0


class JoinProgress:
    """Counts buckets and events; time left follows from the pace of the buckets that were joined now."""

    def __init__(self, buckets: int, kept: int) -> None:
        self._left, self._done, self._events = buckets - kept, 0, 0
        self._began = self._told = time.monotonic()
        if kept:
            sys.stderr.write(f"{kept} of {buckets} buckets were joined before\n")

    def bucket(self, events: int) -> None:
        """One bucket of so many events is joined."""
        self._done += 1
        self._events += events
        now = time.monotonic()
        if now - self._told >= EVERY_S:
            self._told = now
            sys.stderr.write(self.line(now - self._began) + "\n")

    def line(self, spent_s: float) -> str:
        """What a person sees after so many seconds."""
        left_s = spent_s / self._done * (self._left - self._done)
        rate = self._events / spent_s
        return f"joined {self._done} of {self._left} buckets, {rate:.0f} events/s, {left_s:.0f} s left"
