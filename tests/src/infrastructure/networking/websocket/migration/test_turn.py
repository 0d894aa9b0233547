"""How long a sidecar's records hold the consumer's loop at a stretch."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator

import pytest

from exchanges.structs import ConnectionState, ExchangeConfig, MessageType, ParsedMessage
from infrastructure.networking.websocket.migration import turn
from infrastructure.networking.websocket.migration.ring import Ring
from infrastructure.networking.websocket.migration.sidecar import TURN, Sidecar, StackSpec
from infrastructure.networking.websocket.migration.turn import GLANCE, TURN_S

RECORDS = 5 * TURN


class Scene:
    """A ring full of records, whose handler takes its time, beside a neighbour on the same loop.

    Time passes where one of the two takes it, and nowhere else.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.cost_s = 0.0
        self.neighbours_s = 0.0
        self.run = 0
        self.runs: list[int] = []
        self.ring = Ring.create(1 << 20)
        spec = StackSpec("new", ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/"), False, {})
        self.sidecar = Sidecar(spec, self._on_message, self._on_state)

    async def _on_message(self, message: ParsedMessage) -> None:
        self.now_s += self.cost_s
        self.run += 1

    async def _on_state(self, state: ConnectionState) -> None: ...

    async def _neighbour(self) -> None:
        while True:
            self.now_s += self.neighbours_s
            self.runs.append(self.run)
            self.run = 0
            await asyncio.sleep(0)

    async def hand_on(self) -> None:
        payload = pickle.dumps(("message", ParsedMessage(MessageType.OTHER, data=1)))
        for _ in range(RECORDS):
            assert self.ring.write(payload, 0, 0)
        neighbour = asyncio.create_task(self._neighbour())
        await asyncio.sleep(0)
        await self.sidecar._hand_on(self.ring)
        neighbour.cancel()
        self.runs.append(self.run)
        assert sum(self.runs) == RECORDS


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    one = Scene()
    monkeypatch.setattr(turn, "perf_counter", lambda: one.now_s)
    yield one
    one.ring.close()


async def test_dear_records_hold_the_loop_for_no_longer_than_a_turn(scene: Scene) -> None:
    scene.cost_s = TURN_S / 2
    await scene.hand_on()
    # The clock is looked at once in so many records.
    assert max(scene.runs) <= GLANCE


async def test_cheap_records_come_by_whole_turns_whatever_the_neighbours_take(scene: Scene) -> None:
    scene.neighbours_s = 2 * TURN_S
    await scene.hand_on()
    assert max(scene.runs) == TURN
