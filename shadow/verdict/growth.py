"""Growth of the stacks' memory over a long leg: a leak that the level does not show yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from shadow.verdict.checklist import Memory
from shadow.verdict.evidence import Census, Measured, MetricVerdict, Range
from shadow.verdict.resources import Samples

__all__ = ["MEMORY_SLOPE", "Slope", "slope_metric", "slope_of"]

MEMORY_SLOPE: Final = "memory.slope"
THINNED_NS: Final = 10_000_000_000
LEAST_POINTS: Final = 12
HOUR_NS: Final = 3_600_000_000_000
CONFIDENCE: Final = 0.99


@dataclass(frozen=True)
class Slope:
    """Bytes per hour, its bounds, and the level in bytes that it starts from, over `points` medians of 10 s."""

    low: float
    best: float
    high: float
    level: float
    points: int

    def growth(self, hours: float) -> tuple[float, float, float]:
        """Bytes gained in this time: lower bound, best value, upper bound."""
        return self.low * hours, self.best * hours, self.high * hours


def slope_of(samples: Samples, begin: int, end: int) -> Slope | None:
    """The slope between two times (ns): Theil and Sen's, with Sen's interval (1968) at 99 %; None with too few points.

    Samples come every 100 ms and depend on each other; the medians of 10 s stand for them.
    """
    from scipy.stats import theilslopes

    t, uss = _thinned(samples, begin, end)
    if len(t) < LEAST_POINTS:
        return None
    best, _, low, high = theilslopes(uss, t / HOUR_NS, alpha=CONFIDENCE)
    return Slope(float(low), float(best), float(high), float(uss[0]), len(t))


def _thinned(samples: Samples, begin: int, end: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    inside = (samples.t >= begin) & (samples.t < end)
    of_slot = (samples.t[inside] - begin) // THINNED_NS
    uss = samples.uss[inside]
    slots = np.unique(of_slot)
    medians = np.array([np.median(uss[of_slot == slot]) for slot in slots], dtype=np.float64)
    return slots.astype(np.float64) * THINNED_NS, medians


def slope_metric(
    sides: Mapping[str, Samples], roles: tuple[str, str], begin: int, end: int, limits: Memory
) -> Measured:
    """memory.slope in bytes per hour, from `slope_from_s` of measuring on; shorter legs have no figure.

    Both slopes are carried on over `slope_horizon_h`. REGRESSION when new's lower bound then gains more than the ratio
    and the bytes of the level allow, and more than legacy's upper bound; PASS when its upper bound does not gain as
    much, or not more than legacy's lower bound; else HOLD. The range is new's level at the horizon over its level now.
    """
    seconds = (end - begin) / 1e9
    if seconds < limits.slope_from_s:
        note = f"judged from {limits.slope_from_s / 60:g} minutes of one leg on, {seconds:.0f} s here"
        return Measured(MEMORY_SLOPE, "bytes/h", None, None, weight="pooled", note=note)
    legacy, new = (slope_of(sides[role], begin, end) if role in sides else None for role in roles)
    if legacy is None or new is None or new.level <= 0:
        return Measured(MEMORY_SLOPE, "bytes/h", None, None, declared=True, weight="pooled", blocks_declared=1)
    hours = limits.slope_horizon_h
    gained = new.growth(hours)
    found = Range(*(1 + bytes_gained / new.level for bytes_gained in gained))
    note = (
        f"in {hours:g} h new gains {gained[1] / 1e6:+.1f} MB ({gained[0] / 1e6:+.1f} to {gained[2] / 1e6:+.1f}), "
        f"legacy {legacy.growth(hours)[1] / 1e6:+.1f} MB"
    )
    census = Census(found, _verdict(gained, legacy.growth(hours), new.level, limits), note)
    return Measured(
        MEMORY_SLOPE, "bytes/h", legacy.best, new.best, None, new.points, 1, 1, True, "pooled", census=census
    )


def _verdict(
    new: tuple[float, float, float], legacy: tuple[float, float, float], level: float, limits: Memory
) -> MetricVerdict:
    allowed = max((limits.ratio - 1) * level, limits.bytes)
    if new[0] > allowed and new[0] > legacy[2]:
        return "REGRESSION"
    return "PASS" if new[2] <= allowed or new[2] <= legacy[0] else "HOLD"
