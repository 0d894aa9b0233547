"""Which side of which connection was there when: holes excuse what is missing, and too many of them are a finding."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shadow.attach.pairs import LEGACY, NEW, SIDES, other
from shadow.diff.dual import WINDOW_NS
from shadow.verdict.checklist import Uptime

__all__ = ["Link"]

BEFORE_NS: Final = 1_000_000_000
"""How long before a connection is known to be gone its last frames may have been lost with it."""
ROLLING_NS: Final = 600_000_000_000
LEAST_NS: Final = 60_000_000_000
UP: Final = "connected"


@dataclass
class Stretch:
    """From when to when (ns) a side was not there, and whether it should have been."""

    begin: int
    end: int
    counts: bool


class Link:
    """One connection: both sides' stretches of downtime, in ns, the newest perhaps still open."""

    def __init__(self, limits: Uptime, begin: int) -> None:
        self.pids: dict[str, int | None] = dict.fromkeys(SIDES)
        self.is_shed = dict.fromkeys(SIDES, False)
        self.now = begin
        self._limits = limits
        self._begin = begin
        self._down: dict[str, deque[Stretch]] = {side: deque() for side in SIDES}
        self._is_open = dict.fromkeys(SIDES, False)

    def look(self, told: Mapping[str, Any], t: int) -> None:
        """What a beat says of it."""
        self.now = t
        for side in SIDES:
            one: Mapping[str, Any] = told.get(side) or {}
            self.pids[side], self.is_shed[side] = one.get("pid"), bool(one.get("shed"))
            is_wanted = self.runs(side) or self.is_shed[side]
            self.note(side, is_up=one.get("connected") is True, t=t, counts=is_wanted)

    def note(self, side: str, *, is_up: bool, t: int, counts: bool = True) -> None:
        """A side is there, or is not; `counts`: though it should be."""
        down = self._down[side]
        was_open = self._is_open[side]
        if was_open:
            down[-1].end = max(down[-1].end, t)
        if not is_up and not (was_open and down[-1].counts == counts):
            down.append(Stretch(t, t, counts))
        self._is_open[side] = not is_up
        while down and down[0].end < t - ROLLING_NS:
            down.popleft()

    def runs(self, side: str) -> bool:
        """Whether the side's stack exists."""
        return self.pids[side] is not None

    def is_up(self, side: str) -> bool:
        """Whether the side is connected now."""
        return self.runs(side) and not self._is_open[side]

    def has_hole(self, side: str, t: int) -> bool:
        """Whether the side may have been sent nothing of that moment."""
        if self._is_open[side] and t >= self._down[side][-1].begin - BEFORE_NS:
            return True
        return any(one.begin - BEFORE_NS <= t <= one.end + WINDOW_NS for one in self._down[side])

    def downtime_ns(self, side: str) -> int:
        """Of the last ten minutes, less the free time behind each end."""
        free_ns = round(self._limits.free_ms * 1e6)
        since = self.now - ROLLING_NS
        counted = (one for one in self._down[side] if one.counts)
        return sum(max(0, one.end - max(one.begin, since) - free_ns) for one in counted)

    def instability(self) -> tuple[str, bool] | None:
        """New's downtime in a sentence and whether legacy's is no better; None while it is within what is allowed."""
        new, legacy = self.downtime_ns(NEW), self.downtime_ns(LEGACY)
        window = max(LEAST_NS, min(self.now - self._begin, ROLLING_NS))
        allowed = self._limits.own_downtime_share * window
        if new <= allowed or not (self.runs(NEW) or self.is_shed[NEW]):
            return None
        is_shared = new - legacy <= self._limits.over_legacy_ms * 1e6
        share = 1 - new / window
        return f"new was there {share:.2%} of {window / 1e9:.0f} s, legacy {1 - legacy / window:.2%}", is_shared

    def lacks(self) -> str | None:
        """The side that does not run while the other one does; `both` where neither does."""
        running = [side for side in SIDES if self.runs(side)]
        if len(running) == len(SIDES):
            return None
        return other(running[0]) if running else "both"
