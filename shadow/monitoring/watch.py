"""Looks at the rollout's files once a second, on a thread; a scrape gets the newest look and reads nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shadow.monitoring.evidence import Evidence, newest_evidence
from shadow.monitoring.families import families, session_families
from shadow.monitoring.gauges import gauge
from shadow.monitoring.look import Look, look
from shadow.monitoring.rollback_clock import RollbackClock

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

    from shadow.rollout.places import Places

__all__ = ["LOOK_S", "Watch"]

LOOK_S: Final = 1.0
EVIDENCE_S: Final = 15.0
"""Seconds between looks for a newer session: each reads every session below `runs`."""


@dataclass(frozen=True)
class _Seen:
    look: Look
    rollback_s: float | None
    pending_s: float


class Watch:
    """Collects metrics for `prometheus_client`; `clock` gives Unix seconds."""

    def __init__(self, places: Places, clock: Callable[[], float] = time.time) -> None:
        self._places = places
        self._clock = clock
        self._rollbacks = RollbackClock()
        self._seen: _Seen | None = None
        self._evidence: Evidence | None = None
        self._evidence_s = float("-inf")
        self._failures = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-look", daemon=True)

    def start(self) -> None:
        """Take the first look, then go on looking."""
        self._try()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def take(self) -> None:
        """One look."""
        seen = look(self._places, self._clock())
        self._rollbacks.see(seen)
        if seen.now_s - self._evidence_s >= EVIDENCE_S:
            self._evidence, self._evidence_s = newest_evidence(self._places.runs), seen.now_s
        self._seen = _Seen(seen, self._rollbacks.seconds, self._rollbacks.pending_s(seen.now_s))

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            self._try()

    def _try(self) -> None:
        try:
            self.take()
        except Exception:  # noqa: BLE001 - whatever a file holds, the endpoint lives on and its look grows old
            self._failures += 1

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics of the newest look, with its age."""
        seen, now_s = self._seen, self._clock()
        yield gauge("look_failures", "looks at the files that failed since the start", float(self._failures))
        if seen is None:
            return
        yield gauge("look_age_seconds", "since the files were last looked at", max(0.0, now_s - seen.look.now_s))
        yield gauge("rollback_seconds", "of the last rollback: trigger told to all on legacy", seen.rollback_s)
        pending = "of a rollback that has not reached every consumer; else 0"
        yield gauge("rollback_pending_seconds", pending, seen.pending_s)
        yield from families(seen.look)
        yield from session_families(self._evidence, now_s)
