"""`python -m shadow.network`: the relay process of a session with `--direct`, in the venue's own commands."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, Final

import msgspec

from shadow.errors import UsageError
from shadow.network.direct import Direct, DirectOptions
from shadow.venue.sinks import PipeSink

LINE_LIMIT: Final = 1 << 20


class Command(msgspec.Struct):
    """A command of the orchestrator; which fields count depends on `cmd`."""

    cmd: str
    leg: str = ""
    phase: str = "paired"
    seconds: float = 0.0


def emit(message: dict[str, Any]) -> None:
    """Write one line to stdout."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def serve() -> int:
    """Serve until `stop` or the end of stdin; return the exit code, 2 for a user's mistake."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    options = msgspec.json.decode(await reader.readline(), type=DirectOptions)
    try:
        direct = Direct(options, PipeSink(options.ledger_fd, loop), emit)
        emit({"k": "ready", **await direct.open()})
    except UsageError as error:
        emit({"k": "failed", "text": str(error)})
        return error.exit_code
    working = asyncio.create_task(asyncio.sleep(0))
    try:
        while line := await reader.readline():
            command = msgspec.json.decode(line, type=Command)
            if command.cmd == "stop":
                emit({"k": "done", "cmd": "stop"})
                break
            await working
            working = asyncio.create_task(carry_out(direct, command))
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await direct.close()
    return 0


async def carry_out(direct: Direct, command: Command) -> None:
    """Do one command and say so."""
    found: dict[str, Any] = {}
    if command.cmd == "leg":
        direct.ledger.begin_leg(command.leg)
    elif command.cmd == "pace":
        found = {"frames": await direct.pace(command.phase, command.seconds)}
    elif command.cmd == "drain":
        found = {"expected": direct.drain()}
    else:
        found = {"error": f"unknown command {command.cmd!r}"}
    emit({"k": "done", "cmd": command.cmd, **found})


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
