"""Both real stacks behind one manager: flips under load, what is sent, and stacks that fail beside the serving one."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openfeature import api
from openfeature.event import ProviderEventDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from exchanges.structs import (
    ConnectionState,
    ExchangeConfig,
    ExchangeRestError,
    MessageType,
    ParsedMessage,
    Symbol,
    Trade,
)
from infrastructure.networking.websocket.migration import guard, lane, stacks
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import DOMAIN, FLAG, Stage, serving_architecture
from infrastructure.networking.websocket.utils import create_websocket_manager

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
KINDS = ("book", "trade", "book_ticker")
TYPES = {
    MessageType.ORDERBOOK: "book",
    MessageType.TRADES: "trade",
    MessageType.BOOK_TICKER: "book_ticker",
}
VARIANTS = {stage.value: stage.value for stage in Stage}
FLIPS = {"GATEIO_SPOT": 50}
FEWER_FLIPS = 10
ROUND = 10
AHEAD = 30


class Flag:
    """The flag of the test: set here, read by the stacks as an application's provider would be."""

    def __init__(self) -> None:
        self._flags = {FLAG: InMemoryFlag("shadow", VARIANTS)}
        self._provider = InMemoryProvider(self._flags)
        api.set_provider_and_wait(self._provider, DOMAIN)

    def set(self, stage: str) -> None:
        self._flags[FLAG] = InMemoryFlag(stage, VARIANTS)
        # The provider keeps a copy.
        self._provider.__init__(self._flags)  # type: ignore[misc]  # it has no other way to change a flag
        self._provider.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=[FLAG]))


@pytest.fixture
def flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flag]:
    """Stage shadow at first."""
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    yield Flag()
    api.clear_providers()


@pytest.fixture
async def dual(flag: Flag, exchange_config: ExchangeConfig, caller: Any) -> AsyncIterator[DualRunManager]:
    """What the factory gives in stage shadow, not yet initialised; closed at the end."""
    options = {"logger": logging.getLogger("conformance"), "placement": "inline"}
    built = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state, **options)
    assert isinstance(built, DualRunManager)
    yield built
    await built.close()


async def connected(dual: DualRunManager, venue: Any, caller: Any) -> None:
    """Both stacks have asked for everything."""
    await dual.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)


def versions(messages: list[ParsedMessage], kind: str) -> list[int]:
    """The versions or ids that a consumer got, rebuilt books left out."""
    got = []
    for message in messages:
        if TYPES.get(message.message_type) != kind:
            continue
        data = message.data
        if kind == "trade":
            got += [int(trade.trade_id) for trade in data]
        elif kind == "book_ticker":
            got.append(data.update_id)
        elif not data.is_snapshot:
            got.append(data.last_update_id)
    return got


class Traffic:
    """Numbered pushes to every connection, a bounded number ahead of the consumer."""

    def __init__(self, venue: Any, caller: Any, seed: int) -> None:
        self.venue, self.caller = venue, caller
        self.number = 100
        self.is_over = False
        self._rng = random.Random(seed)

    async def run(self) -> None:
        while not self.is_over:
            await self.push()
            await self.caller.until(lambda: self.number - len(versions_seen(self.caller)) < 100 + AHEAD)

    async def push(self) -> None:
        self.number += 1
        links = list(self.venue.connections)
        self._rng.shuffle(links)
        for link in links:
            for kind in KINDS:
                with suppress(ConnectionClosed):
                    await link.send(self.venue.wire.push(kind, BTC, self.number))
            if self._rng.random() < 0.3:
                await asyncio.sleep(0)


def versions_seen(caller: Any) -> range:
    """As many as book tickers came, without a look at every message each time."""
    newest = next((m for m in reversed(caller.messages) if m.message_type is MessageType.BOOK_TICKER), None)
    return range(0 if newest is None else newest.data.update_id - 100)


