"""A process as the orchestrator sees it: commands on stdin, answers on stdout, one JSON line each."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec

from shadow.errors import ShadowError

__all__ = ["CommandBase", "carry_out_until_stopped", "emit", "open_commands"]

LINE_LIMIT: Final = 1 << 20


class CommandBase(msgspec.Struct):
    """What every command has; which other fields count depends on `cmd`."""

    cmd: str


Command = TypeVar("Command", bound=CommandBase)
CarryOut = Callable[[Command], Awaitable[dict[str, Any]]]


def emit(message: dict[str, Any]) -> None:
    """Write one line to stdout."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def open_commands() -> asyncio.StreamReader:
    """The lines on stdin."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def carry_out_until_stopped(
    reader: asyncio.StreamReader, kind: type[Command], carry_out: CarryOut[Command]
) -> None:
    """Carry out commands one after the other; `stop` and the end of stdin interrupt the one under way."""
    waiting: asyncio.Queue[Command] = asyncio.Queue()
    worker = asyncio.create_task(_work(waiting, carry_out))
    ender = asyncio.create_task(_read(reader, kind, waiting))
    try:
        done, _ = await asyncio.wait((worker, ender), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (worker, ender):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ShadowError):
                await task


async def _read(reader: asyncio.StreamReader, kind: type[Command], waiting: asyncio.Queue[Command]) -> None:
    while line := await reader.readline():
        try:
            command = msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            emit({"k": "done", "cmd": "", "error": f"not a command: {error}"})
            continue
        if command.cmd == "stop":
            emit({"k": "done", "cmd": "stop"})
            return
        waiting.put_nowait(command)


async def _work(waiting: asyncio.Queue[Command], carry_out: CarryOut[Command]) -> None:
    while True:
        command = await waiting.get()
        emit({"k": "done", "cmd": command.cmd, **await carry_out(command)})
