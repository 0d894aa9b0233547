"""`python -m bench.shadowing`: what stage shadow adds to the path from legacy's socket to the consumer.

The same frames go through the legacy manager alone and through the one inside a manager of both stacks, in slices that
take turns; the fastest round of each slice counts. `added_us` is the difference, `call_us` the added code alone without
the stack around it, and `behind_us` what the arbiters are told later, between deliveries, on the same core.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sys
from collections import defaultdict
from time import perf_counter_ns
from typing import Any

from openfeature import api

from bench.flip_drive import HandFlag
from exchanges.structs.types import ParsedMessage
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.passage import Passage
from infrastructure.networking.websocket.migration.stacks import load_builder
from infrastructure.networking.websocket.migration.stage import Stage
from infrastructure.networking.websocket.utils import create_websocket_manager
from shadow.subjects.probe.doors import Arrivals, end_task, offline_config
from shadow.subjects.probe.frames import mixed_frames

__all__ = ["call_ns", "measure"]

LIMIT_US = 0.5
SLICE = 64
FRAMES = 1024
EXCHANGES = ("gateio", "mexc")


class Alone:
    """The legacy manager as it is, without a socket."""

    def __init__(self, exchange: str) -> None:
        self.arrivals = Arrivals()
        self._start(load_builder("legacy", exchange)(offline_config(exchange), False, self.arrivals.handler, None))

    def _start(self, manager: Any) -> None:
        self._take = manager._on_raw_message
        self._task = asyncio.create_task(manager._process_messages())

    async def slice_ns(self, frames: list[bytes]) -> int:
        """From the reader to the last callback."""
        self.arrivals.expect(len(frames))
        began = perf_counter_ns()
        for raw in frames:
            self._take(raw)
        await self.arrivals.wait()
        return self.arrivals.last_ns - began

    def behind_ns(self) -> int:
        """What is left to do when the consumer has everything."""
        return 0

    async def close(self) -> None:
        """End its task."""
        await end_task(self._task)


class Shadowed(Alone):
    """The legacy manager inside one of both stacks, in stage shadow."""

    def __init__(self, exchange: str) -> None:
        self.arrivals = Arrivals()
        manager = create_websocket_manager(offline_config(exchange), False, self.arrivals.handler, placement="inline")
        assert isinstance(manager, DualRunManager)
        leg = manager._legs[Side.LEGACY]
        assert leg.stack is not None
        self._passage = manager._passage
        self._passage.is_open = manager._may_pass()
        assert self._passage.is_open
        self._start(leg.stack)

    def behind_ns(self) -> int:
        """Telling the arbiters."""
        began = perf_counter_ns()
        self._passage.catch_up()
        return perf_counter_ns() - began


async def measure(exchange: str, rounds: int) -> dict[str, Any]:
    """One row: us per message, of the mix of a session."""
    HandFlag(Stage.SHADOW)
    contenders = {"alone": Alone(exchange), "shadowed": Shadowed(exchange)}
    frames = mixed_frames(exchange, FRAMES)
    fastest: dict[str, dict[int, int]] = defaultdict(dict)
    try:
        for number in range(rounds):
            gc.collect()
            for first in range(0, len(frames), SLICE):
                part = frames[first : first + SLICE]
                names = list(contenders)[:: 1 if (number + first // SLICE) % 2 else -1]
                for name in names:
                    spent = await contenders[name].slice_ns(part)
                    note(fastest[name], first, spent)
                    note(fastest[f"{name} behind"], first, contenders[name].behind_ns())
    finally:
        for one in contenders.values():
            await one.close()
        api.clear_providers()
    us = {name: sum(slices.values()) / len(frames) / 1000 for name, slices in fastest.items()}
    return {
        "exchange": exchange,
        "alone_us": round(us["alone"], 2),
        "shadowed_us": round(us["shadowed"], 2),
        "ratio": round(us["shadowed"] / us["alone"], 3),
        "added_us": round(us["shadowed"] - us["alone"], 3),
        "behind_us": round(us["shadowed behind"], 2),
    }


def note(fastest: dict[int, int], first: int, spent_ns: int) -> None:
    """Keep the fastest round of a slice."""
    fastest[first] = min(fastest.get(first, spent_ns), spent_ns)


async def call_ns(rounds: int, count: int = 1000) -> float:
    """The straight way's own time for a message: awaiting the consumer through it, less awaiting it directly."""

    async def consume(message: ParsedMessage) -> None: ...

    passage = Passage(consume, consume, lambda message: None, lambda: True)
    passage.is_open = True
    message: Any = None
    direct, straight = [], []
    for _ in range(rounds):
        began = perf_counter_ns()
        for _number in range(count):
            await consume(message)
        between = perf_counter_ns()
        for _number in range(count):
            await passage.hand_on(message)
        straight.append(perf_counter_ns() - between)
        direct.append(between - began)
        passage.catch_up()
    return (min(straight) - min(direct)) / count


async def measure_all(rounds: int) -> dict[str, Any]:
    """All rows, and whether the limit is met."""
    rows = [await measure(exchange, rounds) for exchange in EXCHANGES]
    call_us = await call_ns(rounds) / 1000
    worst_us = max(call_us, *(row["added_us"] for row in rows))
    return {"limit_us": LIMIT_US, "met": worst_us <= LIMIT_US, "call_us": round(call_us, 3), "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.shadowing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=51)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    found = asyncio.run(measure_all(options.rounds))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if found["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
