"""What a person sees while a session runs: on a terminal one live line, elsewhere a line per phase. Always stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

__all__ = ["Progress"]

EVERY_S = 5.0


class Progress:
    """Shows leg, phase, frames, rate and the time left; `note` keeps a line that matters."""

    def __init__(self, total_s: float, *, terminal: bool | None = None) -> None:
        self._total_s = total_s
        self._done_s = 0.0
        self._phase_s = 0.0
        self._began = time.monotonic()
        self._label = "starting"
        self._frames = 0
        self._rate = 0.0
        self._last_line = 0.0
        self._seen = ""
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._live: Any = None

    def __enter__(self) -> Self:
        if self._terminal:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=4, get_renderable=self._line)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def phase(self, leg: str, phase: str, seconds: float) -> None:
        """A phase of `seconds` measured seconds begins; warm-up counts for nothing."""
        self._done_s += self._phase_s
        self._phase_s = 0.0 if phase == "warm-up" else seconds
        self._began = time.monotonic()
        self._label = f"{leg} {phase}"
        self._frames = 0
        if self._live is None:
            self._print(self._line())

    def lengthen(self, total_s: float) -> None:
        """So long will the session measure after all."""
        self._total_s = total_s

    def note_rate(self, message: dict[str, Any]) -> None:
        """The venue's own count, each half second."""
        self._frames = int(message.get("frames", 0))
        self._rate = float(message.get("rate", 0.0))
        if self._live is None and time.monotonic() - self._last_line >= EVERY_S:
            self._print(self._line())

    def note_look(self, status: dict[str, Any]) -> None:
        """What the online judge sees, as in online.json."""
        self._seen = _seen(status)

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            self._print(text)

    def step(self, text: str) -> None:
        """Work after the measured phases: judging, rendering."""
        self._done_s, self._phase_s, self._label = self._total_s, 0.0, text
        self._frames = 0
        if self._live is None:
            self._print(text)

    def _left_s(self) -> float:
        spent = min(time.monotonic() - self._began, self._phase_s)
        return max(0.0, self._total_s - self._done_s - spent)

    def _line(self) -> str:
        figures = f"  {self._frames} frames, {self._rate:.0f}/s" if self._frames else ""
        return f"{self._label}{figures}{self._seen}  {self._left_s():.0f} s of measuring left"

    def _print(self, text: str) -> None:
        self._last_line = time.monotonic()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


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
