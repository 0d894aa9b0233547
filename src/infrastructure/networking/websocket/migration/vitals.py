"""What a sidecar may do, and a look from outside at whether it does more."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from infrastructure.networking.websocket.migration.event import Limits

__all__ = ["SidecarLimits", "Vitals"]

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class SidecarLimits:
    """What a sidecar may do: seconds until its first beat and between beats, bytes of memory, share of a core.

    `in_flight_s`: how long its end waits for the consumer's own callback, as a change of sides does.
    """

    start_s: float = 20.0
    beat_s: float = 2.0
    memory_bytes: int = 1 << 30
    cpu_share: float = 0.95
    cpu_window_s: float = 5.0
    answer_s: float = 5.0
    close_s: float = 10.0
    in_flight_s: float = Limits().in_flight_s
    ring_bytes: int = 8 << 20


class Vitals:
    """Beat, memory and work of a process, looked at from outside."""

    def __init__(self, limits: SidecarLimits) -> None:
        self._limits = limits
        self._beat = 0
        self._beat_at = time.monotonic() + limits.start_s - limits.beat_s
        self._work: tuple[float, float] | None = None

    def trouble(self, pid: int, beat: int, now: float) -> str | None:
        """What is wrong, in a few words; None while nothing is."""
        if beat != self._beat:
            self._beat, self._beat_at = beat, now
        elif now - self._beat_at > self._limits.beat_s:
            return f"the sidecar has not beaten for {self._limits.beat_s:g} s"
        try:
            memory_bytes = PAGE_BYTES * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, IndexError):
            return None
        if memory_bytes > self._limits.memory_bytes:
            return f"the sidecar holds {memory_bytes >> 20} MiB"
        return self._spinning((int(fields[11]) + int(fields[12])) / TICKS_PER_S, now)

    def _spinning(self, work_s: float, now: float) -> str | None:
        # Importing is work, too, and none of the stack's.
        if self._work is None or not self._beat:
            self._work = (now, work_s)
        began, before_s = self._work
        if now - began < self._limits.cpu_window_s:
            return None
        self._work = (now, work_s)
        share = (work_s - before_s) / (now - began)
        return f"the sidecar burns {share:.0%} of a core" if share > self._limits.cpu_share else None
