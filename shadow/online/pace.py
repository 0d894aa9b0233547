"""How often the online judge may look: what it takes of a core is bounded, whatever the session's length."""

from __future__ import annotations

from typing import Final

__all__ = ["CORE_SHARE", "EVERY_S", "STATISTICS_SHARE", "pause_s"]

EVERY_S: Final = 1.0
CORE_SHARE: Final = 0.2
"""Of a core, for comparing events and testing together: each look compares the running leg from its begin."""
STATISTICS_SHARE: Final = 0.05
"""Of a core, for the tests alone."""


def pause_s(fact_s: float, stat_s: float) -> float:
    """How long to wait after a look that took so much CPU, so that neither share is passed."""
    spent = fact_s + stat_s
    return max(EVERY_S, spent / CORE_SHARE - spent, stat_s / STATISTICS_SHARE - spent)
