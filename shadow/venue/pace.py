"""The paced source: frames at seeded moments, each prepared before its time so that sending is one write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from shadow.venue.schedule import arrivals
from shadow.venue.stage import Stage

__all__ = ["pace", "pace_forever"]

PROGRESS_S: Final = 0.5
CHUNK_S: Final = 10.0
# The least distance of frames that are late, as a share of the mean one: a delay of ours must not turn into a burst.
CATCH_UP: Final = 0.5
# Behind schedule the loop still has to read its sockets now and then.
YIELD_EVERY: Final = 16


async def pace(stage: Stage, phase: str, seconds: float, rate: float) -> int:
    """Send `rate` frames/s per subject for `seconds`; return how many were sent."""
    with stage.phase(phase):
        offsets = _moments(stage, rate, seconds)
        return await _play(stage, offsets, rate)


async def pace_forever(stage: Stage, rate: float) -> None:
    """Send frames until cancelled."""
    while True:
        await _play(stage, _moments(stage, rate, CHUNK_S), rate)


def _moments(stage: Stage, rate: float, seconds: float) -> Iterable[float]:
    stage.paces += 1
    options = stage.options
    return arrivals(rate, seconds, seed=options.seed * 1000 + stage.paces, profile=options.profile)


async def _play(stage: Stage, offsets: Iterable[float], rate: float) -> int:
    """Send at the moments of the plan, or, where that is past, soon after the frame before."""
    loop = asyncio.get_running_loop()
    begin = last = loop.time()
    told, told_frames, sent, since_yield, planned = begin, 0, 0, 0, 0.0
    for offset in offsets:
        _, frames = stage.ready = stage.next_frames()
        apart, planned = min(offset - planned, CATCH_UP / rate), offset
        delay = max(begin + offset, last + apart) - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
            since_yield = 0
        else:
            since_yield += 1
            if since_yield >= YIELD_EVERY:
                await asyncio.sleep(0)
                since_yield = 0
        stage.send_ready()
        last = loop.time()
        sent += len(frames)
        now = loop.time()
        if now - told >= PROGRESS_S:
            stage.emit({"k": "progress", "frames": sent, "rate": round((sent - told_frames) / (now - told), 1)})
            told, told_frames = now, sent
    return sent
