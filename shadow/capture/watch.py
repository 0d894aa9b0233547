"""The subjects' processes under watch: their resources while they run, their end when the session is gone."""

from __future__ import annotations

import contextlib
import os
import signal
from time import perf_counter_ns

from shadow.capture.resources import (
    SAMPLE_NS,
    Identity,
    Probe,
    Sample,
    ancestry,
    children_of,
    cpu_ns_of,
    descends,
    identity,
)
from shadow.capture.spent import Reading, Spent
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
        self._probes: dict[Identity, Probe] = {}
        self._spent = Spent()
        self.take(pid)

    def take(self, pid: int) -> None:
        """Watch a process of the family, too."""
        found = identity(pid)
        if found is not None:
            self._probes.setdefault(found, Probe(pid))

    def sample(self) -> Sample | None:
        """CPU of all, also of what has ended, and memory of all that live, with the pid of the largest. None when all
        are gone."""
        self._find()
        t, cpu_ns = perf_counter_ns(), self._spent.total_ns(self._living())
        samples = [found for probe in self._probes.values() if (found := probe.sample()) is not None]
        if not samples:
            return None
        largest = max(samples, key=lambda one: one.uss)
        return Sample(t, largest.pid, cpu_ns, sum(one.uss for one in samples), sum(one.rss for one in samples))

    def _find(self) -> None:
        """Take what has been started since."""
        pids = [known.pid for known in self._probes]
        seen = set(pids)
        for pid in pids:
            new = [child for child in children_of(pid) if child not in seen]
            for child in new:
                self.take(child)
            seen.update(new)
            pids += new

    def _living(self) -> dict[Identity, Reading]:
        """All that live or wait for their parents: first what they have waited for, then what each has spent itself."""
        told = [found for known in self._probes if (found := ancestry(known.pid)) and found.known == known]
        living = {}
        for one in told:
            with contextlib.suppress(OSError):
                living[one.known] = Reading(one.parent, cpu_ns_of(one.known.pid), one.reaped_ns)
        self._probes = {known: probe for known, probe in self._probes.items() if known in living}
        return living

    def end_others(self) -> None:
        """Kill what outlived the started process, in whatever session."""
        for known in self._probes:
            if known.pid != self.pid and identity(known.pid) == known:
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
