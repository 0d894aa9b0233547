"""What a process costs: scheduler time of all its threads, unique and resident memory, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path
from time import perf_counter_ns
from typing import Final, NamedTuple

__all__ = ["SAMPLE_NS", "Identity", "Probe", "Sample", "children_of", "descends", "identity"]

SAMPLE_NS: Final = 100_000_000
COSTLY_NS: Final = 1_000_000
COSTLY_EVERY_NS: Final = 500_000_000
_PROC: Final = Path("/proc")
_PRIVATE: Final = re.compile(rb"^Private_(?:Clean|Dirty|Hugetlb):\s+(\d+) kB", re.MULTILINE)
_RSS: Final = re.compile(rb"^Rss:\s+(\d+) kB", re.MULTILINE)


class Sample(NamedTuple):
    """One reading: t in ns of CLOCK_MONOTONIC, cpu_ns since the probe's process began, uss and rss in bytes."""

    t: int
    pid: int
    cpu_ns: int
    uss: int
    rss: int


class Identity(NamedTuple):
    """A process that cannot be mistaken for a later one with the same pid; start in clock ticks since boot."""

    pid: int
    start: int


class Probe:
    """Samples one process. CPU is the sum of the first field of each task's schedstat (ns on a CPU).

    Threads that have ended keep counting with their last reading, so that the sum never goes back. Memory is read each
    time unless that costs over 1 ms; then each 500 ms, with the last value repeated.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._live: dict[str, int] = {}
        self._ended = 0
        self._memory = (0, 0)
        self._memory_due = 0

    def sample(self) -> Sample | None:
        """A reading, or None when the process is gone."""
        t = perf_counter_ns()
        try:
            cpu = self._cpu()
            if t >= self._memory_due:
                self._memory = self._read_memory(t)
        except (OSError, ValueError, AttributeError):
            return None
        return Sample(t, self.pid, cpu, *self._memory)

    def cpu_ns(self) -> int | None:
        """Its CPU alone, or None when the process is gone."""
        try:
            return self._cpu()
        except (OSError, ValueError):
            return None

    def _cpu(self) -> int:
        tasks = _PROC / str(self.pid) / "task"
        now: dict[str, int] = {}
        for task in os.listdir(tasks):
            try:
                now[task] = int((tasks / task / "schedstat").read_bytes().split(None, 1)[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
        for task, before in self._live.items():
            if now.get(task, -1) < before:
                self._ended += before
        self._live = now
        return self._ended + sum(now.values())

    def _read_memory(self, t: int) -> tuple[int, int]:
        text = (_PROC / str(self.pid) / "smaps_rollup").read_bytes()
        rss = _RSS.search(text)
        if rss is None:
            raise ValueError("no memory map")
        cost = perf_counter_ns() - t
        self._memory_due = t + COSTLY_EVERY_NS if cost > COSTLY_NS else 0
        return 1024 * sum(map(int, _PRIVATE.findall(text))), 1024 * int(rss[1])


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
