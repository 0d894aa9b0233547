"""Feeds a case's frames to a stack over a real socket, and judges what it delivers as a session would.

Each replay starts the stack's process anew. The frames go as fast as a session's recorded feed at `--rate max`, not at
their own pace. What is expected are the case's events, not a new reading of its frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections import defaultdict
from time import perf_counter_ns
from typing import Any, Final

import msgspec

from shadow.capture.tables import COLUMNS
from shadow.children import end_group, subject_environment
from shadow.config import own_subject
from shadow.diff.allowance import side_rows
from shadow.diff.codes import Finding, severity_of
from shadow.diff.expected import side_sends
from shadow.diff.frames import FrameStore
from shadow.diff.lines import read_lines
from shadow.diff.merge import plain
from shadow.diff.side import judge_side
from shadow.errors import UsageError
from shadow.reproducer.case import Case
from shadow.reproducer.lane import ROLE, CaseLane
from shadow.subjects.protocol import StartLine, line
from shadow.venue.ledger import Ledger
from shadow.venue.sinks import NullSink, Row

__all__ = ["COMMAND", "PATIENT_S", "Heard", "differences", "findings", "replay"]

COMMAND: Final = "WS_SHADOW_REPRODUCER_NEW"
"""The environment variable whose command stands for the case's own."""
PATIENT_S: Final = 2.0
"""How long nothing may come before what is missing counts as missing; a session's own least patience."""
SUBSCRIBED_S: Final = 12.0
SETTLED_S: Final = 0.05
"""How long to listen on when everything came: for what is there once too often."""
LONGEST_S: Final = 30.0
"""A stack that never falls silent is stopped after so long."""
STOP_S: Final = 5.0
READ_BYTES: Final = 1 << 18
BOOK_CODES: Final = frozenset({"STATE", "GAP"})
CAP: Final = 1_000_000


class MemorySink(NullSink):
    """Keeps the ledger's rows by table."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def append(self, table: str, row: Row) -> None:
        """Keep one row."""
        self.tables[table].append(dict(zip(COLUMNS[table], row, strict=True)))


class Heard(msgspec.Struct):
    """One replay: the ledger's tables, the stack's lines as (t_read, line), the ledger's number of each frame of the
    case, 0 where it could not be sent."""

    tables: dict[str, list[dict[str, Any]]]
    lines: list[tuple[int, bytes]]
    numbers: list[int]


class _Said(msgspec.Struct):
    k: str = ""
    snapshot: bool | None = None


class Ear:
    """A subject's stdout: its lines with the time of reading; events counted but for rebuilt books."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, bytes]] = []
        self.events = 0
        self.changed = asyncio.Event()
        self._decode = msgspec.json.Decoder(_Said).decode

    async def listen(self, stream: asyncio.StreamReader) -> None:
        """Read to the end."""
        rest = b""
        while data := await stream.read(READ_BYTES):
            t_read = perf_counter_ns()
            *whole, rest = (rest + data).split(b"\n")
            for text in whole:
                self._take(t_read, text)
            self.changed.set()

    def _take(self, t_read: int, text: bytes) -> None:
        self.lines.append((t_read, text))
        try:
            said = self._decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        self.events += said.k == "event" and not said.snapshot


