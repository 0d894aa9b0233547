"""The subjects' processes under watch: their resources while they run, their end when the session is gone."""

from __future__ import annotations

import contextlib
import os
import signal
from time import perf_counter_ns

from shadow.capture.resources import SAMPLE_NS, Identity, Probe, Sample, children_of, descends, identity
from shadow.capture.writer import Row

__all__ = ["Watch"]

Subject = tuple[str, str]
"""Leg and role."""


class Family:
    """A subject's processes: the one that was started, and everything that descends from it.

    Without the kernel's lists of children, the pid that a hello names is the only descendant that is known.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._started = Probe(pid)
        self._others: dict[Identity, Probe] = {}
        self._spent: dict[Identity | None, int] = {}

    def take(self, pid: int) -> None:
        """Watch a descendant, too."""
        found = identity(pid)
        if found is not None and pid != self.pid:
            self._others.setdefault(found, Probe(pid))

    def sample(self) -> Sample | None:
        """CPU of all; of memory the larger of the started process and of all others together. None when all are gone.

        The larger and not the sum, so that a wrapper costs little; CPU of what has ended stays.
        """
        for pid in [self.pid, *(probe.pid for probe in self._others.values())]:
            for child in children_of(pid):
                self.take(child)
        first = self._started.sample()
        living = ((known, probe) for known, probe in self._others.items() if identity(known.pid) == known)
        others = {known: sample for known, probe in living if (sample := probe.sample()) is not None}
        self._spent |= {known: sample.cpu_ns for known, sample in others.items()}
        return self._together(first, list(others.values()))

    def _together(self, first: Sample | None, others: list[Sample]) -> Sample | None:
        if first is not None:
            self._spent[None] = first.cpu_ns
        elif not others:
            return None
        uss, rss = sum(sample.uss for sample in others), sum(sample.rss for sample in others)
        cpu_ns = sum(self._spent.values())
        if first is not None and first.uss >= uss:
            return Sample(first.t, first.pid, cpu_ns, first.uss, first.rss)
        largest = max(others, key=lambda sample: sample.uss)
        return Sample((first or largest).t, largest.pid, cpu_ns, uss, rss)

    def end_others(self) -> None:
        """Kill what outlived the started process, in whatever session."""
        for known in self._others:
            if identity(known.pid) == known:
                _kill(known.pid)


class Watch:
    """Samples each watched subject every 100 ms.

    What a subject starts is watched with it, and so is the pid that it names in its hello, if that is a descendant (a
    pid from elsewhere would measure a stranger): nothing hides behind the name of an idle process.
    """

    def __init__(self) -> None:
        self.due = 0
        self._families: dict[Subject, Family] = {}
        self._started: dict[Subject, Identity] = {}
        self._named: dict[Subject, int] = {}

    def begin(self, subject: Subject, pid: int) -> None:
        """Watch a started process."""
        found = identity(pid)
        if found is not None:
            self._started[subject] = found
        self._families[subject] = Family(pid)
        if subject in self._named:
            self.name(subject, self._named[subject])

    def name(self, subject: Subject, pid: int) -> None:
        """Take over the pid of a hello."""
        self._named[subject] = pid
        family = self._families.get(subject)
        if family is not None and descends(pid, family.pid):
            family.take(pid)

    def stop(self, subject: Subject) -> list[Row]:
        """End the watching, and whatever the subject left behind; returns a last sample if there is one."""
        family = self._families.pop(subject, None)
        self._started.pop(subject, None)
        if family is None:
            return []
        rows = _rows(subject, family)
        family.end_others()
        return rows

    def rows(self) -> list[Row]:
        """Rows of `resources` for all that is due; none of a process that is gone."""
        now = perf_counter_ns()
        if now < self.due:
            return []
        self.due += SAMPLE_NS
        if self.due <= now:
            self.due = now + SAMPLE_NS
        return [row for subject, family in self._families.items() for row in _rows(subject, family)]

    def kill_all(self) -> None:
        """Kill each started process that is still the same one, with its process group where it leads one, and what
        else it started."""
        for pid, start in self._started.values():
            if identity(pid) == (pid, start):
                _kill(pid)
        for family in self._families.values():
            family.end_others()


def _rows(subject: Subject, family: Family) -> list[Row]:
    sample = family.sample()
    return [] if sample is None else [(sample.t, *subject, sample.pid, sample.cpu_ns, sample.uss, sample.rss)]


def _kill(pid: int) -> None:
    """Kill a process, with its group where it leads one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
