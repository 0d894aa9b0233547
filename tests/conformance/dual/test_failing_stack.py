"""A new stack that cannot start, falls silent or floods beside the serving one."""

from __future__ import annotations

import asyncio
import sys
import time
from types import ModuleType
from typing import Any

import pytest

from bench.flip_drive import HandFlag
from exchanges.structs import (
    ConnectionState,
    ExchangeConfig,
    MessageType,
    ParsedMessage,
    Symbol,
    Trade,
)
from infrastructure.networking.websocket.migration import guard, stacks
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage
from infrastructure.networking.websocket.utils import create_websocket_manager
from tests.conformance.dual.traffic import (
    BTC,
    KINDS,
    Traffic,
    connected,
    versions,
    versions_seen,
)


class BrokenStack(ModuleType):
    """A module of a stack with builders that fail in different ways."""

    def cannot_build(self, *args: Any, **kwargs: Any) -> Any:
        """The builder itself fails."""
        raise RuntimeError("no such stack today")

    def cannot_start(self, *args: Any, **kwargs: Any) -> Any:
        """What it makes can be neither started nor closed."""
        return Unstartable()

    def flooding(self, config: Any, is_private: bool, on_message: Any, on_state: Any, **kwargs: Any) -> Any:
        """What it makes repeats one old trade without end."""
        return Flooding(on_message, on_state)


class Flooding:
    """A stack that is connected and never stops."""

    handler = None

    def __init__(self, on_message: Any, on_state: Any) -> None:
        self._on_message, self._on_state = on_message, on_state
        self._task: asyncio.Task[None] | None = None

    async def initialize(self, symbols: Any = None, default_channels: Any = None) -> None:
        await self._on_state(ConnectionState.CONNECTED)
        self._task = asyncio.create_task(self._flood(symbols[0]))

    async def _flood(self, symbol: Symbol) -> None:
        trade = Trade(symbol, 1.0, 1.0, "buy", 5, "101")
        while True:
            for _ in range(50):
                await self._on_message(ParsedMessage(MessageType.TRADES, symbol, "trade", [trade], 5))
            await asyncio.sleep(0)

    def is_connected(self) -> bool:
        return True

    def get_performance_metrics(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Unstartable:
    """A stack that can be made and not started."""

    handler = None

    async def initialize(self, symbols: Any = None, default_channels: Any = None) -> None:
        raise RuntimeError("it does not start")

    async def close(self) -> None:
        raise RuntimeError("nor does it close")


@pytest.mark.parametrize("stage", ["shadow", "canary"])
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("no.such.module:build", "cannot be loaded"),
        ("broken_stack:cannot_build", "no such stack today"),
        ("broken_stack:cannot_start", "it does not start"),
    ],
)
async def test_a_new_stack_that_fails_is_shed_and_legacy_serves(
    flag: HandFlag,
    exchange_config: ExchangeConfig,
    venue: Any,
    caller: Any,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    says: str,
    stage: str,
) -> None:
    exchange = exchange_config.name.partition("_")[0].lower()
    monkeypatch.setitem(stacks.BUILDERS, ("new", exchange), path)
    monkeypatch.setitem(sys.modules, "broken_stack", BrokenStack("broken_stack"))
    monkeypatch.setattr("infrastructure.networking.websocket.utils.require_mixins", lambda *args: None)
    flag.turn(Stage(stage))
    dual = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state, placement="inline")
    try:
        await dual.initialize([BTC])
        link = await venue.subscribed(0, BTC)
        await link.send(venue.wire.push("trade", BTC, 101))
        await caller.got(1, MessageType.TRADES)
        assert dual.is_connected()
        assert dual.connection_state is ConnectionState.CONNECTED
        assert set(dual.serving().values()) == {Side.LEGACY}
        assert says in dual.get_performance_metrics()["migration"]["shed"]["new"]
    finally:
        await dual.close()


async def test_a_silent_new_stack_is_left_without_being_told_and_stays_left(
    flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SILENCE_S", 0.3)
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=10)

    async def served(side: Side, stage: str) -> None:
        await traffic.served(dual, side, Stage(stage))
        await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)

    flag.turn(Stage.LIVE)
    await served(Side.NEW, "live")
    new = venue.connections.pop(1)
    await traffic.push()
    began = time.monotonic()
    await caller.until(traffic.has_arrived)
    assert time.monotonic() - began > 0.25
    venue.connections.append(new)
    # A gap on both sides: what new was not sent is lost to it alone.
    latched = dual.get_performance_metrics()["migration"]["latched"]
    assert set(latched.values()) == {"new has been silent for 0.3 s while legacy was not"}
    assert set(latched) == {str(unit) for unit in dual.serving()}
    # Stage live is still what the flag says, and canary names new as well.
    flag.turn(Stage.CANARY)
    await served(Side.LEGACY, "canary")
    flag.turn(Stage.SHADOW)
    await served(Side.LEGACY, "shadow")
    # The stage is known a moment before the streams are told of it.
    await traffic.until(lambda: not dual.get_performance_metrics()["migration"]["latched"])
    flag.turn(Stage.CANARY)
    await served(Side.NEW, "canary")
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind


@pytest.mark.parametrize("stage", ["shadow", "live"])
async def test_a_new_stack_that_floods_is_shed(
    flag: HandFlag,
    exchange_config: ExchangeConfig,
    venue: Any,
    caller: Any,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    exchange = exchange_config.name.partition("_")[0].lower()
    monkeypatch.setitem(stacks.BUILDERS, ("new", exchange), "broken_stack:flooding")
    monkeypatch.setitem(sys.modules, "broken_stack", BrokenStack("broken_stack"))
    monkeypatch.setattr("infrastructure.networking.websocket.utils.require_mixins", lambda *args: None)
    monkeypatch.setattr(guard, "FLOOD_LOOKS", 1)
    flag.turn(Stage.SHADOW)
    dual = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state, placement="inline")
    try:
        await dual.initialize([BTC])
        link = await venue.subscribed(0, BTC)
        flag.turn(Stage(stage))
        number = 101
        while "new" not in dual.get_performance_metrics()["migration"]["shed"]:
            await link.send(venue.wire.push("trade", BTC, number))
            await caller.got(number - 100, MessageType.TRADES)
            number += 1
        await link.send(venue.wire.push("trade", BTC, number))
        await caller.got(number - 100, MessageType.TRADES)
        assert versions(caller.messages, "trade") == list(range(101, number + 1))
        assert "new floods: " in dual.get_performance_metrics()["migration"]["shed"]["new"]
        assert set(dual.serving().values()) == {Side.LEGACY}
    finally:
        await dual.close()
