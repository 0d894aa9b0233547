"""Whether the new stack has become dearer: CPU of its processes for each ns that the consumer's own process takes.

Both work off the same messages in the same moment on the same cores, so that a busy machine, or a lively market, moves
both. The first blocks that do not drift say what is usual: a stack that has just begun to serve does at first. From
then on it is the test of live stages (`shadow/stats/onset.py`).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import ndtri

from shadow.capture.resources import Probe
from shadow.stats.onset import OnsetDetector, block_scale, independent_blocks, onset_blocks

__all__ = ["BLOCK_S", "MOST_WATCHED", "USUAL_BLOCKS", "Cost"]

BLOCK_S: Final = 0.5
USUAL_BLOCKS: Final = 12
MOST_WATCHED: Final = 48
"""After so many blocks the newest say what is usual in any case."""
INDEPENDENT: Final = 6.0
"""So many independent blocks the usual ones have to be worth: worth two, of their deviation nobody could say more than
that it is below sixteen times what it looks like, and nothing would be seen."""
MARGIN: Final = 1.10
POWER: Final = 0.95


class Cost:
    """CPU of some processes against that of another one, by blocks of half a second."""

    def __init__(self, ours: Sequence[int], other: int) -> None:
        self._ours = [Probe(pid) for pid in ours]
        self._other = Probe(other)
        self._due = 0.0
        self._last: tuple[int, int] | None = None
        self._usual: deque[float] = deque(maxlen=USUAL_BLOCKS)
        self._watched = 0
        self._detector: OnsetDetector | None = None
        self._says = ""
        self.usual_ns = 0
        """CPU of ours until what is usual was known."""
        self.blocks: list[float] = []
        """ln of the ratio to what is usual, of each later block."""

    @property
    def is_ready(self) -> bool:
        """Whether it knows what is usual."""
        return self._detector is not None

    def seconds_to_see(self, ratio: float) -> float:
        """How long work of that ratio to the usual may go unseen, with the noise of the usual blocks.

        Their mean is known as well as they are many: what it may lie too high is lost to the effect. Infinite where
        nothing is left of it.
        """
        scale, ends = block_scale(np.array(self._usual)), float(ndtri(POWER)) / math.sqrt(USUAL_BLOCKS)
        z = math.log(ratio / MARGIN) / scale - ends
        try:
            return BLOCK_S * onset_blocks(z, POWER)
        except ValueError:
            return math.inf

    def dearer(self) -> str:
        """What is worse by more than a tenth, in a sentence; empty while nothing is."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + BLOCK_S
            self._look()
        return self._says

    def _look(self) -> None:
        ours, other = [probe.cpu_ns() for probe in self._ours], self._other.cpu_ns()
        if other is None or not all(ours):
            self._last = None
            return
        before, self._last = self._last, (sum(filter(None, ours)), other)
        if before is None or self._last[0] <= before[0] or other <= before[1]:
            return
        self._take(math.log((self._last[0] - before[0]) / (other - before[1])), self._last[0] - before[0])

    def _is_known(self) -> bool:
        """Whether what is usual, and how much it varies, is known well enough."""
        if len(self._usual) < USUAL_BLOCKS:
            return False
        return independent_blocks(np.array(self._usual)) >= INDEPENDENT or self._watched == MOST_WATCHED

    def _take(self, y: float, ours_ns: int) -> None:
        if self._detector is None:
            self._usual.append(y)
            self._watched += 1
            self.usual_ns += ours_ns
            if self._is_known():
                self._detector = OnsetDetector(math.log(MARGIN), block_scale(np.array(self._usual)))
            return
        self.blocks.append(y - float(np.mean(self._usual)))
        self._detector.update(self.blocks[-1])
        onset = self._detector.onset
        since = "" if onset is None else f"since {BLOCK_S * (len(self.blocks) - onset.since):g} s"
        recent = math.exp(float(np.mean(self.blocks[-10:]))) if self.blocks else 1.0
        self._says = f"CPU of new is {recent:.2f} x what it was, {since}" if onset is not None else ""
