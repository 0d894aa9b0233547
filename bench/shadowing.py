"""`python -m bench.shadowing`: what stage shadow adds to the path from legacy's socket to the consumer.

The same frames go through the legacy manager alone and through the one inside a manager of both stacks, in slices that
take turns; the fastest round of each slice counts. `added_us` is the difference, `call_us` the added code alone without
the stack around it, and `behind_us` what the arbiters are told later, between deliveries, on the same core. `tap_us` is
what a tap at which somebody reads adds to `added_us`, beside `queue_us` for the queue that stamps, and `lines_us` what
its lines cost later. All contenders have that queue: two classes in one process spoil each other's place in the caches
of the interpreter, which no application has to bear.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import socket
import sys
import tempfile
from collections import defaultdict
from itertools import permutations
from pathlib import Path
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
from infrastructure.networking.websocket.migration.stamps import StampClock, StampedQueue
from infrastructure.networking.websocket.migration.tap import Tap
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
        StampClock().set(manager)
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

    def __init__(self, exchange: str, tap: Tap | None = None) -> None:
        self.arrivals = Arrivals()
        manager = create_websocket_manager(
            offline_config(exchange), False, self.arrivals.handler, placement="inline", tap=tap
        )
        assert isinstance(manager, DualRunManager)
        leg = manager._legs[Side.LEGACY]
        assert leg.stack is not None
        self._passage = manager._lanes.passage
        self._passage.is_open = manager._lanes._may_pass()
        assert self._passage.is_open
        self._start(leg.stack)

    def behind_ns(self) -> int:
        """Telling the arbiters."""
        began = perf_counter_ns()
        self._passage.catch_up()
        return perf_counter_ns() - began


class Tapped(Shadowed):
    """The same, past a tap at which somebody reads."""

    def __init__(self, exchange: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._tap = Tap(Path(self._folder.name) / "tap")
        self._tap.open()
        self._reader = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._reader.connect(str(self._tap.socket.path))
        super().__init__(exchange, self._tap)

    async def attach(self) -> None:
        """Wait for the reader; then lines are written when `behind_ns` asks for it, and not between."""
        while not self._tap.socket.readers:  # noqa: ASYNC110 - the loop's own turn, not an event
            await asyncio.sleep(0)
        assert self._tap._task is not None
        await end_task(self._tap._task)

    def behind_ns(self) -> int:
        """Writing the lines; the arbiters' share is known."""
        super().behind_ns()
        began = perf_counter_ns()
        self._tap._write(len(self._tap.notes))
        spent = perf_counter_ns() - began
        self._tap._lines.clear()
        return spent

    async def close(self) -> None:
        """End the tap as well."""
        await super().close()
        self._reader.close()
        self._tap.socket.close()
        self._folder.cleanup()


async def measure(exchange: str, rounds: int) -> dict[str, Any]:
    """One row: us per message, of the mix of a session."""
    HandFlag(Stage.SHADOW)
    tapped = Tapped(exchange)
    await tapped.attach()
    contenders = {"alone": Alone(exchange), "shadowed": Shadowed(exchange), "tapped": tapped}
    frames, orders = mixed_frames(exchange, FRAMES), list(permutations(contenders))
    fastest: dict[str, dict[int, int]] = defaultdict(dict)
    try:
        for number in range(rounds):
            gc.collect()
            for first in range(0, len(frames), SLICE):
                part = frames[first : first + SLICE]
                for name in orders[(number + first // SLICE) % len(orders)]:
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
        "tap_us": round(us["tapped"] - us["shadowed"], 3),
        "lines_us": round(us["tapped behind"], 2),
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


def queue_ns(rounds: int, count: int = 500) -> float:
    """What the queue that stamps adds to a frame: in and out again."""
    fastest: dict[int, int] = {}
    for _ in range(rounds):
        for number, queue in enumerate((asyncio.Queue[int](), StampedQueue())):
            began = perf_counter_ns()
            for frame in range(count):
                queue.put_nowait(frame)
            for _frame in range(count):
                queue.get_nowait()
            note(fastest, number, perf_counter_ns() - began)
    return (fastest[1] - fastest[0]) / count


async def measure_all(rounds: int) -> dict[str, Any]:
    """All rows, and whether the limit is met."""
    rows = [await measure(exchange, rounds) for exchange in EXCHANGES]
    call_us, queue_us = await call_ns(rounds) / 1000, queue_ns(rounds) / 1000
    worst_us = max(call_us, *(row["added_us"] for row in rows))
    tapped_us = max(row["added_us"] + row["tap_us"] + queue_us for row in rows)
    met = {"met": worst_us <= LIMIT_US, "tap_met": tapped_us <= LIMIT_US}
    return {"limit_us": LIMIT_US, **met, "call_us": round(call_us, 3), "queue_us": round(queue_us, 3), "rows": rows}


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
