"""`python -m bench.slices`: `new` against `lean` from frame to callback on a machine that others use, too.

Both take slices of 64 frames in turns; a slice is short enough to be left alone once in a while, and the fastest of its
rounds counts. The bench itself measures medians over whole rounds, which a busy machine spoils.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
from collections import defaultdict
from collections.abc import Callable
from time import perf_counter_ns

from bench.__main__ import EXCHANGES, FRAMES, GATES, table
from bench.contenders import direct_handler, ignore, sync
from bench.lean import Take, lean
from shadow.subjects.probe.frames import TYPES, frames

__all__ = ["fastest_ns"]

SLICE = 64


def fastest_ns(
    takes: dict[str, Take], raw_frames: list[bytes], rounds: int, before_round: Callable[[], None]
) -> dict[str, float]:
    """ns per frame of each, from the fastest round of each slice; the order of the contenders rotates."""
    names = list(takes)
    fastest: dict[str, dict[int, int]] = defaultdict(dict)
    for number in range(rounds):
        before_round()
        gc.collect()
        for first in range(0, len(raw_frames), SLICE):
            part, turn = raw_frames[first : first + SLICE], (number + first // SLICE) % len(names)
            for name in names[turn:] + names[:turn]:
                take, began = takes[name], perf_counter_ns()
                for raw in part:
                    take(raw)
                spent = perf_counter_ns() - began
                fastest[name][first] = min(fastest[name].get(first, spent), spent)
    return {name: sum(slices.values()) / len(raw_frames) for name, slices in fastest.items()}


async def measure(exchange: str, event_type: str, rounds: int) -> dict[str, float | str | bool]:
    """One row of the table."""
    raw_frames = frames(exchange, event_type, FRAMES)
    handler = direct_handler(exchange, ignore)
    takes = {"lean": lean(exchange, event_type, ignore), "new": handler._on_raw_message}
    spent = fastest_ns(takes, raw_frames, rounds, lambda: sync(handler, raw_frames))
    ratio = spent["new"] / spent["lean"]
    return {
        "exchange": exchange,
        "type": event_type,
        "lean_us": round(spent["lean"] / 1000, 2),
        "new_us": round(spent["new"] / 1000, 2),
        "new_to_lean": round(ratio, 3),
        "gate": GATES[event_type],
        "met": ratio <= GATES[event_type],
    }


async def measure_all(rounds: int) -> str:
    return table([await measure(exchange, event_type, rounds) for exchange in EXCHANGES for event_type in TYPES])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.slices", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    sys.stdout.write(asyncio.run(measure_all(options.rounds)) + "\n")


if __name__ == "__main__":
    main()
