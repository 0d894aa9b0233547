"""Early warning: how fast an allowance of downtime is being used up, by two windows at once.

A long window alone keeps warning after the trouble is over, a short one alone warns at every blip; both together warn
soon and stop soon (Beyer et al., The Site Reliability Workbook, 2018, chapter 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BurnRule", "BurnWarning", "burn_rate", "first_warning"]

Stretch = tuple[int, int]


@dataclass(frozen=True)
class BurnRule:
    """Warn where the allowance is used up `factor` times too fast over the last `long_s` and the last `short_s`."""

    long_s: float
    short_s: float
    factor: float


@dataclass(frozen=True)
class BurnWarning:
    """When (ns) a rule was first met, and how fast the allowance went over its long window."""

    t: int
    rule: BurnRule
    rate: float


def burn_rate(down: Sequence[Stretch], t: int, window_ns: float, allowed_share: float) -> float:
    """Downtime in the window before t over what is allowed in it; 1 uses the allowance up exactly."""
    begin = t - window_ns
    inside = sum(max(0.0, min(end, t) - max(start, begin)) for start, end in down)
    return inside / (window_ns * allowed_share)


def first_warning(
    down: Sequence[Stretch], begin: int, end: int, allowed_share: float, rules: Sequence[BurnRule]
) -> BurnWarning | None:
    """The earliest moment in [begin, end) at which a rule is met; None where none ever is.

    `down` are stretches in ns, ascending. A rule is silent until its long window has passed. Within a stretch of
    downtime both rates only grow, outside they only fall: a rule is first met inside a stretch, or as it may speak.
    """
    found = [warning for rule in rules if (warning := _first(down, begin, end, allowed_share, rule)) is not None]
    return min(found, key=lambda warning: warning.t, default=None)


def _first(down: Sequence[Stretch], begin: int, end: int, share: float, rule: BurnRule) -> BurnWarning | None:
    earliest = begin + round(rule.long_s * 1e9)
    for start, stop in [(earliest, earliest), *down]:
        low, high = max(start, earliest), min(stop, end)
        if low > high or not _is_met(down, high, share, rule):
            continue
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _is_met(down, middle, share, rule) else (middle + 1, high)
        return BurnWarning(high, rule, burn_rate(down, high, rule.long_s * 1e9, share))
    return None


def _is_met(down: Sequence[Stretch], t: int, share: float, rule: BurnRule) -> bool:
    windows_ns = (rule.long_s * 1e9, rule.short_s * 1e9)
    return all(burn_rate(down, t, window_ns, share) >= rule.factor for window_ns in windows_ns)
