"""Runs many short sessions, two at a time, and reads each while the next ones run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from shadow.config import SessionConfig
from shadow.errors import ShadowError, UsageError
from shadow.leg_run import Listener
from shadow.placement import Placement
from shadow.session import Session

__all__ = ["How", "Planned", "Tell", "run_many"]

AT_ONCE = 2
OVERHEAD_S = 8.0
"""What a session takes besides its measured time: starting, subscribing, draining, reading."""
Tell = Callable[[str], None]


class Planned(Protocol):
    """One session of many: its name, which is its folder's too, its measured time, and whether the machine has to be
    its own, because it measures times."""

    @property
    def kind(self) -> str:
        """What it is about."""

    @property
    def seconds(self) -> float:
        """Measured time."""

    @property
    def alone(self) -> bool:
        """Whether nothing may run beside it."""


S = TypeVar("S", bound=Planned)
C = TypeVar("C")


class How(msgspec.Struct, Generic[S, C], frozen=True):
    """What to do with each session: its settings, what to read from its folder (in a process of its own, so it has to
    be importable), and what is bad about what was read: empty where the folder may go."""

    config_of: Callable[[S], SessionConfig]
    read: Callable[[Path, S], list[C]]
    complaint: Callable[[list[C]], str]
    fine: str


class Countdown:
    """Tells what is done and how long the rest will take; the first guess is corrected by what sessions took."""

    def __init__(self, sessions: Sequence[Planned], tell: Tell) -> None:
        self._left = list(sessions)
        self._all = len(sessions)
        self._tell = tell
        self._spent_s = self._planned_s = 0.0

    def begin(self) -> None:
        """Say what is to come."""
        alone = sum(session.alone for session in self._left)
        last = f", the last {alone} alone" if alone else ""
        self._tell(f"{self._all} sessions, {AT_ONCE} at a time{last}, about {self._left_s():.0f} s")

    def done(self, session: Planned, took_s: float, words: str) -> None:
        """A session has ended."""
        self._left.remove(session)
        self._spent_s += took_s
        self._planned_s += session.seconds + OVERHEAD_S
        number = self._all - len(self._left)
        self._tell(f"{number}/{self._all} {session.kind}: {words}; about {self._left_s():.0f} s left")

    def _left_s(self) -> float:
        pace = self._spent_s / self._planned_s if self._planned_s else 1.0
        return pace * sum((session.seconds + OVERHEAD_S) / (1 if session.alone else AT_ONCE) for session in self._left)


class Quiet(Listener):
    """A session's listener: phases are not told, what a person should know is."""

    def __init__(self, kind: str, tell: Tell) -> None:
        self._kind = kind
        self._tell = tell

    def note(self, text: str) -> None:
        """Something a person should know now."""
        self._tell(f"{self._kind}: {text}")


class Runs(Generic[S, C]):
    """Sessions below one folder; directories of sessions without a complaint are removed."""

    def __init__(self, sessions: Sequence[S], how: How[S, C], folder: Path, tell: Tell) -> None:
        self._sessions = sessions
        self._how = how
        self._folder = folder
        self._tell = tell
        self._countdown = Countdown(sessions, tell)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._everywhere = Placement(frozenset(os.sched_getaffinity(0)))

    async def all(self) -> list[C]:
        """Run all, those that have to be alone last; what was read, in the order of the sessions."""
        self._countdown.begin()
        found: dict[str, list[C]] = {}
        # spawn: Arrow's threads do not survive a fork
        with ProcessPoolExecutor(1, get_context("spawn"), ignore_interrupts) as reader:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = {
                        one.kind: group.create_task(self._one(one, reader)) for one in self._sessions if not one.alone
                    }
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
            found |= {kind: task.result() for kind, task in tasks.items()}
            for session in self._sessions:
                if session.alone:
                    found[session.kind] = await self._one(session, reader)
        return [cell for session in self._sessions for cell in found[session.kind]]

    async def _one(self, session: S, reader: Executor) -> list[C]:
        async with self._room:
            began = time.monotonic()
            folder = self._folder / session.kind
            await self._run(session, folder)
            cells = await asyncio.get_running_loop().run_in_executor(reader, self._how.read, folder, session)
        self._countdown.done(session, time.monotonic() - began, self._keep_or_remove(folder, cells))
        return cells

    async def _run(self, session: S, folder: Path) -> None:
        config = self._how.config_of(session)
        config.out = folder
        placement = None if session.alone else self._everywhere
        run = Session(config, config.out_dir(), Quiet(session.kind, self._tell), placement)
        interrupted = await run.run()
        run.write_manifest(interrupted)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A session ends in order when it is cancelled, and says so by its manifest alone.
            raise asyncio.CancelledError

    def _keep_or_remove(self, folder: Path, cells: list[C]) -> str:
        complaint = self._how.complaint(cells)
        if complaint:
            return f"{complaint}, kept in {folder}"
        shutil.rmtree(folder)
        return self._how.fine


def ignore_interrupts() -> None:
    """Ctrl-C goes to all processes of the terminal; the command ends its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_many(sessions: Sequence[S], how: How[S, C], runs: Path, name: str, tell: Tell) -> list[C]:
    """Run the sessions in a folder of this name below `runs` and read them.

    UsageError for a person's mistake, before anything is started; ShadowError when stopped or when the harness fails.
    """
    for session in sessions:
        how.config_of(session).validate()
    folder = runs / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; call it from a folder that can be written") from None

    async def main() -> list[C]:
        task = asyncio.ensure_future(Runs(sessions, how, folder, tell).all())
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
