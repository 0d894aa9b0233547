"""The recorder process: reads the ledger and all subjects' pipes, writes the raw tables of a run.

`python -m shadow.capture.recorder`; JSON lines on stdin (the first one is a `Plan`, then commands) and on stdout.
"""

from __future__ import annotations

import fcntl
import gc
import os
import selectors
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import msgspec
import orjson

from shadow.capture.intake import LedgerIntake, SubjectIntake
from shadow.capture.lines import LineSplitter
from shadow.capture.manifest import write_manifest
from shadow.capture.outbox import Outbox
from shadow.capture.redact import Redactor
from shadow.capture.room import is_full
from shadow.capture.strain import Strain
from shadow.capture.tables import SESSION_TABLES
from shadow.capture.watch import Watch
from shadow.capture.writer import SegmentWriter, compact, warm_up

__all__ = ["Plan", "Recorder", "SubjectPipes", "main"]

PIPE_SIZE: Final = 1 << 20
TICK_NS: Final = 50_000_000
CALM_NS: Final = 250_000_000
DRAIN_NS: Final = 2_000_000_000


class SubjectPipes(msgspec.Struct, forbid_unknown_fields=True):
    """The read ends of one subject's output in one leg."""

    leg: str
    role: str
    stdout_fd: int
    stderr_fd: int | None = None


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """The first line on stdin: the run directory, the pipes to read, the secrets to hide, what the tables may take."""

    dir: str
    ledger_fd: int | None = None
    subjects: list[SubjectPipes] = []
    secrets: list[str] = []
    max_bytes: int | None = None


