"""Interleaved rounds: in each round every contender handles the same frames once, order rotated; ratios pair by pair.

Absolute times drift by a factor of two on shared machines; a ratio within one round does not.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
from collections.abc import Awaitable, Callable
from time import perf_counter_ns, process_time_ns

import msgspec

__all__ = ["Figures", "Runner", "rounds"]

Runner = Callable[[list[bytes]], Awaitable[None] | None]


class Figures(msgspec.Struct):
    """ns per frame of each contender, one entry a round: wall clock, and this process' time on a CPU."""

    ns: dict[str, list[float]]
    cpu_ns: dict[str, list[float]] = {}

    def median_ns(self, name: str) -> float:
        """Median over the rounds."""
        return statistics.median(self.ns[name])

    def ratio(self, name: str, base: str) -> float:
        """Median of the rounds' ratios."""
        return statistics.median(a / b for a, b in zip(self.ns[name], self.ns[base], strict=True))

    def cpu_ratio(self, name: str, base: str) -> float:
        """Median of the rounds' ratios of CPU time."""
        return statistics.median(a / b for a, b in zip(self.cpu_ns[name], self.cpu_ns[base], strict=True))

    def spread(self, name: str, base: str) -> tuple[float, float]:
        """Smallest and largest of the rounds' ratios."""
        ratios = [a / b for a, b in zip(self.ns[name], self.ns[base], strict=True)]
        return min(ratios), max(ratios)


async def _once(runner: Runner, frames: list[bytes]) -> tuple[float, float]:
    began, began_cpu = perf_counter_ns(), process_time_ns()
    pending = runner(frames)
    if pending is not None:
        await pending
    return (perf_counter_ns() - began) / len(frames), (process_time_ns() - began_cpu) / len(frames)


async def rounds(contenders: dict[str, Runner], frames: list[bytes], repetitions: int, warm_up: int = 2) -> Figures:
    """Run `repetitions` counted rounds after `warm_up` uncounted ones."""
    names = list(contenders)
    figures = Figures({name: [] for name in names}, {name: [] for name in names})
    for number in range(warm_up + repetitions):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect()
            spent, spent_cpu = await _once(contenders[name], frames)
            if number >= warm_up:
                figures.ns[name].append(spent)
                figures.cpu_ns[name].append(spent_cpu)
            await asyncio.sleep(0)
    return figures
