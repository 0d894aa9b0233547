"""The venue process as the orchestrator sees it."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from shadow.command_pipe import CommandBase, carry_out_until_stopped, emit, open_commands
from shadow.errors import UsageError
from shadow.venue.bursts import burst_leg
from shadow.venue.capacity import capacity_step
from shadow.venue.connect_leg import connect_leg
from shadow.venue.options import read_options
from shadow.venue.pace import pace
from shadow.venue.replay import replay
from shadow.venue.server import Venue

__all__ = ["serve_commands"]


class Command(CommandBase):
    """Any command of the venue."""

    leg: str = ""
    pair: list[str] = msgspec.field(default_factory=list)
    phase: str = "paired"
    seconds: float | None = None
    rate: float | str | None = None
    closes: int = 20


async def serve_commands() -> int:
    """Serve until `stop` or the end of stdin; return the exit code, 2 for a user's mistake."""
    reader = await open_commands()
    try:
        venue = Venue(read_options(await reader.readline()), emit)
        await venue.open()
    except UsageError as error:
        emit({"k": "failed", "text": str(error)})
        return error.exit_code
    emit({"k": "ready", **venue.describe()})
    try:
        await carry_out_until_stopped(reader, Command, partial(_carry_out, venue))
    finally:
        await venue.close()
    return 0


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
