"""CPU per message and memory level of the stacks' processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from shadow.stats.blocks import rate_blocks
from shadow.stats.intervals import bounded_exp, estimate_mean
from shadow.verdict.checklist import Memory
from shadow.verdict.evidence import Census, Measured, MetricVerdict, Range, six_digits
from shadow.verdict.timeline import Phase

__all__ = [
    "CPU_BLOCK_NS",
    "Messages",
    "Samples",
    "cpu_blocks",
    "cpu_metric",
    "memory_by_leg",
    "memory_metric",
    "memory_of_leg",
    "messages_until",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Messages = tuple[Ints, Ints]
"""When messages were sent (ns), ascending, and how many then."""

CPU_BLOCK_NS = 1_000_000_000
_GRAVITY: Final[dict[str, int]] = {"PASS": 0, "HOLD": 1, "REGRESSION": 2}
END_NS = 1_000_000_000
"""Memory at a time: what was sampled in the second before it."""


@dataclass(frozen=True)
class Samples:
    """Resource samples of one process in one leg, ascending: t (ns), cpu_ns, uss (bytes)."""

    t: Ints
    cpu_ns: Ints
    uss: Ints

    def uss_before(self, t: int) -> Ints:
        """Unique set sizes of the last second before t; the nearest sample where there is none."""
        inside = self.uss[(self.t > t - END_NS) & (self.t <= t)]
        if len(inside) or not len(self.t):
            return inside
        nearest = int(np.argmin(np.abs(self.t - t)))
        return self.uss[nearest : nearest + 1]


def messages_until(messages: Messages, times: Ints) -> Ints:
    """How many messages were sent before each of the times (ns)."""
    t, n = messages
    return np.asarray(np.concatenate(([0], np.cumsum(n)))[np.searchsorted(t, times)])


def cpu_blocks(samples: Samples, messages: Messages, phase: Phase, declared: int) -> Floats:
    """CPU ns per message that was sent in each 1 s block of a phase; NaN where nothing can be said."""
    if len(samples.t) < 2 or declared < 1:
        return np.full(max(declared, 0), np.nan)
    edges = phase.begin + np.arange(declared + 1, dtype=np.int64) * CPU_BLOCK_NS
    sent = np.diff(messages_until(messages, edges))
    # relative to the begin: nanoseconds since boot would lose digits in float64
    return rate_blocks(
        (edges - phase.begin).astype(np.float64),
        (samples.t - phase.begin).astype(np.float64),
        (samples.cpu_ns - samples.cpu_ns[0]).astype(np.float64),
        sent,
    )


def cpu_metric(parts: Sequence[tuple[Floats, Floats]], *, messages: int, by_leg: bool = False) -> Measured:
    """cpu.per_message over the paired phases of some legs, each a pair (legacy's blocks, new's blocks).

    `by_leg`: a leg is one value, the mean of its blocks' ln(new / legacy).
    """
    legs = [_told(*part) for part in parts]
    kept = [leg for leg in legs if len(leg)]
    declared = len(legs) if by_leg else sum(len(part[0]) for part in parts)
    nothing = Measured(
        "cpu.per_message", "ns", None, None, declared=True, weight="pooled", blocks_declared=declared, by_leg=by_leg
    )
    if not kept:
        return nothing
    every = np.concatenate(kept)
    y = np.array([_log_ratio(leg).mean() for leg in kept]) if by_leg else _log_ratio(every)
    legacy, new = (float(side) for side in np.median(every, axis=0))
    return replace(nothing, legacy=legacy, new=new, estimate=estimate_mean(y), n=messages, blocks=len(y))


def _told(legacy: Floats, new: Floats) -> Floats:
    """[block, side] of the blocks in which both sides have a figure."""
    both = np.column_stack([legacy, new])
    return np.asarray(both[np.isfinite(both).all(axis=1) & (both > 0).all(axis=1)])


def _log_ratio(blocks: Floats) -> Floats:
    return np.asarray(np.log(blocks[:, 1] / blocks[:, 0]))


def memory_by_leg(legs: Sequence[Measured], declared: int, limits: Memory, alpha: float) -> Measured:
    """memory.level of several legs, each weighed by `memory_metric`: a leg is one value.

    REGRESSION where the interval (alpha on each side) of the mean ln(new / legacy) lies above `ratio` and that of the
    mean difference above `bytes`, or where new grew so in each leg; PASS where one of the two lies below, else HOLD.
    """
    kept = [leg for leg in legs if leg.legacy and leg.new]
    sizes = np.array([[leg.legacy, leg.new] for leg in kept], np.float64).reshape(-1, 2)
    ratio, over = estimate_mean(np.log(sizes[:, 1] / sizes[:, 0])), estimate_mean(sizes[:, 1] - sizes[:, 0])
    nothing = Measured(
        "memory.level", "bytes", None, None, declared=True, weight="pooled", blocks=len(kept), blocks_declared=declared
    )
    if ratio is None or over is None:
        return nothing
    bounds = [bounded_exp(bound) for bound in (ratio.lower(alpha), ratio.mean, ratio.upper(alpha))]
    verdict = _verdict(bounds[0], over.lower(alpha), bounds[2], over.upper(alpha), limits)
    grew = sum(leg.census is not None and leg.census.verdict == "REGRESSION" for leg in kept)
    note = f"mean of {len(kept)} legs; new exceeded both limits or grew beyond them in {grew}"
    census = Census(Range(*bounds), "REGRESSION" if grew == len(kept) else verdict, note)
    legacy, new = (float(np.median(side)) for side in sizes.T)
    return replace(nothing, legacy=legacy, new=new, n=sum(leg.n for leg in kept), census=census)


def memory_metric(
    sides: Mapping[str, Samples], roles: tuple[str, str], warm: int, end: int, limits: Memory
) -> Measured:
    """memory.level: unique set size of all of a side's processes at a time, new over legacy.

    REGRESSION when new lies above `ratio` times legacy and more than `bytes` over it in every sample of the last
    second, or when new's own growth since warm-up exceeds both and is not legacy's growth as well. PASS when no sample
    exceeds both, else HOLD. low and high are the extreme ratios of the last second.
    """
    empty = Measured("memory.level", "bytes", None, None, declared=True, weight="pooled", blocks_declared=1)
    if any(role not in sides or not len(sides[role].t) for role in roles):
        return empty
    (warm_a, end_a), (warm_b, end_b) = ((sides[role].uss_before(warm), sides[role].uss_before(end)) for role in roles)
    if not all(len(part) and part.min() > 0 for part in (warm_a, end_a, warm_b, end_b)):
        return empty
    low, high = end_b.min() / end_a.max(), end_b.max() / end_a.min()
    legacy, new = float(np.median(end_a)), float(np.median(end_b))
    level = _verdict(
        float(low), float(end_b.min() - end_a.max()), float(high), float(end_b.max() - end_a.min()), limits
    )
    own, other = np.median(warm_b), np.median(warm_a)
    grown = new / own > limits.ratio and new - own > limits.bytes
    shared = legacy / other > limits.ratio and (legacy - other) * limits.ratio >= new - own
    note = f"grew by {new - own:+.0f} bytes since warm-up, legacy by {legacy - other:+.0f}"
    verdict: MetricVerdict = "REGRESSION" if grown and not shared else level
    census = Census(Range(float(low), new / legacy, float(high)), verdict, note)
    return Measured(
        "memory.level", "bytes", legacy, new, None, len(end_a) + len(end_b), 1, 1, True, "pooled", census=census
    )  # fmt: skip


def memory_of_leg(
    sides: Mapping[str, Samples], roles: tuple[str, str], warm: int, phases: Sequence[Phase], limits: Memory
) -> Measured:
    """memory.level of a leg: that of the phase at whose end it was worst.

    Memory that is held under load and freed before the leg ends is memory that the machine must have.
    """
    found = [(phase.phase, memory_metric(sides, roles, warm, phase.end, limits)) for phase in phases]
    weighed = [(name, metric, metric.census) for name, metric in found if metric.census is not None]
    if not weighed:
        return found[-1][1]
    name, worst, census = max(weighed, key=lambda one: (_GRAVITY[one[2].verdict], one[2].range.best or 0.0))
    return replace(worst, census=replace(census, note=f"at the end of {name}: {census.note}"))


def _verdict(low: float, least: float, high: float, most: float, limits: Memory) -> MetricVerdict:
    if (six_digits(low) or 0) > limits.ratio and least > limits.bytes:
        return "REGRESSION"
    return "HOLD" if (six_digits(high) or 0) > limits.ratio and most > limits.bytes else "PASS"