class Recorder:
    """One selectors loop over all pipes; `run` returns the exit code.

    It ends with the command `finish` (tables compacted), or when stdin ends or SIGTERM comes without it: then what was
    read is flushed, the watched processes are killed, and the manifest says that the run was interrupted.
    """

    def __init__(self, plan: Plan, commands: LineSplitter, stdin_fd: int = 0, stdout_fd: int = 1) -> None:
        self._run = Path(plan.dir)
        self._outbox = Outbox(stdout_fd)
        self._commands = commands
        self._stdin = stdin_fd
        self._selector = selectors.DefaultSelector()
        self._wakers = selectors.DefaultSelector()
        self._ledger_read = 0
        self._buffer = bytearray(PIPE_SIZE)
        self._view = memoryview(self._buffer)
        self._watch = Watch()
        self._strain = Strain()
        self._redactor = Redactor(plan.secrets)
        self._ledger = LedgerIntake(self._redactor)
        self._ledger_open = plan.ledger_fd is not None
        self._intakes: dict[tuple[str, str], SubjectIntake] = {}
        self._leg = ""
        self._last_read = 0
        self._tick_due = 0
        self._ending: str | None = None
        self._max_bytes = plan.max_bytes
        roles = sorted({pipes.role for pipes in plan.subjects})
        tables = (*SESSION_TABLES, *(f"events/{role}" for role in roles))
        for name in dict.fromkeys(("events", *SESSION_TABLES)):
            warm_up(name)
        self._writers = {table: SegmentWriter(self._run, table) for table in tables}
        self._register(plan)

    def run(self) -> int:
        """Record until told to finish, or until the session is gone; a full disk is answered with `failed`."""
        try:
            self._say({"k": "ready"})
            while self._ending is None:
                self._wakers.select(self._timeout())
                self._turn(0.0)
            return self._finish() if self._ending == "finish" else self._abandon(self._ending)
        except OSError as fault:
            self._say({"k": "failed", "text": f"the run cannot be written: {fault}"})
            self._outbox.flush(wait=True)
            return 1

    def interrupt(self, reason: str) -> None:
        """End without compaction at the next turn."""
        self._ending = self._ending or reason

    def _register(self, plan: Plan) -> None:
        self._open(self._stdin, self._on_commands)
        if plan.ledger_fd is not None:
            self._open(plan.ledger_fd, self._on_ledger, "ledger")
        for pipes in plan.subjects:
            subject = (pipes.leg, pipes.role)
            intake = SubjectIntake(*subject, self._redactor, partial(self._on_line, subject))
            self._intakes[subject] = intake
            self._open(pipes.stdout_fd, partial(self._on_output, intake, ""), f"{pipes.leg}/{pipes.role}")
            if pipes.stderr_fd is not None:
                take = partial(self._on_output, intake, "stderr")
                self._open(pipes.stderr_fd, take, f"{pipes.leg}/{pipes.role} stderr")

    def _open(self, fd: int, take: Callable[[bytes, int], None], name: str = "") -> None:
        """Read a pipe from now on; `take` gets each chunk with its time, b"" at the end. A named one is made large."""
        os.set_blocking(fd, False)
        capacity = PIPE_SIZE
        try:
            if name:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
            capacity = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        except OSError:
            pass
        self._selector.register(fd, selectors.EVENT_READ, (take, name, capacity))
        if name in ("", "ledger"):
            self._wakers.register(fd, selectors.EVENT_READ)

    def _timeout(self) -> float:
        """Seconds until the next turn if nobody wakes it.

        Subjects never wake it: while the venue writes its ledger, at moments when no subject is busy, those are the
        moments to read all pipes; without a ledger they are read each tick.
        """
        now = perf_counter_ns()
        quiet = now - self._ledger_read > 2 * CALM_NS
        due = min(self._watch.due, self._tick_due) if quiet else self._ledger_read + CALM_NS
        return max(0.0, min(CALM_NS, due - now) / 1e9)

    def _turn(self, timeout: float) -> int:
        """Read what is ready, sample and flush what is due; returns the number of pipes that had something."""
        ready = self._selector.select(timeout)
        began = perf_counter_ns()
        for key, _ in ready:
            self._read(key)
        if rows := self._watch.rows():
            self._writers["resources"].extend(rows)
        if began >= self._tick_due:
            self._tick_due = began + TICK_NS
            for writer in self._writers.values():
                writer.tick()
            self._look_at_room()
        if not self._outbox.flush():
            self.interrupt("session ended without finish")
        if marks := self._strain.marks(began, perf_counter_ns(), self._leg):
            self._writers["marks"].extend(marks)
        return len(ready)

    def _look_at_room(self) -> None:
        """Tell once that the tables have taken what they may; it is the session's part to end."""
        if self._max_bytes is not None and is_full((w.bytes_written for w in self._writers.values()), self._max_bytes):
            self._say({"k": "full", "max_bytes": self._max_bytes})
            self._max_bytes = None

    def _read(self, key: selectors.SelectorKey) -> None:
        take, name, capacity = key.data
        try:
            size = os.readv(key.fd, [self._buffer])
        except BlockingIOError:
            return
        t_read = perf_counter_ns()
        if not size:
            self._selector.unregister(key.fd)
            if key.fd in self._wakers.get_map():
                self._wakers.unregister(key.fd)
            if key.fd != self._stdin:
                os.close(key.fd)
        elif name == "ledger":
            self._strain.ledger(size, capacity)
        take(bytes(self._view[:size]), t_read)

    def _on_output(self, intake: SubjectIntake, stream: str, chunk: bytes, t_read: int) -> None:
        rows = intake.feed(chunk, t_read, stream) if chunk else intake.end(t_read, stream)
        self._strain.said(intake.leg, intake.role, len(chunk), rows)
        if rows:
            self._leg, self._last_read = intake.leg, t_read
            self._writers[f"events/{intake.role}"].extend(rows)
        if not chunk and not stream:
            self._say({"k": "eof", "leg": intake.leg, "role": intake.role})

    def _on_line(self, subject: tuple[str, str], line: bytes) -> None:
        try:
            fields = orjson.loads(line)
        except ValueError:
            return
        pid = fields.get("pid")
        if fields["k"] == "hello" and isinstance(pid, int) and 0 < pid < 2**31:
            self._watch.name(subject, pid)
        self._say({"k": "line", "leg": subject[0], "role": subject[1], "line": fields})

    def _on_ledger(self, chunk: bytes, t_read: int) -> None:
        self._ledger_read = t_read
        if not chunk:
            self._ledger_open = False
            self._ledger_read = 0
        for table, rows in self._ledger.feed(chunk).items():
            self._writers[table].extend(rows)

    def _on_commands(self, chunk: bytes, _: int) -> None:
        if not chunk:
            self.interrupt("session ended without finish")
        for line in self._commands.feed(chunk)[1]:
            self.command(line)

    def command(self, line: bytes) -> None:
        """Obey one line of stdin; one that makes no sense is answered with `failed`."""
        try:
            fields: dict[str, Any] = orjson.loads(line)
            self._obey(fields)
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            self._say({"k": "failed", "text": f"command not understood: {fault!r}"})

    def _obey(self, fields: dict[str, Any]) -> None:
        match fields["cmd"]:
            case "watch":
                self._watch.begin((fields["leg"], fields["role"]), int(fields["pid"]))
            case "unwatch":
                self._writers["resources"].extend(self._watch.stop((fields["leg"], fields["role"])))
            case "mark":
                self._writers["marks"].append(tuple(fields["row"]))
            case "counts":
                self._say(self._counts(fields.get("leg", self._leg)))
            case "freed":
                for table, size in fields["bytes"].items():
                    self._writers[table].freed(int(size))
            case "finish":
                self._ending = "finish"
            case unknown:
                raise ValueError(unknown)

    def _counts(self, leg: str) -> dict[str, object]:
        found = {role: intake.counts for (of, role), intake in self._intakes.items() if of == leg}
        return {"k": "counts", "leg": leg, "events": found, "last_read": self._last_read}

    def _say(self, message: dict[str, object]) -> None:
        self._outbox.put(orjson.dumps(message))

    def _finish(self) -> int:
        self._drain()
        drops = self._close()
        rows = {table: compact(self._run, table) for table in self._writers}
        overlong = sum(intake.overlong for intake in self._intakes.values())
        self._say({"k": "finished", "rows": rows, "drops": drops, "overlong": overlong})
        self._outbox.flush(wait=True)
        return 0

    def _abandon(self, reason: str) -> int:
        self._drain(DRAIN_NS // 10)
        self._writers["marks"].append((perf_counter_ns(), self._leg, "", "interrupted", _detail(reason=reason)))
        self._close()
        self._watch.kill_all()
        write_manifest(self._run, interrupted=reason)
        return 1

    def _drain(self, limit_ns: int = DRAIN_NS) -> None:
        """Read what the pipes hold, and the ledger to its end, for `limit_ns` at most."""
        limit = perf_counter_ns() + limit_ns
        if self._stdin in self._selector.get_map():
            self._selector.unregister(self._stdin)
        while perf_counter_ns() < limit and self._selector.get_map():
            if not self._turn(0.02 if self._ledger_open else 0.0) and not self._ledger_open:
                break

    def _close(self) -> int:
        """Take over unfinished lines, close all segments; returns how many rows were lost on the way."""
        now = perf_counter_ns()
        for intake in self._intakes.values():
            rows = [*intake.end(now), *intake.end(now, "stderr")]
            self._writers[f"events/{intake.role}"].extend(rows)
        for writer in self._writers.values():
            writer.close()
        drops = self._ledger.end() + sum(writer.drops for writer in self._writers.values())
        if drops:
            self._writers["marks"].append((now, self._leg, "", "harness-drops", _detail(count=drops)))
            self._writers["marks"].close()
        return drops


def _detail(**fields: object) -> str:
    return orjson.dumps(fields).decode()


def _read_plan(commands: LineSplitter) -> tuple[Plan, list[bytes]]:
    """The plan on stdin, and commands that came with it."""
    lines: list[bytes] = []
    while not lines:
        chunk = os.read(0, 65_536)
        if not chunk:
            raise SystemExit(1)
        lines = commands.feed(chunk)[1]
    return msgspec.json.decode(lines[0], type=Plan), lines[1:]


def main() -> int:
    """Run the recorder on this process's stdin and stdout; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands = LineSplitter()
    plan, early = _read_plan(commands)
    recorder = Recorder(plan, commands)
    signal.signal(signal.SIGTERM, lambda *_: recorder.interrupt("recorder terminated"))
    gc.collect()
    gc.freeze()
    for line in early:
        recorder.command(line)
    return recorder.run()


if __name__ == "__main__":
    sys.exit(main())
