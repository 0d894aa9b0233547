"""The online judge's process: looks at a growing run directory and tells what it sees, until stdin ends.

`python -m shadow.online`; the first line on stdin is a `Start`, then `stop` or the end. Each look replaces online.json
and is one JSON line on stdout; `{"k":"stop","reason":..}` comes once, when a regression is certain.
"""

from __future__ import annotations

import os
import selectors
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from shadow.errors import RunError
from shadow.online.pace import EVERY_S, pause_s
from shadow.online.status import status_of, write_status

if TYPE_CHECKING:
    from shadow.online.follow import Follower, Look
    from shadow.online.running_report import RunningReport
    from shadow.online.stop import StopRule

__all__ = ["Start", "Watcher", "main", "step_back"]


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first line on stdin: the run directory, and how long the session is planned to measure."""

    dir: str
    planned_s: float = 0.0


class Watcher:
    """Looks again and again; keeps what its looks cost. `pause_s` is how long to wait before the next one."""

    def __init__(self, folder: str, follower: Follower, rule: StopRule, report: RunningReport) -> None:
        self._folder = folder
        self._follower = follower
        self._rule = rule
        self._report = report
        self._began = perf_counter_ns()
        self._spent = {"facts": 0.0, "statistics": 0.0}
        self._behind_s: list[float] = []
        self._stop: str | None = None
        self.pause_s = EVERY_S

    def look(self) -> list[dict[str, Any]]:
        """Look once, write online.json; what to tell. Nothing, while the run cannot be read yet."""
        try:
            look = self._follower.look(perf_counter_ns())
        except RunError:
            return []
        return self._told(look)

    def _told(self, look: Look) -> list[dict[str, Any]]:
        now = perf_counter_ns()
        self.pause_s = pause_s(look.fact_s + look.stat_s)
        self._spent["facts"] += look.fact_s
        self._spent["statistics"] += look.stat_s
        whole_s = (now - self._began) / 1e9 + self.pause_s
        shares = {name: spent / whole_s for name, spent in self._spent.items()}
        is_new = self._stop is None
        self._stop = self._stop or self._rule.take(look)
        self._behind_s.append((now - look.end) / 1e9)
        status = status_of(look, self._behind_s, shares, self._stop)
        write_status(self._folder, status)
        self._report.after(look)
        said: list[dict[str, Any]] = [{"k": "look", "status": status}]
        if is_new and self._stop is not None:
            said.append({"k": "stop", "reason": self._stop})
        return said


def step_back() -> None:
    """Give way to everything else: this process runs only where a core has nothing to do."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> int:
    """Follow one run on this process's stdin and stdout; returns the exit code."""
    step_back()
    first = sys.stdin.buffer.readline()
    if not first:
        return 1
    start = msgspec.json.decode(first, type=Start)
    import pyarrow as pa

    from shadow.online.follow import Follower
    from shadow.online.running_report import RunningReport
    from shadow.online.stop import StopRule

    pa.set_cpu_count(1)
    follower = Follower(start.dir)
    watcher = Watcher(start.dir, follower, StopRule(), RunningReport(Path(start.dir), follower, start.planned_s))
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(watcher.pause_s):
            for message in watcher.look():
                sys.stdout.buffer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
                sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
