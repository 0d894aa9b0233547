"""A venue and a consumer process on loopback, and a flag that the test sets as a controller does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from shadow.rehearsal.parts import Parts
from shadow.rollout.controller import Controller
from shadow.rollout.stages import Rule, parse_position
from shadow.rollout.units import EVERYTHING

WITHIN_S = 30.0
RATE = 300.0


def set_stage(parts: Parts, stage: str) -> None:
    """Write the flag, with journal, past all gates."""
    ledger = Controller(parts.places).ledger
    ledger.change(time.time(), ledger.read().state, (Rule(EVERYTHING, parse_position(stage)),), why="the test")


async def until(parts: Parts, holds: Callable[[], bool]) -> None:
    """Wait for what the consumer's lines, or the ledger, have to bring."""
    await parts.ear.until(holds, WITHIN_S)


async def served_by(parts: Parts, side: str) -> None:
    """Every unit is, and each stream has gone on since."""
    await until(parts, lambda: set(parts.ear.serving.values()) == {side})
    before = {key: stream.counts.delivered for key, stream in parts.ear.streams.items()}
    await until(parts, lambda: all(parts.ear.streams[key].counts.delivered > n for key, n in before.items()))


@asynccontextmanager
async def application(
    folder: Path, placement: str, connections: Sequence[str] = ("gateio.spot.public", "mexc.spot.public")
) -> AsyncIterator[Parts]:
    """A consumer in stage shadow whose two stacks are subscribed, and frames on their way."""
    async with Parts(folder, folder / "runs", connections, ["BTC_USDT"]) as parts:
        await parts.start_venue(RATE, 1)
        set_stage(parts, "shadow")
        await parts.start_consumer(placement)
        await until(parts, lambda: parts.is_subscribed)
        parts.feed(RATE)
        await until(parts, lambda: len(parts.ear.streams) == 4 * len(connections))
        yield parts


async def end(parts: Parts) -> int:
    """Send no more, wait for what is on its way, stop the consumer; its exit code."""
    await parts.stop_feeding()
    await until(parts, parts.ear.is_settled)
    code = await parts.stop_consumer()
    await until(parts, lambda: parts.ear.has_ended)
    return code
