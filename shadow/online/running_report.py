"""The report of a long session, rendered again and again while it runs."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, process_time
from typing import TYPE_CHECKING, Final

from shadow.pages import render_running
from shadow.verdict.write import write

if TYPE_CHECKING:
    from shadow.online.follow import Follower, Look

__all__ = ["EVERY_S", "LONG_S", "RunningReport"]

LONG_S: Final = 300.0
"""A shorter session's report is there soon enough."""
EVERY_S: Final = 60.0
CORE_SHARE: Final = 0.1
"""Of a core: a report that takes longer comes less often."""


class RunningReport:
    """Judges and renders what was looked at, at most each `EVERY_S`, and not while the harness is strained."""

    def __init__(self, folder: Path, follower: Follower, planned_s: float) -> None:
        self._folder = folder
        self._follower = follower
        self._is_long = planned_s > LONG_S
        self._due_s = monotonic() + EVERY_S

    def after(self, look: Look) -> bool:
        """Render if it is due; whether it was."""
        if not self._is_long or look.is_strained or monotonic() < self._due_s:
            return False
        began = process_time()
        write(self._folder, self._follower.judgement())
        render_running(self._folder)
        self._due_s = monotonic() + max(EVERY_S, (process_time() - began) / CORE_SHARE)
        return True
