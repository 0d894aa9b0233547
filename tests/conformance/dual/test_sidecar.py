"""The new stack in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.flip_drive import HandFlag
from exchanges.structs import (
    ExchangeConfig,
)
from infrastructure.networking.websocket.migration import guard, revival
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture
from infrastructure.networking.websocket.utils import create_websocket_manager
from tests.conformance.dual.traffic import (
    BTC,
    KINDS,
    TYPES,
    Traffic,
    soon,
    versions,
    versions_seen,
)


@pytest.mark.no_cover
async def test_flips_to_a_sidecar_and_back_lose_nothing_and_its_death_brings_legacy(
    flag: HandFlag, beside: DualRunManager, venue: Any, caller: Any
) -> None:
    await beside.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)
    traffic = Traffic(venue, caller, seed=8)
    await traffic.push()
    await caller.until(lambda: set(beside.serving().values()) == {Side.LEGACY} and len(beside.serving()) == 3)
    task = asyncio.create_task(traffic.run())
    for stage, side in (*(("canary", Side.NEW), ("shadow", Side.LEGACY)) * 5, ("live", Side.NEW)):
        flag.turn(Stage(stage))
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
    await caller.until(traffic.has_arrived)
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
    assert [one for one in beside.flip_records() if one.audit is not None and not one.audit.is_clean] == []
    assert "ended with code -9" in beside.get_performance_metrics()["migration"]["shed"]["new"]


@pytest.mark.parametrize("venue", ["gateio"], indirect=True)
@pytest.mark.parametrize("stage", ["live", "rampdown"])
async def test_sides_change_places_when_the_process_starts_again_and_never_at_a_flip(
    flag: HandFlag, exchange_config: ExchangeConfig, venue: Any, caller: Any, stage: str
) -> None:
    """New serves inline from its first message, legacy stands by in the sidecar and takes over from there."""
    flag.turn(Stage(stage))
    again = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state)
    try:
        await again.initialize([BTC])
        await venue.subscribed(0, BTC)
        await venue.subscribed(1, BTC)
        traffic = Traffic(venue, caller, seed=21)
        for turn, side in ((stage, Side.NEW), ("shadow", Side.LEGACY), (stage, Side.NEW)):
            flag.turn(Stage(turn))
            async with asyncio.timeout(10):
                await traffic.served(again, side)
            assert set(again.get_performance_metrics()["migration"]["sidecars"]) == {"legacy"}
        await caller.until(traffic.has_arrived)
        for kind in KINDS:
            assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
        assert [one.to for one in again.flip_records()] == [Side.LEGACY] * 3 + [Side.NEW] * 3
        events = again.get_performance_metrics()["migration"]["events"]
        assert sum(events.values()) == sum(message.message_type in TYPES for message in caller.messages)
    finally:
        await again.close()


@pytest.mark.parametrize("venue", ["gateio"], indirect=True)
@pytest.mark.parametrize("stage", ["canary", "live", "rampdown"])
async def test_legacy_that_dies_in_its_sidecar_stands_by_again_without_being_told_and_can_be_gone_back_to(
    flag: HandFlag,
    exchange_config: ExchangeConfig,
    venue: Any,
    caller: Any,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    monkeypatch.setattr(revival, "FIRST_S", 0.05)
    flag.turn(Stage(stage))
    again = create_websocket_manager(exchange_config, False, caller.on_message, caller.on_state)

    def migration() -> Any:
        return again.get_performance_metrics()["migration"]

    try:
        await again.initialize([BTC])
        await venue.subscribed(0, BTC)
        await venue.subscribed(1, BTC)
        traffic = Traffic(venue, caller, seed=22)
        pid = migration()["sidecars"]["legacy"]
        os.kill(pid, signal.SIGKILL)
        await soon(lambda: "ended with code -9" in migration()["shed"].get("legacy", ""))
        await soon(lambda: migration()["connected"]["legacy"])
        assert migration()["sidecars"]["legacy"] != pid
        assert migration()["shed"] == {}
        assert migration()["restarts"] == 1
        await venue.subscribed(2, BTC)

        async def served(side: Side) -> None:
            async with asyncio.timeout(10):
                await traffic.served(again, side)

        await served(Side.NEW)
        flag.turn(Stage.SHADOW)
        await served(Side.LEGACY)
        os.kill(migration()["sidecars"]["legacy"], signal.SIGKILL)
        await served(Side.NEW)
        await served(Side.LEGACY)
        assert migration()["restarts"] == 2
        await caller.until(traffic.has_arrived)
        for kind in KINDS:
            assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
    finally:
        await again.close()


@pytest.mark.no_cover
@pytest.mark.parametrize("stage", ["shadow", "canary", "live"])
async def test_a_new_stack_that_is_wedged_in_its_sidecar_is_not_noticed(
    flag: HandFlag, beside: DualRunManager, venue: Any, caller: Any, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(guard, "SILENCE_S", 0.3)
    await beside.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)
    traffic = Traffic(venue, caller, seed=15)
    side = Side(serving_architecture(Stage(stage)))
    flag.turn(Stage(stage))
    await traffic.served(beside, side)
    await caller.until(traffic.has_arrived)
    pid = beside.get_performance_metrics()["migration"]["sidecars"]["new"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(10):
            await traffic.push()
        await caller.until(traffic.has_arrived)
        assert set(beside.serving().values()) == {Side.LEGACY}
    finally:
        os.kill(pid, signal.SIGCONT)
    latched = beside.get_performance_metrics()["migration"]["latched"]
    assert len(latched) == (0 if stage == "shadow" else 3)
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind


@pytest.mark.no_cover
async def test_the_kill_file_works_with_the_flag_and_the_new_stack_frozen(
    flag: HandFlag, beside: DualRunManager, venue: Any, caller: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No judge and no controller runs; the flag's thread hangs in its provider, and new's process is stopped."""
    await beside.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)
    traffic = Traffic(venue, caller, seed=13)
    flag.turn(Stage.LIVE)
    await traffic.served(beside, Side.NEW)
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
        await caller.until(traffic.has_arrived)
    finally:
        os.kill(pid, signal.SIGCONT)
        released.set()
    # The guard would have needed a second.
    assert took_s < guard.SILENCE_S
    assert beside.get_performance_metrics()["migration"]["latched"] == {}
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