@pytest.mark.checklist("R.5", "S.19")
async def test_fifty_flips_each_way_lose_double_and_reorder_nothing(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=5)
    await traffic.push()
    await caller.until(lambda: set(dual.serving().values()) == {Side.LEGACY} and len(dual.serving()) == 3)
    task = asyncio.create_task(traffic.run())
    began = time.monotonic()
    flips = FLIPS.get(venue.wire.name, FEWER_FLIPS)
    for stage, side in (("canary", Side.NEW), ("shadow", Side.LEGACY)) * flips:
        flag.set(stage)
        await caller.until(lambda side=side: len(dual.serving()) == 3 and set(dual.serving().values()) == {side})
        arrived = traffic.number
        await caller.until(lambda arrived=arrived: len(versions_seen(caller)) + 100 > arrived)
    took_s = time.monotonic() - began
    traffic.is_over = True
    await task
    await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))

    for kind in KINDS:
        got = versions(caller.messages, kind)
        assert got == list(range(got[0], traffic.number + 1)), kind
        assert got[0] == 101
    records = dual.flip_records()
    assert len(records) == 2 * flips * len(KINDS)
    assert [one for one in records if one.audit is None or not one.audit.is_clean] == []
    waits_s = [one.first_at - one.decided_at for one in records if one.first_at is not None]
    assert len(waits_s) == len(records)
    rate, p99_s = len(caller.messages) / took_s, p99(waits_s)
    print(f"{venue.wire.name}: {len(records)} flips, {rate:.0f}/s, first event p99 {1e3 * p99_s:.1f} ms")  # noqa: T201
    # The best of several rounds, so that a neighbour's turn is not taken for ours.
    size = 2 * ROUND * len(KINDS)
    assert min(p99(waits_s[at : at + size]) for at in range(0, len(waits_s), size)) <= 0.05


def p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


async def test_new_dead_before_the_rollback_leaves_no_hole(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=6)
    await traffic.push()
    await caller.until(lambda: len(dual.serving()) == 3)
    flag.set("live")
    while set(dual.serving().values()) != {Side.NEW}:
        await traffic.push()
        await asyncio.sleep(0)
    await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
    # Legacy is started first.
    new = venue.connections[1]
    venue.connections.remove(new)
    reached = traffic.number
    for _ in range(200):
        await traffic.push()
    flag.set("shadow")
    await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
    assert traffic.number == reached + 200
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
    venue.connections.append(new)


async def test_a_request_goes_out_once_by_the_side_that_serves(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=7)
    await traffic.push()
    await caller.until(lambda: len(dual.serving()) == 3)
    senders = []
    stages = ("shadow", "canary", "live", "rampdown", "shadow", "off", "complete")
    for number, stage in enumerate(stages):
        side = Side(serving_architecture(Stage(stage)))
        flag.set(stage)
        message = {"method": "PING", "time": number, "channel": "spot.custom"}
        # While the sides change places, too.
        await dual.send_message(message)
        while set(dual.serving().values()) != {side} or dual.stages()[dual.scope] is not Stage(stage):
            await traffic.push()
            await asyncio.sleep(0.001)
        if stage == "off":
            await venue.connections[1].wait_closed()
        await dual.send_message(message | {"settled": True})
        await venue.until(lambda number=number: sent(venue, number) == 2)
        senders.append(sender(venue, number))
    assert [sent(venue, number) for number in range(len(stages))] == [2] * len(stages)
    assert senders == [0, 1, 1, 1, 0, 0, 2]


def sent(venue: Any, number: int) -> int:
    """How often a request reached the exchange, over all connections."""
    return sum(
        request.get("method") == "PING" and request.get("time") == number
        for requests in venue.requests
        for request in requests
    )


def sender(venue: Any, number: int) -> int:
    """Which connection carried the request that was sent when the sides had settled."""
    (found,) = [
        at
        for at, requests in enumerate(venue.requests)
        for request in requests
        if request.get("time") == number and request.get("settled")
    ]
    return found


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
    flag: Flag,
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
    flag.set(stage)
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
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SILENCE_S", 0.3)
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=10)

    async def served(side: Side, stage: str) -> None:
        while set(dual.serving().values()) != {side} or dual.stages()[dual.scope] is not Stage(stage):
            await traffic.push()
            await asyncio.sleep(0.001)
        await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)

    flag.set("live")
    await served(Side.NEW, "live")
    new = venue.connections.pop(1)
    await traffic.push()
    began = time.monotonic()
    await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
    assert time.monotonic() - began > 0.25
    venue.connections.append(new)
    # A gap on both sides: what new was not sent is lost to it alone.
    latched = dual.get_performance_metrics()["migration"]["latched"]
    assert set(latched.values()) == {"new has been silent for 0.3 s while legacy was not"}
    assert set(latched) == {str(unit) for unit in dual.serving()}
    # Stage live is still what the flag says, and canary names new as well.
    flag.set("canary")
    await served(Side.LEGACY, "canary")
    flag.set("shadow")
    await served(Side.LEGACY, "shadow")
    assert dual.get_performance_metrics()["migration"]["latched"] == {}
    flag.set("canary")
    await served(Side.NEW, "canary")
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind


