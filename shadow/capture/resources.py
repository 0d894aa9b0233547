"""What a process costs: scheduler time of all its threads, ended ones too, from its clock; its memory from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path
from time import clock_gettime_ns, perf_counter_ns
from typing import Final, NamedTuple

__all__ = [
    "SAMPLE_NS",
    "Ancestry",
    "Identity",
    "Probe",
    "Sample",
    "ancestry",
    "children_of",
    "cpu_ns_of",
    "descends",
    "identity",
]

SAMPLE_NS: Final = 100_000_000
COSTLY_NS: Final = 1_000_000
COSTLY_EVERY_NS: Final = 500_000_000
_PROC: Final = Path("/proc")
_PRIVATE: Final = re.compile(rb"^Private_(?:Clean|Dirty|Hugetlb):\s+(\d+) kB", re.MULTILINE)
_CPUCLOCK_SCHED: Final = 2
"""Which of a process's clocks, as <linux/posix-timers.h> numbers them: glibc's clock_getcpuclockid() does the same."""
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_FORKED: Final = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_RSS: Final = re.compile(rb"^Rss:\s+(\d+) kB", re.MULTILINE)


class Sample(NamedTuple):
    """One reading: t in ns of CLOCK_MONOTONIC, cpu_ns since the probe's process began, uss and rss in bytes.

    uss is what no other process has, and a process's share of what it has in common with the processes that it forked.
    """

    t: int
    pid: int
    cpu_ns: int
    uss: int
    rss: int


class Identity(NamedTuple):
    """A process that cannot be mistaken for a later one with the same pid; start in clock ticks since boot."""

    pid: int
    start: int


class Ancestry(NamedTuple):
    """A process, the pid of its parent, and the CPU in ns (by 10 ms) of the children that it has waited for."""

    known: Identity
    parent: int
    reaped_ns: int


class Probe:
    """Samples one process. Memory is read each time unless that costs over 1 ms; then each 500 ms, with the last value
    repeated."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._memory = (0, 0)
        self._memory_due = 0

    def sample(self) -> Sample | None:
        """A reading, or None when the process is gone."""
        t = perf_counter_ns()
        try:
            cpu = cpu_ns_of(self.pid)
            if t >= self._memory_due:
                self._memory = self._read_memory(t)
        except (OSError, ValueError, AttributeError):
            return None
        return Sample(t, self.pid, cpu, *self._memory)

    def cpu_ns(self) -> int | None:
        """Its CPU alone, or None when the process is gone."""
        try:
            return cpu_ns_of(self.pid)
        except OSError:
            return None

    def _read_memory(self, t: int) -> tuple[int, int]:
        text = (_PROC / str(self.pid) / "smaps_rollup").read_bytes()
        rss = _RSS.search(text)
        if rss is None:
            raise ValueError("no memory map")
        cost = perf_counter_ns() - t
        self._memory_due = t + COSTLY_EVERY_NS if cost > COSTLY_NS else 0
        # Memory without a file is in common only after a fork: private pages, without them, would hide it in an idle
        # child. A share of the libraries' files would move with whatever else runs on the machine.
        uss = max(sum(map(int, pattern.findall(text))) for pattern in (_PRIVATE, _FORKED))
        return 1024 * uss, 1024 * int(rss[1])


def cpu_ns_of(pid: int) -> int:
    """Scheduler time of all threads that a process has or had, in ns; OSError when it is gone; a zombie is not.

    Its tasks in /proc would tell of those alone that live: a stack that starts a thread a message would cost nothing.
    """
    return clock_gettime_ns(~pid << 3 | _CPUCLOCK_SCHED)


def ancestry(pid: int) -> Ancestry | None:
    """The process that has this pid now, or None."""
    fields = _stat(pid)
    if not fields:
        return None
    reaped_ns = (int(fields[13]) + int(fields[14])) * _TICK_NS
    return Ancestry(Identity(pid, int(fields[19])), int(fields[1]), reaped_ns)


def identity(pid: int) -> Identity | None:
    """The process that has this pid now, or None."""
    fields = _stat(pid)
    return Identity(pid, int(fields[19])) if fields else None


def children_of(pid: int) -> list[int]:
    """Processes that this one started; empty where it is gone, or where the kernel keeps no such list."""
    found: list[int] = []
    try:
        for task in os.listdir(_PROC / str(pid) / "task"):
            found += map(int, (_PROC / str(pid) / "task" / task / "children").read_bytes().split())
    except OSError:
        return found
    return found


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process is `ancestor` or one of its descendants."""
    for _ in range(64):
        if pid == ancestor:
            return True
        fields = _stat(pid)
        if not fields or pid <= 1:
            return False
        pid = int(fields[1])
    return False


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/<pid>/stat after the command's name: state, ppid, ...; empty when the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []
