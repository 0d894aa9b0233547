"""`python -m shadow.network`: the relay process of a session with `--direct`, in the venue's own commands."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

import msgspec

from shadow.command_pipe import CommandBase, carry_out_until_stopped, emit, open_commands
from shadow.errors import UsageError
from shadow.network.direct import Direct, DirectOptions
from shadow.venue.sinks import PipeSink


class Command(CommandBase):
    """A command of the orchestrator."""

    leg: str = ""
    phase: str = "paired"
    seconds: float = 0.0


async def serve() -> int:
    """Serve until `stop` or the end of stdin; return the exit code, 2 for a user's mistake."""
    reader = await open_commands()
    options = msgspec.json.decode(await reader.readline(), type=DirectOptions)
    try:
        direct = Direct(options, PipeSink(options.ledger_fd, asyncio.get_running_loop()), emit)
        emit({"k": "ready", **await direct.open()})
    except UsageError as error:
        emit({"k": "failed", "text": str(error)})
        return error.exit_code
    try:
        await carry_out_until_stopped(reader, Command, partial(_carry_out, direct))
    finally:
        await direct.close()
    return 0


async def _carry_out(direct: Direct, command: Command) -> dict[str, Any]:
    if command.cmd == "leg":
        direct.ledger.begin_leg(command.leg)
        return {}
    if command.cmd == "pace":
        return {"frames": await direct.pace(command.phase, command.seconds)}
    if command.cmd == "drain":
        return {"expected": direct.drain()}
    return {"error": f"unknown command {command.cmd!r}"}


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
