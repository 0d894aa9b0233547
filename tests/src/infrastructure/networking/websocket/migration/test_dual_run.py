"""What a dual-run manager says of units that are made of several streams, and how streams begin while stages change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openfeature import api

from exchanges.structs.types import ConnectionState, MessageType, ParsedMessage, Symbol, Trade
from infrastructure.networking.websocket.migration import lanes as lanes_module
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.leg import OnMessage
from infrastructure.networking.websocket.migration.stage import Stage
from infrastructure.networking.websocket.migration.unit import PRIVATE, Unit

ACCOUNT = Unit("gateio", "spot", PRIVATE, account="0123456789ab")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DualRunManager]:
    """Of an account, with stacks that are never started."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))

    async def handler(_: Any) -> None:
        raise AssertionError("nothing is delivered here")

    yield DualRunManager(ACCOUNT, dict.fromkeys(Side, lambda *_: SimpleNamespace()), handler)
    api.clear_providers()


def lanes(*sides: Side, wanted: Side) -> dict[Any, Any]:
    return {
        number: SimpleNamespace(unit=ACCOUNT, wanted=wanted, arbiter=SimpleNamespace(serving=side))
        for number, side in enumerate(sides)
    }


@pytest.mark.parametrize("wanted", list(Side))
def test_an_account_is_where_it_was_until_all_of_its_streams_have_moved(manager: DualRunManager, wanted: Side) -> None:
    old = wanted.other
    for sides, told in (((old, old), old), ((wanted, old), old), ((old, wanted), old), ((wanted, wanted), wanted)):
        manager._lanes.by_stream = lanes(*sides, wanted=wanted)
        assert manager.serving() == {ACCOUNT: told}


BTC = Symbol("BTC", "USDT")
UNIT = Unit("gateio", "spot", "trade", "BTC_USDT")


def trade(number: int) -> ParsedMessage:
    return ParsedMessage(MessageType.TRADES, BTC, "trade", [Trade(BTC, 100.0, 1.0, "buy", 5, str(number))], 5)


class Served:
    """A manager in stage shadow whose two stacks are connected, and what its consumer got; legacy goes straight."""

    def __init__(self, kind: Callable[[OnMessage], OnMessage] = lambda handler: handler) -> None:
        async def handler(message: ParsedMessage) -> None:
            if message.message_type is MessageType.TRADES:
                self.got.append(int(message.data[0].trade_id))
            else:
                self.answers.append(message.data)

        async def send_message(message: dict[str, Any]) -> None: ...

        stack = SimpleNamespace(is_connected=lambda: True, send_message=send_message)
        stacks = dict.fromkeys(Side, lambda *_: stack)
        self.got: list[int] = []
        self.answers: list[Any] = []
        self.manager = DualRunManager(Unit("gateio", "spot"), stacks, kind(handler))
        for leg in self.manager._legs.values():
            leg.build()
        self.manager._add_units([BTC])
        self.manager._lanes.passage.is_open = True

    async def legacy(self, number: int) -> None:
        await self.manager._lanes.passage.hand_on(trade(number))

    async def new(self, number: int) -> None:
        await self.manager._lanes.take_in(Side.NEW, trade(number))

    def read_canary(self) -> None:
        """The flag's thread has read another stage, and the loop has not heard of it yet."""
        self.manager._reader._stages = dict.fromkeys(self.manager._reader._stages, Stage.CANARY)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    yield
    api.clear_providers()


@pytest.fixture
def served(files: None) -> Served:
    return Served()


@pytest.mark.parametrize("kind", [lambda handler: handler, lambda handler: lambda message: handler(message)])
async def test_in_stage_shadow_versions_that_begin_anew_reach_every_kind_of_handler(
    files: None, kind: Callable[[OnMessage], OnMessage]
) -> None:
    served = Served(kind)
    passage, looked = served.manager._lanes.passage, asyncio.Event()
    passage.is_open, may_open = False, passage._may_open

    def look() -> bool:
        looked.set()
        return may_open()

    passage._may_open = look
    keeper = asyncio.create_task(passage.keep_up())
    with suppress(TimeoutError):
        await asyncio.wait_for(looked.wait(), 5.0)
    await asyncio.sleep(0)
    numbers = [*range(1000, 1020), *range(1, 301)]
    for number in numbers:
        await served.legacy(number)
        await served.new(number)
    assert served.got == numbers
    keeper.cancel()


async def test_a_stream_whose_first_event_came_as_the_stage_changed_is_not_doubled(served: Served) -> None:
    await served.legacy(1)
    served.read_canary()
    await served.new(1)
    await served.legacy(2)
    assert served.got == [1, 2]
    await asyncio.sleep(0)
    for number in (2, 3):
        await served.new(number)
    await served.legacy(3)
    assert served.got == [1, 2, 3]
    assert served.manager.serving() == {UNIT: Side.NEW}


