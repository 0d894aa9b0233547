"""How fast each side is without a venue: from the frame's arrival to the callback, and who has an event first.

Only ratios of the two sides are judged, block by block: the onset detector says since when they are worse than the
margin. There is no legacy beside legacy here: the noise is that of the first blocks around their own mean, and where
new begins above legacy, the margin counts from there. Each stack takes `recv` in its own place, so that the level is
for sessions to judge; a watch sees it rise.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Final, Literal

import numpy as np

from shadow.diff.dual import WINDOW_NS
from shadow.diff.lines import Delivered
from shadow.stats.onset import OnsetDetector, block_scale, standing_theta
from shadow.verdict.checklist import load_checklist

__all__ = ["CALIBRATION", "Speed"]

CALIBRATION: Final = 40
"""Blocks from which the noise comes."""
SAMPLES: Final = 4096
THIN_BLOCKS: Final = 60
State = Literal["calibrating", "quiet", "alarm", "thin"]


class Speed:
    """One connection, its types pooled; `block_ns` is the length of a block."""

    def __init__(self, block_ns: int) -> None:
        limits = load_checklist().session
        self.lead_ns: deque[int] = deque(maxlen=SAMPLES)
        """t of legacy minus t of new: above 0 new had it first."""
        self.took_ns: dict[str, deque[int]] = {"legacy": deque(maxlen=SAMPLES), "new": deque(maxlen=SAMPLES)}
        self.blocks: list[float] = []
        self.passed = 0
        self._block_ns = block_ns
        self._pairs_wanted = limits.pairs_per_block
        self._theta = math.log(limits.margin)
        self._open: dict[int, list[float]] = {}
        self._next: int | None = None
        self._last_recv: dict[str, int] = {}
        self._detector: OnsetDetector | None = None

    def pair(self, legacy: Delivered, new: Delivered) -> None:
        """An event that both have. A frame with several events gives one sample."""
        self.lead_ns.append((legacy.t or 0) - (new.t or 0))
        took = {name: _took_ns(event) for name, event in (("legacy", legacy), ("new", new))}
        recv = {name: event.body.get("recv") for name, event in (("legacy", legacy), ("new", new))}
        if None in took.values() or any(recv[name] == self._last_recv.get(name) for name in recv):
            return
        self._last_recv = {name: int(at) for name, at in recv.items() if at is not None}
        for name, ns in took.items():
            self.took_ns[name].append(ns or 1)
        block = (legacy.t or 0) // self._block_ns
        self._open.setdefault(block, []).append(math.log((took["new"] or 1) / (took["legacy"] or 1)))

    def settle(self, now: int) -> None:
        """Close every block that is older than W."""
        until = (now - WINDOW_NS) // self._block_ns
        if self._next is None:
            # The first block is not a whole one.
            self._next = until
            return
        for block in range(self._next, until):
            found = self._open.pop(block, [])
            self.passed += 1
            if len(found) >= self._pairs_wanted:
                self._add(median(found))
        self._next = max(self._next, until)
        for block in [block for block in self._open if block < self._next]:
            del self._open[block]

    def _add(self, y: float) -> None:
        self.blocks.append(y)
        if self._detector is not None:
            self._detector.update(y)
        elif len(self.blocks) == CALIBRATION:
            first = np.array(self.blocks)
            self._detector = OnsetDetector(standing_theta(first, self._theta), block_scale(first))

    @property
    def state(self) -> State:
        """Where the detector stands; `thin`: too few events for blocks."""
        if self._detector is None:
            is_thin = self.passed >= THIN_BLOCKS and 2 * len(self.blocks) < self.passed
            return "thin" if is_thin else "calibrating"
        return "alarm" if self._detector.onset is not None else "quiet"

    def alarm(self) -> str:
        """What the detector tells of, in a sentence; empty while it is quiet."""
        onset = None if self._detector is None else self._detector.onset
        if onset is None:
            return ""
        worse = self.blocks[CALIBRATION + onset.since :]
        ratio = math.exp(sum(worse) / len(worse))
        return f"recv to callback x{ratio:.2f} of legacy's over {len(worse)} blocks of {self._block_ns / 1e9:g} s"

    def ratio(self) -> float | None:
        """New over legacy, median of the newest blocks; None before the first."""
        return math.exp(median(self.blocks[-CALIBRATION:])) if self.blocks else None


def _took_ns(event: Delivered) -> int | None:
    """From the frame's arrival to the callback; None where the stack does not say when that was."""
    recv = event.body.get("recv")
    return max(1, event.t - recv) if isinstance(recv, int) and event.t is not None else None


def p50(values: Iterable[int]) -> float | None:
    """The median in us."""
    found = list(values)
    return round(median(found) / 1000, 1) if found else None