class Replay:
    """One replay of one case to one process."""

    def __init__(self, case: Case, quiet_s: float, *, is_told: bool) -> None:
        self._case = case
        self._quiet_s = quiet_s
        self._stderr = None if is_told else asyncio.subprocess.DEVNULL
        self._sink = MemorySink()
        self._ledger = Ledger(self._sink)
        self._ledger.begin_leg("main")
        self._lane = CaseLane(case, self._ledger)
        self._ear = Ear()
        self._process: asyncio.subprocess.Process

    async def run(self) -> Heard:
        """Start, feed, wait, stop; UsageError where the command cannot be started."""
        await self._lane.open()
        numbers = [0] * len(self._case.frames)
        try:
            self._process = await self._start()
            assert self._process.stdout is not None
            listening = asyncio.create_task(self._ear.listen(self._process.stdout))
            try:
                if await self._is_subscribed():
                    numbers = await self._feed()
            finally:
                await self._stop()
                await listening
        finally:
            await self._lane.close()
        return Heard(self._sink.tables, self._ear.lines, numbers)

    async def _start(self) -> asyncio.subprocess.Process:
        argv = shlex.split(os.environ.get(COMMAND) or self._case.command or own_subject("new"))
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
                env=subject_environment(),
            )
        except OSError as error:
            raise UsageError(f"{argv[0]}: {error.strerror}; give a program that can be started with --new") from None
        start = StartLine(1, "reproducer", ROLE, (self._lane.spec(),), self._case.options)
        assert process.stdin is not None
        process.stdin.write(line(start))
        return process

    async def _is_subscribed(self) -> bool:
        """Wait for all subscriptions; a stack that does not get there has failed, and the ledger says so."""
        subscribed = asyncio.create_task(self._lane.subscribed(with_books=self._case.fault.code in BOOK_CODES))
        ended = asyncio.create_task(self._process.wait())
        await asyncio.wait({subscribed, ended}, timeout=SUBSCRIBED_S, return_when=asyncio.FIRST_COMPLETED)
        is_done = subscribed.done()
        for task in (subscribed, ended):
            task.cancel()
        await asyncio.gather(subscribed, ended, return_exceptions=True)
        if not is_done and self._process.returncode is None:
            self._ledger.mark("subject-failed", ROLE, {"reason": "no-subscription"})
        return is_done

    async def _feed(self) -> list[int]:
        numbers = await self._lane.feed(self._case.frames)
        expected = sum(len(events) for events in self._case.expected)
        with contextlib.suppress(TimeoutError):
            loop = asyncio.get_running_loop()
            end = loop.time() + LONGEST_S
            while self._process.returncode is None and loop.time() < end:
                self._ear.changed.clear()
                async with asyncio.timeout(SETTLED_S if self._ear.events >= expected else self._quiet_s):
                    await self._ear.changed.wait()
        return numbers

    async def _stop(self) -> None:
        """Let the stack end by itself, so that it says what it still holds; note a death."""
        process = self._process
        assert process.stdin is not None
        if process.returncode is not None:
            self._ledger.mark("subject-failed", ROLE, {"reason": "died"})
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(line({"cmd": "stop"}))
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await process.wait()
        end_group(process.pid)
        code = await process.wait()
        self._ledger.mark("subject-exit", ROLE, {"code": code, "signal": None})


def replay(case: Case, *, quiet_s: float = PATIENT_S, is_told: bool = True) -> Heard:
    """Feed the case to its command, or to that of $WS_SHADOW_REPRODUCER_NEW; the stack's stderr is ours if `is_told`.

    UsageError where the command cannot be started.
    """
    return asyncio.run(Replay(case, quiet_s, is_told=is_told).run())


def findings(case: Case, heard: Heard) -> list[Finding]:
    """What is wrong with what was delivered, beyond what a session would call information."""
    tables = heard.tables
    store = FrameStore(tables["frames"])
    for number, events in zip(heard.numbers, case.expected, strict=True):
        if number:
            store.frames[number].events = events
    sends = side_sends(ROLE, tables["sends"], store)
    rows = side_rows(tables["connections"], tables["marks"])
    held = {(case.fault.connection, name): set(fields) for name, fields in case.held.items()}
    spoken = read_lines(heard.lines, CAP)
    judged = judge_side(ROLE, sends, spoken, store, rows, held=held, late_ns=None, cap=CAP)
    return [one for one in judged.findings if severity_of(one.code, one.type, one.field) != "info"]


def differences(case: Case, heard: Heard) -> list[str]:
    """A line for each finding, with what was expected and what came; none where all is as it should be."""
    unsent = heard.numbers.count(0)
    lost = [f"{unsent} of {len(heard.numbers)} frames could not be sent: nobody was connected"] if unsent else []
    return lost + [
        f"{' '.join(part for part in (one.code, one.type, one.symbol, one.field) if part)}: "
        f"expected {plain(one.expected)}, delivered {plain(one.delivered)}"
        for one in findings(case, heard)
    ]
