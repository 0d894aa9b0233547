"""`shadow venue`: one lane for any client in any language, frames without end."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from shadow.venue.credentials import make_credentials
from shadow.venue.loop import fine_timed_loop
from shadow.venue.options import VenueOptions
from shadow.venue.pace import pace_forever
from shadow.venue.replay import replay
from shadow.venue.server import Venue

__all__ = ["run_alone", "serve_alone"]

ROLE: Final = "client"


def run_alone(
    connections: Sequence[str],
    feed: str = "sim",
    rate: float = 600.0,
    seed: int = 1,
    profile: str = "default",
    faults: Sequence[str] = (),
    deflate: bool = False,
    ws_port: int = 0,
    rest_port: int = 0,
    ledger_dir: str | None = None,
    symbols: Sequence[str] = ("BTC_USDT", "ETH_USDT"),
) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code. Raises UsageError for a person's mistake.

    No connections: those of the capture.
    """
    options = VenueOptions(
        roles=[ROLE],
        connections=list(connections),
        symbols=list(symbols),
        feed=feed,
        rate=rate,
        seed=seed,
        profile=profile,
        faults=list(faults),
        deflate=deflate,
        ws_port=ws_port,
        rest_port=rest_port,
        ledger_dir=ledger_dir,
        credentials=make_credentials(),
    )
    with asyncio.Runner(loop_factory=fine_timed_loop) as runner:
        runner.run(serve_alone(options))
    return 0


async def serve_alone(options: VenueOptions) -> None:
    """Open the venue, print the ready line, send frames until a signal comes."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    venue = Venue(options, lambda line: None)
    try:
        await venue.open()
        _say(_ready_line(venue))
        venue.begin_leg("alone", (ROLE,))
        feeding = asyncio.create_task(_feed(venue))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait((feeding, stopping), return_when=asyncio.FIRST_COMPLETED)
        feeding.cancel()
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
    finally:
        await venue.close()


async def _feed(venue: Venue) -> None:
    """Frames without end; a capture is played once, from the first subscription on."""
    stage = venue.stage
    if venue.recording is not None:
        (outlet,) = stage.sides(venue.recording.connections[0])
        while not outlet.topics():
            outlet.changed.clear()
            await outlet.changed.wait()
        await replay(stage, venue.recording)
        await asyncio.Event().wait()
    if venue.live is not None:
        await venue.live.flow("alone", math.inf)
    rate = stage.options.rate
    assert not isinstance(rate, str)
    with stage.phase("alone"):
        await pace_forever(stage, rate)


def _ready_line(venue: Venue) -> dict[str, Any]:
    """The ready line that clients read; the credentials are made for this run alone."""
    (lane,) = venue.lanes.values()
    return {"ready": True, **lane.urls(), "credentials": venue.options.credentials}


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()