@pytest.mark.parametrize("stage", ["shadow", "live"])
async def test_a_new_stack_that_floods_is_shed(
    flag: Flag,
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
    flag.set("shadow")
    dual = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state, placement="inline")
    try:
        await dual.initialize([BTC])
        link = await venue.subscribed(0, BTC)
        flag.set(stage)
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


async def test_the_caller_sees_one_stack(flag: Flag, dual: DualRunManager, venue: Any, caller: Any) -> None:
    """Its states, answers and errors once, whatever the standby does."""
    with pytest.raises(ExchangeRestError, match="503"):
        await dual.subscribe([ETH])
    await connected(dual, venue, caller)
    await caller.until(lambda: caller.states.count(ConnectionState.CONNECTED) == 1)
    await venue.connections[1].close(1011)
    await venue.until(lambda: len(venue.connections) == 3)
    await venue.connections[0].send(venue.wire.push("trade", BTC, 101))
    await caller.got(1, MessageType.TRADES)
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    await dual.subscribe([ETH])
    await venue.until(lambda: venue.asked(0) >= venue.market(BTC, ETH))
    await venue.until(lambda: venue.asked(2) >= venue.market(BTC, ETH))
    await dual.unsubscribe([ETH])
    await venue.until(lambda: venue.asked(2, False) >= venue.market(ETH))
    await dual.close()
    assert caller.states[-2:] == [ConnectionState.CLOSING, ConnectionState.CLOSED]


@pytest.fixture
async def beside(flag: Flag, exchange_config: ExchangeConfig, caller: Any) -> AsyncIterator[DualRunManager]:
    """Legacy in this process, new in a sidecar, which is what a caller gets who says nothing of it."""
    built = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state)
    yield built
    await built.close()


async def test_flips_to_a_sidecar_and_back_lose_nothing_and_its_death_brings_legacy(
    flag: Flag, beside: DualRunManager, venue: Any, caller: Any
) -> None:
    await beside.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)
    traffic = Traffic(venue, caller, seed=8)
    await traffic.push()
    await caller.until(lambda: set(beside.serving().values()) == {Side.LEGACY} and len(beside.serving()) == 3)
    task = asyncio.create_task(traffic.run())
    for stage, side in (*(("canary", Side.NEW), ("shadow", Side.LEGACY)) * 5, ("live", Side.NEW)):
        flag.set(stage)
        await caller.until(lambda side=side: set(beside.serving().values()) == {side})
        arrived = traffic.number
        await caller.until(lambda arrived=arrived: len(versions_seen(caller)) + 100 > arrived)
    pid = beside.get_performance_metrics()["migration"]["sidecars"]["new"]
    os.kill(pid, signal.SIGKILL)
    venue.connections.pop(1)
    await caller.until(lambda: set(beside.serving().values()) == {Side.LEGACY})
    arrived = traffic.number
    await caller.until(lambda: len(versions_seen(caller)) + 100 > arrived)
    traffic.is_over = True
    await task
    await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
    assert [one for one in beside.flip_records() if one.audit is not None and not one.audit.is_clean] == []
    assert "ended with code -9" in beside.get_performance_metrics()["migration"]["shed"]["new"]