async def test_a_stage_is_applied_behind_all_that_went_straight(served: Served) -> None:
    for number in (1, 2):
        await served.legacy(number)
    served.read_canary()
    served.manager._lanes.passage.catch_up()
    await asyncio.sleep(0)
    for number in (1, 2, 3):
        await served.new(number)
    assert served.got == [1, 2, 3]
    assert served.manager.serving() == {UNIT: Side.NEW}


def answer(number: int, kind: MessageType = MessageType.OTHER) -> ParsedMessage:
    return ParsedMessage(kind, data=number)


async def to_canary(served: Served) -> None:
    """New speaks for both."""
    served.read_canary()
    assert served.manager._lanes.follow()
    assert served.manager._lanes.control_side is Side.NEW


async def test_an_answer_comes_by_the_side_that_was_asked(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await served.manager.send_message({"id": 7})
    await to_canary(served)
    hand_on = served.manager._lanes.passage.hand_on
    await hand_on(answer(7))
    await hand_on(answer(8, MessageType.SUBSCRIPTION_ERROR))
    await served.manager._lanes.take_in(Side.NEW, answer(9))
    assert served.answers == [7, 9]
    assert not served.manager._lanes.is_idle(Side.LEGACY)
    monkeypatch.setattr(lanes_module, "ANSWER_S", 0.0)
    await hand_on(answer(7))
    assert served.answers == [7, 9]
    assert served.manager._lanes.is_idle(Side.LEGACY)


async def test_what_the_standby_says_unasked_comes_to_nobody(served: Served) -> None:
    await to_canary(served)
    await served.manager._lanes.passage.hand_on(answer(7))
    assert served.answers == []
    assert served.manager._lanes.is_idle(Side.LEGACY)


async def test_a_way_back_closes_new_without_waiting_for_its_answer(served: Served) -> None:
    await to_canary(served)
    await served.manager.send_message({"id": 7})
    served.manager._reader.is_killed = True
    assert served.manager._lanes.follow()
    assert served.manager._lanes.is_idle(Side.NEW)
    await served.manager._lanes.take_in(Side.NEW, answer(7))
    assert served.answers == [7]


def test_every_unit_has_a_stage_from_the_beginning_and_all_are_off_while_the_kill_file_exists(served: Served) -> None:
    manager = served.manager
    assert next(iter(manager.stages())) == manager.scope
    assert UNIT in manager.stages()
    assert set(manager.stages().values()) == {Stage.SHADOW}
    served.read_canary()
    assert set(manager.stages().values()) == {Stage.CANARY}
    units = list(manager.stages())
    manager._reader.is_killed = True
    assert manager.stages() == dict.fromkeys(units, Stage.OFF)


class Counted:
    """A stack that connects at once."""

    def __init__(self, on_state: Any) -> None:
        self.on_state = on_state

    async def initialize(self, *_: Any) -> None:
        await self.on_state(ConnectionState.CONNECTED)

    def is_connected(self) -> bool:
        return True

    def get_performance_metrics(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        pass


async def test_a_new_stack_that_was_shed_is_started_again_by_a_way_forth_and_by_off_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback to shadow is no reason to let what harmed the process run again."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    built, says = [], [Stage.LIVE]

    def build(side: Side, _: Any, on_state: Any) -> Any:
        built.append(side)
        return Counted(on_state)

    async def handler(_: Any) -> None:
        raise AssertionError("nothing is delivered here")

    async def turn(stage: Stage) -> tuple[int, bool]:
        """How often new was made, and whether it counts as shed, once the stacks have followed the flag."""
        says[0] = stage
        manager._reader._wake.set()
        async with asyncio.timeout(10):
            while set(manager.stages().values()) != {stage} or not followed.is_set():
                followed.clear()
                await followed.wait()
        followed.clear()
        return built.count(Side.NEW), "new" in manager.get_performance_metrics()["migration"]["shed"]

    async def settle() -> None:
        await settle_legs()
        followed.set()

    builds = {side: partial(build, side) for side in Side}
    manager = DualRunManager(Unit("gateio", "spot"), builds, handler, stage=Stage.LIVE)
    followed, settle_legs = asyncio.Event(), manager._settle_legs
    monkeypatch.setattr(manager, "_settle_legs", settle)
    monkeypatch.setattr(manager._reader, "_read", lambda _: (says[0], "STATIC"))
    try:
        await manager.initialize([BTC])
        await manager._legs[Side.NEW].shed("new floods")
        assert await turn(Stage.CANARY) == (1, True)
        assert await turn(Stage.SHADOW) == (1, True)
        assert await turn(Stage.CANARY) == (2, False)
        await manager._legs[Side.NEW].shed("new floods")
        assert await turn(Stage.SHADOW) == (2, True)
        assert await turn(Stage.OFF) == (2, False)
        assert await turn(Stage.SHADOW) == (3, False)
    finally:
        await manager.close()
        api.clear_providers()
