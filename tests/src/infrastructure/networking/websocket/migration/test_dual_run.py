"""What a dual-run manager says of units that are made of several streams, and how streams begin while stages change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openfeature import api

from exchanges.structs.types import ConnectionState, MessageType, ParsedMessage, Symbol, Trade
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
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

    def __init__(self) -> None:
        async def handler(message: ParsedMessage) -> None:
            self.got.append(int(message.data[0].trade_id))

        stack = SimpleNamespace(is_connected=lambda: True)
        self.got: list[int] = []
        self.manager = DualRunManager(Unit("gateio", "spot"), dict.fromkeys(Side, lambda *_: stack), handler)
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
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    yield Served()
    api.clear_providers()


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
