"""The staggered tee: a frame goes to one side of the pair and a gap later to the other, the order seeded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from shadow.venue.outgoing import Frame
from shadow.venue.outlet import Outlet

__all__ = ["Tee"]


class Tee:
    """Sends frames to the outlets of one or two roles.

    The gap keeps the two subjects from waking at the same instant. A side's frames never overtake each other: when
    the next frame comes before the gap is over, the one that waits goes first.
    """

    def __init__(self, gap_s: float, seed: int) -> None:
        self._gap_s = gap_s
        self._random = Random(f"tee/{seed}")
        self._loop = asyncio.get_running_loop()
        self._owed: dict[str, bool] = {}
        self._waiting: list[tuple[Outlet, Frame, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def send(self, frames: Sequence[tuple[Frame, str]], outlets: Sequence[Outlet]) -> None:
        """Send the frames of one market event, each with its subscription key, to the sides that have it."""
        self.flush()
        if not frames:  # nobody has a subscription, as when both sides stay away after a close
            return
        if len(outlets) == 1:
            for frame, key in frames:
                outlets[0].deliver(frame, key, True)
            return
        order = self._next_order(outlets, frames[0][1])
        for frame, key in frames:
            first = True
            for outlet in order:
                if not outlet.has(key):
                    continue
                if first:
                    outlet.deliver(frame, key, True)
                    first = False
                else:
                    self._waiting.append((outlet, frame, key))
        if self._waiting:
            self._timer = self._loop.call_later(self._gap_s, self.flush)

    def send_at_once(self, frames: Sequence[tuple[Frame, str]], outlets: Sequence[Outlet]) -> None:
        """Send without a gap: to one side and right behind it to the other."""
        self.flush()
        order = self._next_order(outlets, frames[0][1]) if frames and len(outlets) > 1 else outlets
        for frame, key in frames:
            for place, outlet in enumerate(order):
                if outlet.has(key):
                    outlet.deliver(frame, key, place == 0)

    def _next_order(self, outlets: Sequence[Outlet], key: str) -> Sequence[Outlet]:
        """Drawn for one frame, the opposite for the next of the same stream: either side is first equally often."""
        is_reversed = self._owed.pop(key, None)
        if is_reversed is None:
            is_reversed = self._random.random() < 0.5
            self._owed[key] = not is_reversed
        return outlets[::-1] if is_reversed else outlets

    def flush(self) -> None:
        """Send what waits for its gap."""
        if not self._waiting:
            return
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, []
        for outlet, frame, key in waiting:
            outlet.deliver(frame, key, False)