@pytest.mark.parametrize("venue", ["gateio"], indirect=True)
@pytest.mark.parametrize("stage", ["live", "rampdown"])
async def test_sides_change_places_when_the_process_starts_again_and_never_at_a_flip(
    flag: Flag, exchange_config: ExchangeConfig, venue: Any, caller: Any, stage: str
) -> None:
    """New serves inline from its first message, legacy stands by in the sidecar and takes over from there."""
    flag.set(stage)
    again = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state)
    try:
        await again.initialize([BTC])
        await venue.subscribed(0, BTC)
        await venue.subscribed(1, BTC)
        traffic = Traffic(venue, caller, seed=21)
        for turn, side in ((stage, Side.NEW), ("shadow", Side.LEGACY), (stage, Side.NEW)):
            flag.set(turn)
            async with asyncio.timeout(10):
                while len(again.serving()) < 3 or set(again.serving().values()) != {side}:
                    await traffic.push()
                    await asyncio.sleep(0.001)
            assert set(again.get_performance_metrics()["migration"]["sidecars"]) == {"legacy"}
        await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
        for kind in KINDS:
            assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
        assert [one.to for one in again.flip_records()] == [Side.LEGACY] * 3 + [Side.NEW] * 3
        events = again.get_performance_metrics()["migration"]["events"]
        assert sum(events.values()) == sum(message.message_type in TYPES for message in caller.messages)
    finally:
        await again.close()


