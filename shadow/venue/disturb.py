"""Faults that stand in a frame's way: drop, duplicate, swap, corrupt, empty-body, delay, stall."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from shadow.venue.faults import Fault
from shadow.venue.outgoing import Frame
from shadow.venue.outlet import Deliver
from shadow.venue.protobuf_strip import without_body

__all__ = ["Alteration", "Hold", "Note"]

Note = Callable[[Frame], None]
"""Writes the fault's mark for the frame that it hit."""
SWAP_WAIT_S = 1.0
_CUT_BYTES = 3
_CHUNK_FRAMES, _CHUNK_S = 128, 0.05


class Alteration:
    """Hits single frames: drop, duplicate, twin-fill, swap, corrupt and empty-body.

    `wanted(frame)` says which frames the fault is for; `count` how many it hits, None = all.
    """

    def __init__(self, fault: Fault, wanted: Callable[[Frame], bool], note: Note) -> None:
        self.kind = fault.kind
        self._left = fault.count
        self._wanted = wanted
        self._note = note
        self._held: dict[str, tuple[Frame, bool, Deliver]] = {}
        self._act = {
            "drop": self._drop,
            "duplicate": self._duplicate,
            "twin-fill": self._duplicate,
            "swap": self._swap,
            "corrupt": self._corrupt,
            "empty-body": self._empty,
        }[fault.kind]

    def pass_on(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        """Let a frame through, altered when it is the fault's."""
        if key in self._held:
            deliver(frame, key, first)
            self._let_go(key)
        elif self._left == 0 or not self._wanted(frame):
            deliver(frame, key, first)
        else:
            if self._left is not None:
                self._left -= 1
            self._note(frame)
            self._act(frame, key, first, deliver)

    def end(self) -> None:
        """Alter nothing any more."""
        self._left = 0
        self.finish()

    def finish(self) -> None:
        """Let go of the frames that still wait for their successors."""
        for key in tuple(self._held):
            self._let_go(key)

    def _let_go(self, key: str) -> None:
        if key in self._held:
            frame, first, deliver = self._held.pop(key)
            deliver(frame, key, first)

    def _drop(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        pass

    def _duplicate(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        deliver(frame, key, first)
        deliver(frame, key, first)

    def _swap(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        self._held[key] = frame, first, deliver
        asyncio.get_running_loop().call_later(SWAP_WAIT_S, self._let_go, key)

    def _corrupt(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        deliver(frame.altered(frame.payload[:-_CUT_BYTES], self.kind), key, first)

    def _empty(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        deliver(frame.altered(without_body(frame.payload), self.kind), key, first)


class Hold:
    """Keeps every frame back: each for `by_s` (delay), or all until the fault ends (stall); order stays."""

    def __init__(self, fault: Fault, wanted: Callable[[Frame], bool], note: Note) -> None:
        self.kind = fault.kind
        self._by_s = fault.by_s if fault.kind == "delay" else None
        self._wanted = wanted
        self._note: Note | None = note
        self._held: deque[tuple[Frame, str, bool, Deliver]] = deque()
        self._has_ended = False

    def pass_on(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        """Keep a frame back, or let it through when the fault is not for it."""
        if self._has_ended or not self._wanted(frame):
            deliver(frame, key, first)
            return
        if self._note is not None:
            self._note(frame)
            self._note = None
        self._held.append((frame, key, first, deliver))
        if self._by_s is not None:
            asyncio.get_running_loop().call_later(self._by_s, self._release)

    def end(self) -> None:
        """Let go, so slowly that what was held stays below the rate that the legacy stack survives."""
        for _ in range(_CHUNK_FRAMES):
            self._release()
        if self._held:
            asyncio.get_running_loop().call_later(_CHUNK_S, self.end)
        else:
            self._has_ended = True

    def finish(self) -> None:
        """Let everything go at once."""
        self._has_ended = True
        while self._held:
            self._release()

    def _release(self) -> None:
        if self._held:
            frame, key, first, deliver = self._held.popleft()
            deliver(frame, key, first)
