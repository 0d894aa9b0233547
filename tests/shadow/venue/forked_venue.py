"""A venue in a process that need not import first: a quarter of a second of CPU time for each, alone or in a session.

A server that has imported what a venue takes forks for every call. What comes before, the start of the interpreter, is
left to the tests that start a venue as a person does.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["LEDGER_FD", "Forked", "fork_venue", "venue_server"]

Options = dict[str, Any]
ROOT: Final = Path(__file__).parents[3]
LEDGER_FD: Final = 63
"""Where a venue finds the pipe of its ledger."""
MOST_BYTES: Final = 1 << 17
"""Of a venue's variables."""


@contextmanager
def venue_server() -> Iterator[socket.socket]:
    """A server of venues while the context lasts; its door is for `fork_venue`."""
    door, inner = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with closing(door), inner:
        words = [sys.executable, "-m", __name__, str(inner.fileno())]
        server = subprocess.Popen(words, pass_fds=(inner.fileno(),), cwd=ROOT, stdin=subprocess.DEVNULL)
        inner.close()
        yield door
    server.wait()


class Forked:
    """A venue's process, as far as its tests ask for one."""

    def __init__(self, commands: int, stdout: asyncio.StreamReader, end: asyncio.StreamReader) -> None:
        self.stdin = Commands(commands)
        self.stdout = stdout
        self.returncode: int | None = None
        self._pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._end = asyncio.create_task(self._told(end))

    async def _told(self, end: asyncio.StreamReader) -> int:
        self._pid.set_result(int(await end.readline()))
        self.returncode = int(await end.read())
        self.stdin.close()
        return self.returncode

    async def stop(self) -> int:
        """Ask it by a signal to end; its exit code."""
        pid = await self._pid
        if self.returncode is None:
            os.kill(pid, signal.SIGTERM)
        return await self.wait()

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        return await asyncio.shield(self._end)


class Commands:
    """The writing end of its stdin."""

    def __init__(self, fd: int) -> None:
        self._file = os.fdopen(fd, "wb", buffering=0)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        self._file.close()


async def fork_venue(door: socket.socket, ledger: int, alone: Options | None = None) -> Forked:
    """A session's venue that writes its ledger to that pipe, or one for itself with `run_alone`'s options.

    It finds the variables of this moment.
    """
    pipes = [os.pipe() for _ in range(3)]
    (stdin, commands), (answers, stdout), (ended, end) = pipes
    theirs = [stdin, stdout, ledger, end]
    socket.send_fds(door, [json.dumps([dict(os.environ), alone]).encode()], theirs)
    for fd in (stdin, stdout, end):
        os.close(fd)
    return Forked(commands, await reader_of(answers), await reader_of(ended))


async def reader_of(fd: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    return reader


def serve(door: socket.socket) -> None:
    """Fork a venue for each message, and one more process that waits for it and tells how it ended."""
    import shadow.venue.alone
    import shadow.venue.control
    import shadow.venue.loop  # noqa: F401

    # Each venue looks for garbage at its start: not among what all of them have.
    gc.freeze()
    waiting: set[int] = set()
    while theirs := (message := socket.recv_fds(door, MOST_BYTES, 4))[1]:
        child = os.fork()
        if child == 0:
            door.close()
            return start(*json.loads(message[0]), *theirs)
        for fd in theirs:
            os.close(fd)
        waiting.add(child)
        waiting -= {ended for ended in waiting if os.waitpid(ended, os.WNOHANG)[0]}
    for last in waiting:
        os.waitpid(last, 0)
    return None


def start(environment: dict[str, str], alone: Options | None, stdin: int, stdout: int, ledger: int, end: int) -> None:
    """In the forked process: start the venue and tell its exit code; in the venue's: be what the program is."""
    child = os.fork()
    if child:
        for fd in (stdin, stdout, ledger):
            os.close(fd)
        os.write(end, b"%d\n" % child)
        os.write(end, b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os._exit(0)
    for fd, place in ((stdin, 0), (stdout, 1), (ledger, LEDGER_FD)):
        os.dup2(fd, place)
        os.close(fd)
    os.close(end)
    os.environ.clear()
    os.environ.update(environment)
    if alone is not None:
        from shadow.venue.alone import run_alone

        sys.exit(run_alone(**alone))
    runpy.run_module("shadow.venue", run_name="__main__")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
