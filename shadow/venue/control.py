"""The venue process as the orchestrator sees it: commands on stdin, answers on stdout, one JSON line each."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, Final

import msgspec

from shadow.errors import ShadowError, UsageError
from shadow.venue.bursts import burst_leg
from shadow.venue.capacity import capacity_step
from shadow.venue.connect_leg import connect_leg
from shadow.venue.options import read_options
from shadow.venue.pace import pace
from shadow.venue.replay import replay
from shadow.venue.server import Venue

__all__ = ["serve_commands"]

LINE_LIMIT: Final = 1 << 20


class Command(msgspec.Struct):
    """Any command; which fields count depends on `cmd`."""

    cmd: str
    leg: str = ""
    pair: list[str] = []
    phase: str = "paired"
    seconds: float | None = None
    rate: float | str | None = None
    closes: int = 20


def emit(message: dict[str, Any]) -> None:
    """Write one line to stdout."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def serve_commands() -> int:
    """Serve until `stop` or the end of stdin; return the exit code, 2 for a user's mistake."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        venue = Venue(read_options(await reader.readline()), emit)
        await venue.open()
    except UsageError as error:
        emit({"k": "failed", "text": str(error)})
        return error.exit_code
    emit({"k": "ready", **venue.describe()})
    try:
        await _until_stopped(venue, reader)
    finally:
        await venue.close()
    return 0


async def _until_stopped(venue: Venue, reader: asyncio.StreamReader) -> None:
    """Carry out commands one after the other; `stop` and the end of stdin interrupt the one under way."""
    waiting: asyncio.Queue[Command] = asyncio.Queue()
    worker = asyncio.create_task(_work(venue, waiting))
    ender = asyncio.create_task(_read(reader, waiting))
    try:
        done, _ = await asyncio.wait((worker, ender), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (worker, ender):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ShadowError):
                await task


async def _read(reader: asyncio.StreamReader, waiting: asyncio.Queue[Command]) -> None:
    while line := await reader.readline():
        try:
            command = msgspec.json.decode(line, type=Command)
        except msgspec.DecodeError as error:
            emit({"k": "done", "cmd": "", "error": f"not a command: {error}"})
            continue
        if command.cmd == "stop":
            emit({"k": "done", "cmd": "stop"})
            return
        waiting.put_nowait(command)


async def _work(venue: Venue, waiting: asyncio.Queue[Command]) -> None:
    while True:
        command = await waiting.get()
        emit({"k": "done", "cmd": command.cmd, **await _carry_out(venue, command)})


async def _carry_out(venue: Venue, command: Command) -> dict[str, Any]:
    stage = venue.stage
    if command.cmd == "leg":
        venue.begin_leg(command.leg, command.pair)
        return {}
    if venue.live is not None and command.cmd in ("pace", "burst", "capacity"):
        if command.cmd != "pace":
            return {"error": f"{command.cmd} is of the synthetic feed: an exchange keeps its own pace"}
        return {"frames": await venue.live.flow(command.phase, command.seconds or 0.0)}
    if command.cmd == "pace":
        if venue.recording is not None:
            return {"frames": 0, "error": "a capture is replayed, not paced"}
        rate = command.rate if isinstance(command.rate, int | float) else stage.options.rate
        if isinstance(rate, str):
            return {"error": "a synthetic feed has no rate max; give a number"}
        return {"frames": await pace(stage, command.phase, command.seconds or 0.0, rate)}
    if command.cmd == "capacity":
        if venue.recording is not None or not isinstance(command.rate, int | float):
            return {"error": "capacity is of the synthetic feed and takes a rate"}
        frames, seconds = await capacity_step(stage, command.phase, command.seconds or 0.0, command.rate)
        return {"frames": frames, "seconds": seconds}
    if command.cmd == "replay":
        if venue.recording is None:
            return {"error": "nothing to replay: the feed is synthetic"}
        return {"frames": await replay(stage, venue.recording)}
    if command.cmd == "burst":
        return {"bursts": await burst_leg(stage, command.seconds or 0.0, command.phase)}
    if command.cmd == "connect":
        return {"closes": await connect_leg(stage, command.closes, command.seconds)}
    if command.cmd == "drain":
        return {"expected": await venue.drain()}
    return {"error": f"unknown command {command.cmd!r}"}
