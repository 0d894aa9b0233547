"""Which stack is started again when it has gone, and how long one that does not stay is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infrastructure.networking.websocket.migration import revival
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.revival import BUSY_S, MOST_S, Revival
from infrastructure.networking.websocket.migration.unit import Unit


class Clock:
    """Time that passes at once, up to the timer that is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits: list[float] = []
        self._due: Callable[[], Any] | None = None

    def call_later(self, delay_s: float, callback: Callable[[], Any]) -> Any:
        self.waits.append(delay_s)
        self._due = callback
        return asyncio.TimerHandle(self.now_s, callback, (), asyncio.get_running_loop())

    def run(self) -> None:
        self.now_s += self.waits[-1]
        due, self._due = self._due, None
        assert due is not None
        due()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(revival, "monotonic", lambda: one.now_s)
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", one.call_later)
    return one


async def test_each_start_that_does_not_last_is_waited_for_longer_and_a_good_one_begins_anew(clock: Clock) -> None:
    one = Revival(lambda: True)
    for _ in range(8):
        one.note_end()
        clock.run()
    assert clock.waits == [1, 2, 4, 8, 16, 32, 60, 60]
    clock.now_s += MOST_S
    one.note_end()
    clock.run()
    assert clock.waits[-1] == 1
    assert one.count == 9


async def test_what_cannot_be_started_just_now_is_tried_again_soon_and_counted_once(clock: Clock) -> None:
    answers = [False, False, True]
    one = Revival(lambda: answers.pop(0))
    one.note_end()
    for _ in range(3):
        clock.run()
    assert clock.waits == [1, BUSY_S, BUSY_S]
    assert one.count == 1


async def test_legacy_alone_is_started_again_when_a_stack_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    monkeypatch.setattr(revival, "FIRST_S", 0.0)
    built: list[Side] = []

    async def nothing(*_: Any) -> None: ...

    def build(side: Side, *_: Any) -> Any:
        built.append(side)
        return SimpleNamespace(initialize=nothing, close=nothing, is_connected=lambda: True)

    manager = DualRunManager(Unit("gateio", "spot"), {side: partial(build, side) for side in Side}, nothing)
    for leg in manager._legs.values():
        leg.build()
    for side in (Side.NEW, Side.LEGACY):
        await manager._legs[side].shed("it died")
        for _ in range(5):
            await asyncio.sleep(0)
    assert built == [Side.LEGACY, Side.NEW, Side.LEGACY]
    assert manager._migration_metrics()["restarts"] == 1
    await manager._legs[Side.LEGACY].shed("it died")
    await manager.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert built == [Side.LEGACY, Side.NEW, Side.LEGACY]
