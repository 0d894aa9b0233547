"""The bounded deque."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from infrastructure.networking.websocket.backlog import READ_BURST, Backlog
from infrastructure.networking.websocket.testing import run_virtual, settle


def test_a_reader_waits_at_high_water_until_a_quarter_is_left() -> None:
    async def main() -> None:
        backlog = Backlog(100)
        for number in range(100):
            backlog.put(number)
        reader = asyncio.create_task(backlog.make_room())
        await settle(3)
        for expected in range(74):
            assert backlog.entries.popleft()[1] == expected
            backlog.note_taken()
            await settle(3)
            assert not reader.done()
        backlog.entries.popleft()
        backlog.note_taken()
        await settle(3)
        assert reader.done()

    run_virtual(main())


def test_a_burst_gives_the_consumer_a_turn() -> None:
    async def main() -> int:
        backlog, turns = Backlog(1000), 0

        async def consumer() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(consumer())
        for number in range(2 * READ_BURST):
            backlog.put(number)
            await backlog.make_room()
        task.cancel()
        return turns

    assert run_virtual(main()) == 2


def test_finished_and_empty_ends_the_consumer() -> None:
    async def main() -> None:
        backlog = Backlog(0)
        waiting = asyncio.create_task(backlog.wait_arrival())
        await settle()
        backlog.put("x")
        assert await waiting
        backlog.finish()
        assert await backlog.wait_arrival()
        backlog.entries.popleft()
        assert not await backlog.wait_arrival()

    run_virtual(main())


def test_draining_lets_a_paused_reader_go_on() -> None:
    async def main() -> None:
        backlog = Backlog(2)
        backlog.put("x")
        backlog.put("y")
        reader = asyncio.create_task(backlog.make_room())
        await settle()
        assert not reader.done()
        backlog.drain()
        await reader

    run_virtual(main())


@pytest.mark.checklist("1.1.15")
async def test_queuing_costs_less_than_a_microsecond(stopwatch: Any) -> None:
    watch = stopwatch()
    for _ in range(20):
        backlog = Backlog(1000)
        with watch.round():
            for number in range(100):
                backlog.put(number)
    assert watch.best_ns < 100 * 1_000
