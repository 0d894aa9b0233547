"""How often the online judge may look: what it takes of a core is bounded, whatever the session's length."""

from __future__ import annotations

from typing import Final

__all__ = ["CORE_SHARE", "EVERY_S", "STATISTICS_SHARE", "may_ask", "pause_s"]

EVERY_S: Final = 0.3
CORE_SHARE: Final = 0.5
"""Of a core that has nothing else to do, for comparing events while bursts run; with each compared about once, a whole
session takes half of that."""
STATISTICS_SHARE: Final = 0.05
"""Of a core, for the tests alone."""
ROOM: Final = 1.5
"""The next time takes longer than the last: there is more to hear."""


def pause_s(spent_s: float) -> float:
    """How long to wait after a look that took so much CPU, so that the share is not passed."""
    return max(EVERY_S, spent_s / CORE_SHARE - spent_s)


def may_ask(spent_s: float, last_s: float, elapsed_s: float) -> bool:
    """Whether the tests may be asked once more, after so much CPU for them and, the last time, `last_s`."""
    return spent_s + ROOM * last_s <= STATISTICS_SHARE * elapsed_s