@pytest.mark.parametrize("stage", ["shadow", "canary", "live"])
async def test_a_new_stack_that_is_wedged_in_its_sidecar_is_not_noticed(
    flag: Flag, beside: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(guard, "SILENCE_S", 0.3)
    await beside.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)
    traffic = Traffic(venue, caller, seed=15)
    side = Side(serving_architecture(Stage(stage)))
    flag.set(stage)
    while len(beside.serving()) < 3 or set(beside.serving().values()) != {side}:
        await traffic.push()
        await asyncio.sleep(0.001)
    await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
    pid = beside.get_performance_metrics()["migration"]["sidecars"]["new"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(10):
            await traffic.push()
        await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
        assert set(beside.serving().values()) == {Side.LEGACY}
    finally:
        os.kill(pid, signal.SIGCONT)
    latched = beside.get_performance_metrics()["migration"]["latched"]
    assert len(latched) == (0 if stage == "shadow" else 3)
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind


async def test_the_kill_file_works_with_the_flag_and_the_new_stack_frozen(
    flag: Flag, beside: DualRunManager, venue: Any, caller: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No judge and no controller runs; the flag's thread hangs in its provider, and new's process is stopped."""
    await beside.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)
    traffic = Traffic(venue, caller, seed=13)
    flag.set("live")
    while len(beside.serving()) < 3 or set(beside.serving().values()) != {Side.NEW}:
        await traffic.push()
        await asyncio.sleep(0.001)
    await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
    hangs, released = threading.Event(), threading.Event()

    def hang(unit: Any) -> Any:
        hangs.set()
        released.wait()
        return None, "ERROR"

    monkeypatch.setattr(beside._reader, "_read", hang)
    await asyncio.to_thread(hangs.wait)
    pid = beside.get_performance_metrics()["migration"]["sidecars"]["new"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(10):
            await traffic.push()
        began = time.monotonic()
        (tmp_path / "websocket.kill").touch()
        await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
        took_s = time.monotonic() - began
        assert set(beside.serving().values()) == {Side.LEGACY}
        await traffic.push()
        await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
    finally:
        os.kill(pid, signal.SIGCONT)
        released.set()
    # The guard would have needed a second.
    assert took_s < guard.SILENCE_S
    assert beside.get_performance_metrics()["migration"]["latched"] == {}
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind


async def test_a_stage_opens_and_closes_the_stacks_and_the_kill_file_closes_new(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any, tmp_path: Path
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=9)

    async def served(side: Side, links: list[int]) -> None:
        """Push until this side serves everything and these connections alone are open."""
        while True:
            await traffic.push()
            await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
            is_open = [at for at, link in enumerate(everything) if link.state is State.OPEN]
            if len(dual.serving()) == 3 and set(dual.serving().values()) == {side} and is_open == links:
                return
            everything[:] = list(dict.fromkeys([*everything, *venue.connections]))
            await asyncio.sleep(0)

    everything = list(venue.connections)
    await served(Side.LEGACY, [0, 1])
    flag.set("live")
    await served(Side.NEW, [0, 1])
    (tmp_path / "websocket.kill").touch()
    await served(Side.LEGACY, [0])
    (tmp_path / "websocket.kill").unlink()
    await served(Side.NEW, [0, 2])
    flag.set("complete")
    await served(Side.NEW, [2])
    await dual.send_message({"method": "PING", "time": 7, "channel": "spot.custom"})
    await venue.until(lambda: sent(venue, 7) == 1)
    for kind in KINDS:
        got = versions(caller.messages, kind)
        assert got == list(range(101, traffic.number + 1)), kind


async def test_what_both_stacks_missed_is_told_as_a_gap(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any
) -> None:
    flag.set("canary")
    await connected(dual, venue, caller)
    for number in (101, 105):
        for link in venue.connections:
            await link.send(venue.wire.push("book", BTC, number))
    await caller.until(lambda: versions(caller.messages, "book") == [101, 105])
    (unit,) = dual.serving()
    migration = dual.get_performance_metrics()["migration"]
    assert (migration["gaps"], migration["events"]) == ({str(unit): 1}, {str(unit): 2})


@pytest.mark.parametrize("stage", ["canary", "shadow"])
async def test_behind_a_hole_of_both_stacks_a_rest_snapshot_mends_the_book(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any, stage: str
) -> None:
    """New rebuilds the book, whoever serves: with legacy back in its place it is the standby's that is taken."""
    await connected(dual, venue, caller)

    def books() -> list[tuple[int, bool]]:
        found = [one.data for one in caller.messages if one.message_type is MessageType.ORDERBOOK]
        return [(book.last_update_id, bool(book.is_snapshot)) for book in found]

    async def push(*numbers: int) -> None:
        for number in numbers:
            for link in venue.connections:
                await link.send(venue.wire.push("book", BTC, number))
            await caller.until(lambda number=number: (number, False) in books())

    def is_synced() -> bool:
        stack = dual._legs[Side.NEW].stack
        return stack is not None and stack.get_performance_metrics()["handler"]["books"]["synced"] == 1

    await push(101, 102)
    await soon(is_synced)
    for turn, side in (("canary", Side.NEW), (stage, Side(serving_architecture(Stage(stage))))):
        flag.set(turn)
        await soon(lambda side=side: set(dual.serving().values()) == {side})
    venue.book_version = 105
    before = len(books())
    await push(106)
    await caller.until(lambda: (106, True) in books()[before:])
    await push(107, 108)
    assert books()[before:] == [(106, False), (106, True), (107, False), (108, False)]
    assert list(dual.get_performance_metrics()["migration"]["gaps"].values()) == [1]


async def test_in_stage_shadow_legacy_goes_straight_to_the_consumer_and_flips_know_what_went_by(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=12)
    monkeypatch.setattr(lane, "STRAIGHT_AFTER_S", 0.0)
    passage = dual._passage
    for _ in range(3):
        while not passage.is_open:
            await traffic.push()
            await asyncio.sleep(0)
        for _ in range(20):
            await traffic.push()
        assert passage.is_open
        for stage, side in (("canary", Side.NEW), ("shadow", Side.LEGACY)):
            flag.set(stage)
            while set(dual.serving().values()) != {side}:
                await traffic.push()
                await asyncio.sleep(0)
            assert side is Side.LEGACY or not passage.is_open
            await traffic.push()
            await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
    await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
    records = dual.flip_records()
    assert len(records) == 18
    assert [one for one in records if one.first_at is None or one.audit is None or not one.audit.is_clean] == []


async def test_a_stream_that_began_on_the_straight_way_is_known_when_the_stage_has_changed(
    flag: Flag, dual: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connected(dual, venue, caller)
    passage = dual._passage
    await soon(lambda: passage.is_open)
    tell = passage.catch_up
    # Nothing is told before the way is shut.
    monkeypatch.setattr(passage, "catch_up", lambda limit=None: tell() if limit is None else None)
    traffic = Traffic(venue, caller, seed=14)
    legacy, new = venue.connections
    venue.connections[:] = [legacy]
    await traffic.push()
    await caller.until(lambda: all(versions(caller.messages, kind) for kind in KINDS))
    assert dual._lanes == {}
    flag.set("live")
    await soon(lambda: not passage.is_open)
    for kind in KINDS:
        await new.send(venue.wire.push(kind, BTC, traffic.number))
    venue.connections.append(new)
    while set(dual.serving().values()) != {Side.NEW}:
        await traffic.push()
        await asyncio.sleep(0.001)
    await traffic.push()
    await caller.until(lambda: all(versions(caller.messages, kind)[-1:] == [traffic.number] for kind in KINDS))
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind


async def soon(condition: Callable[[], bool]) -> None:
    """Until it is so; what is looked at tells nobody that it changed."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)
