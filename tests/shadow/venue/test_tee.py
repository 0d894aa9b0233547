"""The tee on its own: order, gap, and no overtaking."""

from __future__ import annotations

import asyncio
from typing import Any

from shadow.venue.outgoing import Frame
from shadow.venue.tee import Tee


class Side:
    """An outlet that has some keys and notes what it is given."""

    def __init__(self, name: str, log: list[tuple[str, int, bool]], keys: set[str]) -> None:
        self.name, self.log, self.own = name, log, keys

    def has(self, key: str) -> bool:
        return key in self.own

    def deliver(self, frame: Frame, key: str, first: bool) -> None:
        if key in self.own:
            self.log.append((self.name, frame.first or 0, first))


def frame(number: int) -> Frame:
    return Frame("c", "ws", "book", "S", b"", True, number)


async def test_the_second_side_waits_and_is_never_overtaken() -> None:
    log: list[tuple[str, int, bool]] = []
    sides: Any = [Side("legacy", log, {"k"}), Side("new", log, {"k"})]
    tee = Tee(gap_s=3600.0, seed=1)
    for number in range(1, 41):
        tee.send([(frame(number), "k")], sides)
        assert len(log) == 2 * number - 1
    tee.flush()
    for name in ("legacy", "new"):
        assert [number for side, number, _ in log if side == name] == list(range(1, 41))
    firsts = [side for side, _, first in log if first]
    assert 8 <= firsts.count("legacy") <= 32
    again: list[tuple[str, int, bool]] = []
    twins: Any = [Side("legacy", again, {"k"}), Side("new", again, {"k"})]
    repeat = Tee(gap_s=3600.0, seed=1)
    for number in range(1, 41):
        repeat.send([(frame(number), "k")], twins)
    repeat.flush()
    assert again == log


async def test_a_frame_that_only_one_side_has_is_first_there() -> None:
    log: list[tuple[str, int, bool]] = []
    sides: Any = [Side("legacy", log, {"a"}), Side("new", log, {"b"})]
    tee = Tee(gap_s=3600.0, seed=1)
    tee.send([(frame(1), "a"), (frame(2), "b")], sides)
    assert sorted(log) == [("legacy", 1, True), ("new", 2, True)]


async def test_the_gap_ends_by_itself() -> None:
    log: list[tuple[str, int, bool]] = []
    arrived = asyncio.Event()

    class Last(Side):
        def deliver(self, frame: Frame, key: str, first: bool) -> None:
            super().deliver(frame, key, first)
            if len(log) == 2:
                arrived.set()

    sides: Any = [Last("legacy", log, {"k"}), Last("new", log, {"k"})]
    Tee(gap_s=0.001, seed=1).send([(frame(1), "k")], sides)
    await arrived.wait()
    assert [first for _, _, first in log] == [True, False]
