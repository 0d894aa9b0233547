"""When the guard takes a stream or a stack away from new, look by look."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.guard import FLOOD_SPARE, FLOOD_TIMES, LOOK_S, SILENCE_S, Guard
from infrastructure.networking.websocket.migration.lane import Lane
from infrastructure.networking.websocket.migration.streams import Stream
from infrastructure.networking.websocket.migration.unit import Unit

LEGACY, NEW = Side.LEGACY, Side.NEW
LOOKS = round(SILENCE_S / LOOK_S)


class Scene:
    """One book that new serves, two connected stacks, and the guard."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.connected = dict.fromkeys(Side, True)
        self.legs: dict[Side, Any] = {
            side: SimpleNamespace(messages=0, is_running=True, is_connected=lambda side=side: self.connected[side])
            for side in Side
        }
        arbiter = Arbiter(NEW, is_contiguous=True, limits=Limits())
        self.lane = Lane(Unit("mexc", "spot", "book", "BTC_USDT"), arbiter, self._consume, logging.getLogger("guard"))
        for side in Side:
            self.lane.set_connected(side, True)
        self.guard = Guard(self.legs, {Stream("book", "BTC_USDT", "contiguous"): self.lane})

    async def _consume(self, item: Any) -> None:
        self.got.append(item)

    async def offer(self, side: Side, version: int) -> None:
        await self.lane.take_in(side, Event(version, version, version))

    def look(self, times: int) -> Side:
        for _ in range(times):
            self.guard.look()
        return self.lane.arbiter.serving


@pytest.fixture
async def scene() -> Scene:
    """The consumer is at version 1."""
    one = Scene()
    await one.offer(NEW, 1)
    await one.offer(LEGACY, 1)
    return one


async def test_a_second_without_what_legacy_has_is_enough_and_nothing_less(scene: Scene) -> None:
    assert scene.look(5 * LOOKS) is NEW
    await scene.offer(LEGACY, 2)
    assert scene.look(LOOKS) is NEW
    assert scene.look(1) is LEGACY
    await scene.lane.pump()
    assert scene.got == [1, 2]
    assert scene.lane.latch == "new has been silent for 1 s while legacy was not"
    await scene.lane.close()


async def test_one_event_of_new_begins_the_second_anew(scene: Scene) -> None:
    await scene.offer(LEGACY, 2)
    assert scene.look(LOOKS) is NEW
    await scene.offer(NEW, 2)
    await scene.offer(LEGACY, 3)
    assert scene.look(LOOKS) is NEW
    assert scene.look(1) is LEGACY
    await scene.lane.close()


async def test_legacy_that_is_gone_is_no_place_to_go_back_to(scene: Scene) -> None:
    await scene.offer(LEGACY, 2)
    scene.connected[LEGACY] = False
    assert scene.look(5 * LOOKS) is NEW
    scene.connected[LEGACY] = True
    assert scene.look(LOOKS + 1) is LEGACY
    await scene.lane.close()


async def test_a_consumer_that_has_not_returned_accuses_nobody(scene: Scene) -> None:
    assert scene.lane.arbiter.take(scene.lane.arbiter.epoch, 0.0) is None
    scene.lane.arbiter.offer(NEW, Event(2, 2, 2), 0.0)
    assert scene.lane.arbiter.take(scene.lane.arbiter.epoch, 0.0) is not None
    scene.lane.arbiter.offer(LEGACY, Event(3, 3, 3), 0.0)
    assert scene.look(5 * LOOKS) is NEW
    scene.lane.arbiter.done(scene.lane.arbiter.epoch)
    assert scene.look(LOOKS + 1) is LEGACY
    await scene.lane.close()


@pytest.mark.parametrize(
    ("legacy", "new", "is_flood"),
    [(0, FLOOD_SPARE, False), (0, FLOOD_SPARE + 1, True), (500, 6000, False), (500, 6001, True)],
)
async def test_three_seconds_of_ten_times_legacy_are_a_flood(
    scene: Scene, legacy: int, new: int, is_flood: bool
) -> None:
    said = []
    for _ in range(FLOOD_TIMES):
        scene.legs[LEGACY].messages += legacy
        scene.legs[NEW].messages += new
        said.append(scene.guard.flood())
    assert said[:-1] == [None] * (FLOOD_TIMES - 1)
    assert said[-1] == (f"new floods: {new} messages in a second, legacy {legacy}" if is_flood else None)


async def test_a_flood_is_none_where_legacy_could_not_take_over(scene: Scene) -> None:
    scene.connected[LEGACY] = False
    for _ in range(2 * FLOOD_TIMES):
        scene.legs[NEW].messages += 100_000
        assert scene.guard.flood() is None
