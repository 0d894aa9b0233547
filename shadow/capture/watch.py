"""The subjects' processes under watch: their resources while they run, their end when the session is gone."""

from __future__ import annotations

import os
import signal
from time import perf_counter_ns

from shadow.capture.resources import SAMPLE_NS, Identity, Probe, descends, identity
from shadow.capture.writer import Row

__all__ = ["Watch"]

Subject = tuple[str, str]
"""Leg and role."""


class Watch:
    """Samples each watched subject every 100 ms.

    The pid that a subject names in its hello is watched beside the one that was started, if it is a descendant of it (a
    pid from elsewhere would measure a stranger). The larger of the two memories counts and the sum of their CPU times,
    so that a wrapper costs little and nothing hides behind the name of an idle process.
    """

    def __init__(self) -> None:
        self.due = 0
        self._probes: dict[Subject, list[Probe]] = {}
        self._started: dict[Subject, Identity] = {}
        self._named: dict[Subject, int] = {}

    def begin(self, subject: Subject, pid: int) -> None:
        """Watch a started process."""
        found = identity(pid)
        if found is not None:
            self._started[subject] = found
        self._probes[subject] = [Probe(pid)]
        if subject in self._named:
            self.name(subject, self._named[subject])

    def name(self, subject: Subject, pid: int) -> None:
        """Take over the pid of a hello."""
        self._named[subject] = pid
        probes = self._probes.get(subject)
        if probes is not None and probes[0].pid != pid and descends(pid, probes[0].pid):
            self._probes[subject] = [probes[0], Probe(pid)]

    def stop(self, subject: Subject) -> list[Row]:
        """End the watching; returns a last sample if there is one."""
        probes = self._probes.pop(subject, [])
        self._started.pop(subject, None)
        return self._row(subject, probes)

    def rows(self) -> list[Row]:
        """Rows of `resources` for all that is due; none of a process that is gone."""
        now = perf_counter_ns()
        if now < self.due:
            return []
        self.due += SAMPLE_NS
        if self.due <= now:
            self.due = now + SAMPLE_NS
        return [row for subject, probes in self._probes.items() for row in self._row(subject, probes)]

    def kill_all(self) -> None:
        """Kill each started process that is still the same one, with its process group where it leads one."""
        for pid, start in self._started.values():
            if identity(pid) != (pid, start):
                continue
            try:
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    @staticmethod
    def _row(subject: Subject, probes: list[Probe]) -> list[Row]:
        samples = [sample for probe in probes if (sample := probe.sample()) is not None]
        if not samples:
            return []
        main = max(samples, key=lambda sample: sample.uss)
        cpu_ns = sum(sample.cpu_ns for sample in samples)
        return [(samples[0].t, *subject, main.pid, cpu_ns, main.uss, main.rss)]
