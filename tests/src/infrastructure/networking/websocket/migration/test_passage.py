"""Legacy's straight way: nothing but the consumer's own coroutine, and what the arbiters are told behind it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exchanges.structs import MessageType, ParsedMessage
from infrastructure.networking.websocket.migration import passage as passage_module
from infrastructure.networking.websocket.migration.passage import PERIOD_S, Passage

FIRST, SECOND = (ParsedMessage(MessageType.OTHER, data=number) for number in (1, 2))


class Scene:
    """A consumer that returns when it is let go, and the way around it."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.arbitrated: list[Any] = []
        self.told: list[Any] = []
        self.may_open = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.passage = Passage(self.consume, self.take_in, self.told.append, lambda: self.may_open)

    async def consume(self, message: ParsedMessage) -> None:
        self.got.append(message)
        await self.gate.wait()

    async def take_in(self, message: ParsedMessage) -> None:
        self.arbitrated.append(message)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_the_straight_way_adds_no_await_and_no_lock(scene: Scene) -> None:
    scene.passage.is_open = True
    handed_on = scene.passage.hand_on(FIRST)
    assert inspect.iscoroutine(handed_on)
    # What the stack awaits is the consumer's own coroutine, with nothing around it.
    assert handed_on.cr_code is Scene.consume.__code__
    assert not inspect.iscoroutinefunction(Passage.hand_on)
    names = set(Passage.hand_on.__code__.co_names)
    assert names == {"is_open", "_behind", "append", "_delivery", "_consume", "_take_in"}
    await handed_on
    assert (scene.got, scene.arbitrated, scene.told) == ([FIRST], [], [])
    scene.passage.catch_up()
    assert scene.told == [FIRST]


async def test_shut_it_leads_by_the_arbiters_which_know_what_went_by(scene: Scene) -> None:
    scene.passage.is_open = True
    await scene.passage.hand_on(FIRST)
    assert scene.passage.shut()
    assert scene.told == [FIRST]
    await scene.passage.hand_on(SECOND)
    assert (scene.got, scene.arbitrated) == ([FIRST], [SECOND])
    assert scene.passage.shut()


async def test_it_does_not_shut_before_the_consumer_has_returned(scene: Scene) -> None:
    scene.passage.is_open = True
    scene.gate.clear()
    delivery = asyncio.ensure_future(scene.passage.hand_on(FIRST))
    await asyncio.sleep(0)
    assert scene.got == [FIRST]
    assert not scene.passage.shut()
    assert scene.passage.is_straight
    scene.gate.set()
    await delivery
    assert scene.passage.shut()


async def test_a_backlog_does_not_keep_it_open(scene: Scene) -> None:
    messages = [ParsedMessage(MessageType.OTHER, data=number) for number in range(100)]

    async def consume(message: ParsedMessage) -> None:
        scene.got.append(message)
        await asyncio.sleep(0)

    async def deliver() -> None:
        for message in messages:
            await passage.hand_on(message)

    passage = Passage(consume, scene.take_in, scene.told.append, lambda: True)
    passage.is_open = True
    backlog = asyncio.create_task(deliver())
    await asyncio.sleep(0)
    refused = 0
    while not passage.shut():
        # At each look the consumer has one, and the next is ready.
        refused += 1
        await asyncio.sleep(0)
    await backlog
    assert refused == 1
    assert scene.got == scene.told == messages[: len(scene.got)]
    assert scene.got + scene.arbitrated == messages
    assert len(scene.got) == 1


async def test_while_it_waits_to_shut_nothing_opens_it_and_what_went_by_is_still_to_be_told(scene: Scene) -> None:
    scene.passage.is_open = True
    scene.gate.clear()
    delivery = asyncio.ensure_future(scene.passage.hand_on(FIRST))
    await asyncio.sleep(0)
    assert not scene.passage.shut()
    assert scene.passage.is_straight
    opener = asyncio.create_task(scene.passage.keep_up())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(delivery), 5 * PERIOD_S)
    assert not scene.passage.is_open
    scene.gate.set()
    await delivery
    await scene.passage.hand_on(SECOND)
    assert not scene.passage.is_straight
    assert (scene.got, scene.told, scene.arbitrated) == ([FIRST], [FIRST], [SECOND])
    opener.cancel()


async def test_a_consumer_that_raises_has_returned() -> None:
    async def consume(message: ParsedMessage) -> None:
        raise RuntimeError("the consumer is broken")

    passage = Passage(consume, consume, lambda message: None, lambda: True)
    passage.is_open = True
    with pytest.raises(RuntimeError, match="the consumer is broken"):
        await passage.hand_on(FIRST)
    assert passage.shut()


@pytest.mark.no_cover
@pytest.mark.parametrize("each_turn", [20, 60, 200])
async def test_under_a_load_that_never_ends_what_is_still_to_be_told_stays_bounded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, each_turn: int
) -> None:
    monkeypatch.setattr(passage_module, "PERIOD_S", 0)
    scene.passage.is_open = True
    keeper = asyncio.create_task(scene.passage.keep_up())
    for turn in range(1, 501):
        for _ in range(each_turn):
            await scene.passage.hand_on(FIRST)
        await asyncio.sleep(0)
        assert turn * each_turn - len(scene.told) <= 10 * each_turn
    scene.passage.catch_up()
    assert len(scene.told) == len(scene.got)
    keeper.cancel()


class Handler:
    """A consumer that is an object."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def __call__(self, message: ParsedMessage) -> None:
        await self._scene.consume(message)


def kinds(scene: Scene) -> dict[str, Callable[[ParsedMessage], Awaitable[None]]]:
    return {
        "coroutine function": scene.consume,
        "object": Handler(scene),
        "function": lambda message: asyncio.ensure_future(scene.consume(message)),
    }


@pytest.mark.parametrize("kind", ["coroutine function", "object", "function"])
async def test_it_opens_for_every_kind_of_handler_when_nothing_stands_in_the_way(scene: Scene, kind: str) -> None:
    looked = asyncio.Event()
    answers = iter([False, True])

    def may_open() -> bool:
        looked.set()
        return next(answers)

    told = asyncio.Event()

    def note(message: ParsedMessage) -> None:
        scene.told.append(message)
        told.set()

    passage = Passage(kinds(scene)[kind], scene.take_in, note, may_open)
    task = asyncio.create_task(passage.keep_up())
    for expected in (False, True):
        await asyncio.wait_for(looked.wait(), 5.0)
        looked.clear()
        await asyncio.sleep(0)
        assert passage.is_open is expected
    await passage.hand_on(FIRST)
    await told.wait()
    assert scene.told == [FIRST]
    task.cancel()


@pytest.mark.parametrize("kind", ["coroutine function", "object", "function"])
async def test_of_every_kind_of_handler_it_knows_when_it_has_returned(scene: Scene, kind: str) -> None:
    passage = Passage(kinds(scene)[kind], scene.take_in, scene.told.append, lambda: True)
    passage.is_open = True
    scene.gate.clear()
    delivery = asyncio.ensure_future(passage.hand_on(FIRST))
    for _ in range(3):
        await asyncio.sleep(0)
    assert scene.got == [FIRST]
    assert passage.is_in_flight
    assert not passage.shut()
    scene.gate.set()
    await delivery
    assert not passage.is_in_flight
    assert passage.shut()
