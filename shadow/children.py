"""The session's child processes: the venue, the recorder and the subjects, spoken to in JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import orjson

from shadow.environment import OWN
from shadow.errors import ShadowError
from shadow.network.credentials import CREDENTIALS_VARIABLE
from shadow.upstream import UPSTREAM_VARIABLE

__all__ = [
    "Child",
    "ChildDied",
    "end_group",
    "end_with_parent",
    "keep_offspring",
    "same_layout",
    "subject_environment",
]

Message = dict[str, Any]
LINE_LIMIT = 16 * 1024 * 1024
PATIENCE_S = 3.0
ADDR_NO_RANDOMIZE = 0x0040000
PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1
# glibc gives the end of the heap back when enough of it is free. A stack that reads into 256 KiB at a time then sits,
# by chance and for as long as its heap keeps its shape, on a threshold that costs it two page faults a message: half of
# its CPU time again. Bounds well above keep every process in the cheap state.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20), "MALLOC_TRIM_THRESHOLD_": str(16 << 20)}
WITHHELD = (CREDENTIALS_VARIABLE, UPSTREAM_VARIABLE)
# Looked up before any fork: a child may not import.
_libc = ctypes.CDLL(None)


class ChildDied(ShadowError):
    """A part of the harness ended on its own."""


class Child:
    """A process of the harness: commands go in as JSON lines, answers come out as JSON lines."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_message: Callable[[Message], None]) -> None:
        self.name = name
        self.process = process
        self._on_message = on_message
        self._waiting: list[tuple[Callable[[Message], bool], asyncio.Future[Message]]] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        name: str,
        module: str,
        *,
        log: Path,
        first: Message,
        on_message: Callable[[Message], None] = lambda _: None,
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        before_program: Callable[[], None] | None = None,
    ) -> Self:
        """Start `python -m module` in a session of its own and write its first line.

        `environment` stands for ours, `before_program` runs in the new process, as with a subject.
        """
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
                limit=LINE_LIMIT,
                env=environment,
                preexec_fn=before_program,
            )
        child = cls(name, process, on_message)
        await child.send(first)
        return child

    async def send(self, message: Message) -> None:
        """Write one command; raises ChildDied when nobody reads it any more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
            await self.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise ChildDied(f"the {self.name} ended before it was told to") from None

    async def expect(self, wanted: Callable[[Message], bool], timeout_s: float) -> Message:
        """The next message that is wanted; ChildDied when the process ends first, TimeoutError when it is late."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        entry = (wanted, future)
        self._waiting.append(entry)
        if self._reader.done():
            self._fail_waiting()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(entry)

    async def ask(self, message: Message, wanted: Callable[[Message], bool], timeout_s: float) -> Message:
        """Send a command and wait for its answer."""
        answer = asyncio.ensure_future(self.expect(wanted, timeout_s))
        await asyncio.sleep(0)
        try:
            await self.send(message)
        except ChildDied:
            answer.cancel()
            raise
        return await answer

    async def end(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Close stdin, wait, and kill what does not end; returns the exit code."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(timeout_s):
                await self.process.wait()
        except TimeoutError:
            end_group(self.process.pid)
        code = await self.process.wait()
        await self._reader
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while text := await self.process.stdout.readline():
            try:
                message = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            self._dispatch(message)
        self._fail_waiting()

    def _dispatch(self, message: Message) -> None:
        for wanted, future in list(self._waiting):
            if not future.done() and wanted(message):
                future.set_result(message)
        self._on_message(message)

    def _fail_waiting(self) -> None:
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(ChildDied(f"the {self.name} ended on its own; see its log in the run directory"))


def end_group(pid: int) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def subject_environment() -> dict[str, str]:
    """A subject's environment: ours, with our interpreter first on the path, so that `python -m ...` means it.

    The hash seed is the same for all: together with the address layout it moves the cost of one and the same program
    by several per cent from process to process, for as long as the process lives. So are the allocator's thresholds,
    unless the caller's environment sets its own. Where the account's credentials lie is nothing that it is told.
    """
    own = str(Path(sys.executable).parent)
    path = own + os.pathsep + os.environ.get("PATH", "")
    ours = {name: value for name, value in os.environ.items() if name not in WITHHELD and name not in OWN}
    return {**ALLOCATOR, **ours, "PATH": path, "PYTHONHASHSEED": "0"}


def keep_offspring() -> None:
    """Runs in a subject before its program: what its children leave behind stays its own, so that it is found."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def same_layout() -> None:
    """Runs in a subject before its program: no address space randomisation, as far as the system lets us."""
    _libc.personality(ADDR_NO_RANDOMIZE)


def end_with_parent() -> None:
    """Runs in a child before its program: SIGTERM when we are gone, however that came about."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
