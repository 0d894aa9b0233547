"""Whether the process of a standby grows: by a fifth and 8 MiB over what it held when it had settled."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from shadow.capture.resources import Probe

__all__ = ["Memory"]

SETTLED_S: Final = 3.0
SHARE: Final = 1.2
LEAST: Final = 8 << 20
SAMPLES: Final = 5
EVERY_S: Final = 0.2


class Memory:
    """Samples processes; the level of each is the highest of its first seconds."""

    def __init__(self) -> None:
        self._due = 0.0
        self._says = ""
        self._seen: dict[int, _Level] = {}

    def grown(self, pids: Iterable[int]) -> str:
        """The growth of one of them in a sentence; empty where none grew for as long as SAMPLES take."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + EVERY_S
            levels = [self._seen.setdefault(pid, _Level(pid, now)) for pid in pids]
            self._says = next((says for level in levels if (says := level.look(now))), "")
        return self._says


class _Level:
    def __init__(self, pid: int, now: float) -> None:
        self._probe = Probe(pid)
        self._since = now
        self._base = 0
        self._last: deque[int] = deque(maxlen=SAMPLES)

    def look(self, now: float) -> str:
        sample = self._probe.sample()
        if sample is None:
            return ""
        if now - self._since < SETTLED_S:
            self._base = max(self._base, sample.uss)
            return ""
        self._last.append(sample.uss)
        lowest = min(self._last)
        grown = len(self._last) == SAMPLES and lowest > self._base * SHARE and lowest - self._base > LEAST
        more = (lowest - self._base) / self._base if self._base else 0.0
        return f"+{more:.0%} and {(lowest - self._base) / 2**20:.0f} MiB, process {sample.pid}" if grown else ""
