"""Runs the sessions of the table, two at a time, and reads their cells while the next ones run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from shadow.errors import ShadowError, UsageError
from shadow.fault_table.cells import Cell, holds
from shadow.fault_table.observe import observe
from shadow.fault_table.plan import Common, FaultSession, config_of
from shadow.placement import Placement
from shadow.session import Session

__all__ = ["run_sessions"]

AT_ONCE = 2
OVERHEAD_S = 8.0
"""What a session takes besides its measured time: starting, subscribing, draining, reading."""
Tell = Callable[[str], None]


class Countdown:
    """Tells what is done and how long the rest will take; the first guess is corrected by what sessions took."""

    def __init__(self, sessions: list[FaultSession], tell: Tell) -> None:
        self._left = list(sessions)
        self._all = len(sessions)
        self._tell = tell
        self._spent_s = self._planned_s = 0.0

    def begin(self) -> None:
        """Say what is to come."""
        self._tell(f"{self._all} sessions, {AT_ONCE} at a time, about {self._left_s():.0f} s")

    def done(self, session: FaultSession, took_s: float, words: str) -> None:
        """A session has ended."""
        self._left.remove(session)
        self._spent_s += took_s
        self._planned_s += session.seconds + OVERHEAD_S
        number = self._all - len(self._left)
        self._tell(f"{number}/{self._all} {session.kind}: {words}; about {self._left_s():.0f} s left")

    def _left_s(self) -> float:
        pace = self._spent_s / self._planned_s if self._planned_s else 1.0
        return pace * sum(session.seconds + OVERHEAD_S for session in self._left) / AT_ONCE


class Quiet:
    """A session's listener: phases are not told, what a person should know is."""

    def __init__(self, kind: str, tell: Tell) -> None:
        self._kind = kind
        self._tell = tell

    def phase(self, leg: str, phase: str, seconds: float) -> None:
        """A phase begins."""

    def note(self, text: str) -> None:
        """Something a person should know now."""
        self._tell(f"{self._kind}: {text}")


class Runs:
    """The sessions of one table, below one folder; directories of sessions in which new holds are removed."""

    def __init__(self, sessions: list[FaultSession], common: Common, folder: Path, tell: Tell) -> None:
        self._sessions = sessions
        self._folder = folder
        self._common = common
        self._tell = tell
        self._countdown = Countdown(sessions, tell)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._placement = Placement(frozenset(os.sched_getaffinity(0)))

    async def all(self) -> list[Cell]:
        """Run all; cells in the order of the sessions."""
        self._countdown.begin()
        # spawn: Arrow's threads do not survive a fork
        with ProcessPoolExecutor(1, get_context("spawn"), ignore_interrupts) as reader:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._one(session, reader)) for session in self._sessions]
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
        return [cell for task in tasks for cell in task.result()]

    async def _one(self, session: FaultSession, reader: Executor) -> list[Cell]:
        async with self._room:
            began = time.monotonic()
            folder = self._folder / session.kind
            await self._run(session, folder)
            cells = await asyncio.get_running_loop().run_in_executor(reader, observe, folder, session)
        words = self._keep_or_remove(folder, cells)
        self._countdown.done(session, time.monotonic() - began, words)
        return cells

    async def _run(self, session: FaultSession, folder: Path) -> None:
        config = config_of(session, self._common)
        config.out = folder
        run = Session(config, config.out_dir(), Quiet(session.kind, self._tell), self._placement)
        interrupted = await run.run()
        run.write_manifest(interrupted)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A session ends in order when it is cancelled, and says so by its manifest alone.
            raise asyncio.CancelledError

    def _keep_or_remove(self, folder: Path, cells: list[Cell]) -> str:
        if holds(cells):
            shutil.rmtree(folder)
            return "new holds"
        bad = [f"{cell.connection} {word}" for cell in cells if (word := cell.verdicts()["new"]) != "ok"]
        return f"new fails ({', '.join(bad)}), kept in {folder}"


def ignore_interrupts() -> None:
    """Ctrl-C goes to all processes of the terminal; the command ends its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_sessions(sessions: list[FaultSession], common: Common, runs: Path, tell: Tell) -> list[Cell]:
    """Run the sessions below `runs` and read their cells.

    UsageError for a person's mistake, before anything is started; ShadowError when stopped or when the harness fails.
    """
    for session in sessions:
        config_of(session, common).validate()
    folder = runs / f"faults-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; call it from a folder that can be written") from None

    async def main() -> list[Cell]:
        task = asyncio.ensure_future(Runs(sessions, common, folder, tell).all())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        cells = asyncio.run(main())
    except asyncio.CancelledError:
        raise ShadowError("stopped by a signal; nothing was judged") from None
    except OSError as error:
        raise ShadowError(f"the sessions could not go on: {error}") from error
    if not any(folder.iterdir()):
        folder.rmdir()
        with contextlib.suppress(OSError):  # others' runs are there
            runs.rmdir()
    return cells
