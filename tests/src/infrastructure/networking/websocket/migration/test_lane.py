"""One stream's timers and its consumer, on a real loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.lane import RETRY_S, ROOM, Lane
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
        self.leave: Callable[[], object] = lambda: None
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


async def held_by_legacy(scene: Scene) -> asyncio.Task[int]:
    """New serves and lacks 2; legacy's task hands it on, to a consumer that does not return.

    The task gives how much the consumer had when it was let go.
    """

    async def deliver() -> int:
        await scene.offer(LEGACY, 2)
        scene.leave()
        return len(scene.got)

    await scene.offer(NEW, 1)
    await scene.offer(LEGACY, 1)
    scene.lane.move(NEW, is_rollback=False)
    assert scene.arbiter.serving is NEW
    await scene.offer(NEW, 3)
    scene.gate.clear()
    task = asyncio.create_task(deliver())
    await scene.next_one()
    assert scene.got == [1, 2]
    return task


async def turns() -> None:
    """Let whoever can go on do so."""
    for _ in range(2000):
        await asyncio.sleep(0)


async def test_the_serving_side_waits_for_a_consumer_that_the_others_task_holds_and_then_takes_over(
    scene: Scene,
) -> None:
    legacys = await held_by_legacy(scene)
    news = asyncio.create_task(scene.offer(NEW, *range(4, 1000)))
    await turns()
    assert scene.arbiter.backlog == ROOM + 1
    scene.gate.set()
    assert await asyncio.wait_for(legacys, BOUND_S) == 2
    await asyncio.wait_for(news, BOUND_S)
    assert scene.got == list(range(1, 1000))


async def test_the_standby_waits_for_nobody(scene: Scene) -> None:
    legacys = await held_by_legacy(scene)
    await asyncio.wait_for(scene.offer(NEW, *range(4, 3 + ROOM)), BOUND_S)
    await asyncio.wait_for(scene.offer(LEGACY, *range(3, 1000)), BOUND_S)
    legacys.cancel()
    await asyncio.wait({legacys})


async def test_whoever_waits_is_let_go_when_the_other_side_serves(scene: Scene) -> None:
    legacys = await held_by_legacy(scene)
    news = asyncio.create_task(scene.offer(NEW, *range(4, 1000)))
    await turns()
    assert scene.arbiter.backlog == ROOM + 1
    scene.lane.move(LEGACY, is_rollback=True)
    # The consumer has not returned within its bound.
    await asyncio.wait_for(news, scene.arbiter.limits.in_flight_s + BOUND_S)
    assert scene.arbiter.serving is LEGACY
    scene.gate.set()
    await legacys


async def test_a_task_that_ends_as_it_is_let_go_leaves_nothing_behind(scene: Scene) -> None:
    legacys = await held_by_legacy(scene)
    news = asyncio.create_task(scene.offer(NEW, *range(4, 1000)))
    await turns()
    waiting = scene.arbiter.backlog
    scene.leave = news.cancel
    scene.gate.set()
    assert await asyncio.wait_for(legacys, BOUND_S) == 2
    await asyncio.wait({news})
    await turns()
    assert scene.got == list(range(1, 3 + waiting))


async def test_a_wait_that_is_over_turns_no_circles_while_the_consumer_has_not_returned(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, look = 0, scene.lane._on_timer
    looked = asyncio.Event()

    def counted() -> None:
        nonlocal looks
        looks += 1
        looked.set()
        look()

    monkeypatch.setattr(scene.lane, "_on_timer", counted)
    for side in (NEW, LEGACY):
        await scene.offer(side, 1, 5)
    assert scene.got == [1, 5]
    # Both have lost 2 to 4; legacy's next hole waits, and the rebuilt book that comes meanwhile does not return.
    await scene.offer(LEGACY, 9)
    scene.gate.clear()
    healed = asyncio.create_task(scene.lane.take_in(NEW, Event(5, 5, "rebuilt", is_snapshot=True)))
    await scene.next_one()
    assert scene.got == [1, 5, "rebuilt"]
    await asyncio.wait_for(looked.wait(), BOUND_S)
    await turns()
    assert looks == 1
    scene.gate.set()
    await healed
    while scene.got[-1] != 9:
        await scene.next_one()


async def test_a_side_that_serves_no_more_hands_on_nothing_of_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task may be cancelled at any moment: a stack that ends has a bound, and then it would tear an event."""
    by: dict[Any, asyncio.Task[Any] | None] = {}
    consume = scene.lane._consume

    async def noted(item: Any) -> None:
        by[item] = asyncio.current_task()
        await consume(item)

    monkeypatch.setattr(scene.lane, "_consume", noted)
    for side in (NEW, LEGACY):
        await scene.offer(side, 1)
    scene.lane.move(NEW, is_rollback=False)
    scene.gate.clear()
    news = asyncio.create_task(scene.offer(NEW, 2))
    await scene.next_one()
    await scene.offer(LEGACY, 2, 3, 4)
    scene.lane.move(LEGACY, is_rollback=True)
    assert scene.got == [1, 2]
    scene.gate.set()
    await asyncio.wait_for(news, BOUND_S)
    while scene.got[-1] != 4:
        await scene.next_one()
    assert scene.got == [1, 2, 3, 4]
    assert by[2] is news
    assert news not in (by[3], by[4])
