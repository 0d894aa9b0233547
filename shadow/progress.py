"""What a person sees while a session runs: on a terminal one live line, elsewhere a line per phase. Always stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from shadow.leg_run import Listener
from shadow.live_screen import LiveScreen

__all__ = ["Progress"]

EVERY_S = 5.0


class Progress(LiveScreen, Listener):
    """Shows leg, phase, frames, rate and the time left; `note` keeps a line that matters.

    `meanwhile` is done while the raw data are sealed: what comes next can get ready.
    """

    def __init__(
        self, total_s: float, meanwhile: Callable[[], None] = lambda: None, *, terminal: bool | None = None
    ) -> None:
        super().__init__(terminal=terminal)
        self._meanwhile = meanwhile
        self._total_s = total_s
        self._done_s = 0.0
        self._phase_s = 0.0
        self._began = time.monotonic()
        self._label = "starting"
        self._frames = 0
        self._rate = 0.0
        self._last_line = 0.0
        self._seen = ""

    def phase(self, leg: str, phase: str, seconds: float) -> None:
        """A phase of `seconds` measured seconds begins; warm-up counts for nothing."""
        self._done_s += self._phase_s
        self._phase_s = 0.0 if phase == "warm-up" else seconds
        self._began = time.monotonic()
        self._label = f"{leg} {phase}"
        self._frames = 0
        if not self.is_live:
            self._print(self.picture())

    def lengthen(self, total_s: float) -> None:
        """So long will the session measure after all."""
        self._total_s = total_s

    def note_rate(self, message: dict[str, Any]) -> None:
        """The venue's own count, each half second."""
        self._frames = int(message.get("frames", 0))
        self._rate = float(message.get("rate", 0.0))
        if not self.is_live and time.monotonic() - self._last_line >= EVERY_S:
            self._print(self.picture())

    def note_look(self, status: dict[str, Any]) -> None:
        """What the online judge sees, as in online.json."""
        self._seen = _seen(status)

    def sealing(self) -> None:
        """All is measured."""
        self.step("sealing the raw data")
        self._meanwhile()

    def note(self, text: str) -> None:
        """A line that stays."""
        if self.is_live:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            self._print(text)

    def step(self, text: str) -> None:
        """Work after the measured phases: judging, rendering."""
        self._done_s, self._phase_s, self._label = self._total_s, 0.0, text
        self._frames = 0
        if not self.is_live:
            self._print(text)

    def _left_s(self) -> float:
        spent = min(time.monotonic() - self._began, self._phase_s)
        return max(0.0, self._total_s - self._done_s - spent)

    def picture(self) -> str:
        """The line of now."""
        figures = f"  {self._frames} frames, {self._rate:.0f}/s" if self._frames else ""
        return f"{self._label}{figures}{self._seen}  {self._left_s():.0f} s of measuring left"

    def _print(self, text: str) -> None:
        self._last_line = time.monotonic()
        self.write(text)


def _seen(status: dict[str, Any]) -> str:
    """Differences of new that matter, the worst ratio, and the test that has spoken."""
    count = sum(
        one["count"]
        for one in status["differences"]
        if one["side"] in ("new", "both") and one["severity"] in ("critical", "major")
    )
    worst, fired = status["worst"], status["sequential"]["fired"]
    ratio = f", worst {worst['id']} {worst['ratio']:.2f}" if worst else ""
    return f"  {count} differences{ratio}{', ' + fired if fired else ''}"
