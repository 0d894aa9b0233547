"""One stream's timers and its consumer, on a real loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.lane import RETRY_S, Lane
from infrastructure.networking.websocket.migration.unit import Unit

LEGACY, NEW = Side.LEGACY, Side.NEW
BOUND_S = 5.0


class Scene:
    """A book of two connected stacks, and a consumer that returns when it is let go."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.came = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.arbiter = Arbiter(LEGACY, is_contiguous=True, limits=Limits())
        self.lane = Lane(Unit("gateio", "spot", "book", "BTC_USDT"), self.arbiter, self._consume, logging.getLogger())
        for side in Side:
            self.lane.set_connected(side, True)

    async def _consume(self, item: Any) -> None:
        self.got.append(item)
        self.came.set()
        await self.gate.wait()

    async def offer(self, side: Side, *versions: int) -> None:
        for version in versions:
            await self.lane.take_in(side, Event(version, version, version))

    async def next_one(self) -> None:
        self.came.clear()
        await asyncio.wait_for(self.came.wait(), BOUND_S)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    one = Scene()
    yield one
    await one.lane.close()


async def test_a_hole_is_given_up_in_time_while_a_flip_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = scene.lane._on_timer

    def counted() -> None:
        nonlocal looks
        looks += 1
        look()

    monkeypatch.setattr(scene.lane, "_on_timer", counted)
    await scene.offer(NEW, 5)
    await scene.offer(LEGACY, 9, 10)
    scene.lane.move(NEW, is_rollback=False)
    await scene.offer(LEGACY, 13)
    assert scene.got == [9, 10]
    await scene.next_one()
    assert scene.got == [9, 10, 13]
    assert (scene.arbiter.serving, scene.arbiter.gaps) == (LEGACY, 1)
    assert looks <= 2 * (scene.arbiter.limits.hole_wait_s / RETRY_S) + 3
