"""How often the online judge may look: what it takes of a core is bounded, whatever the session's length."""

from __future__ import annotations

from typing import Final

__all__ = ["CORE_SHARE", "EVERY_S", "STATISTICS_SHARE", "pause_s", "rest_s"]

EVERY_S: Final = 0.3
CORE_SHARE: Final = 0.5
"""Of a core that has nothing else to do, for comparing events while bursts run; with each compared about once, a whole
session takes half of that."""
STATISTICS_SHARE: Final = 0.05
"""Of a core, for the tests alone."""


def pause_s(spent_s: float) -> float:
    """How long to wait after a look that took so much CPU, so that the share is not passed."""
    return max(EVERY_S, spent_s / CORE_SHARE - spent_s)


def rest_s(stat_s: float) -> float:
    """How long not to ask the tests again after they took so much CPU."""
    return stat_s / STATISTICS_SHARE
