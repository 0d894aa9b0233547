"""The latch: after a rollback a unit stays with legacy for a while. It never holds back a rollback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shadow.rollout.units import Unit

__all__ = ["COOL_DOWN_S", "DAY_S", "FREE_TRIES", "Rollback", "latched"]

COOL_DOWN_S: Final = 600.0
DAY_S: Final = 86_400.0
FREE_TRIES: Final = 2
"""Rollbacks in a day after which a unit may be tried again without a person."""


@dataclass(frozen=True)
class Rollback:
    """A unit or pattern that was taken back, and when (Unix seconds)."""

    unit: Unit
    at_s: float


def latched(
    rollbacks: Iterable[Rollback], unit: Unit, now_s: float, *, person: bool, cool_down_s: float = COOL_DOWN_S
) -> str | None:
    """Why the unit may not leave legacy yet, with the way out; None where it may.

    What went back at one moment, however many patterns name the unit, is one rollback. A clock that was set back counts
    as no time passed.
    """
    ours = {one.at_s for one in rollbacks if one.unit.common(unit) is not None}
    waited_s = max(0.0, now_s - max(ours)) if ours else cool_down_s
    if waited_s < cool_down_s:
        return f"{unit} was taken back; wait {cool_down_s - waited_s:.0f} s more for its cool-down to pass"
    today = sum(now_s - at_s < DAY_S for at_s in ours)
    if today > FREE_TRIES and not person:
        return f"{unit} was taken back {today} times in a day; a person has to say --approve NAME"
    return None
