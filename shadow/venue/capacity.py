"""The capacity mode: steps of rising pace, every frame made before its step and written to both sides at its time."""

from __future__ import annotations

import asyncio
from typing import Final

from shadow.venue.sources.synthetic import Keyed
from shadow.venue.stage import Stage

__all__ = ["capacity_step"]

SLICE_S: Final = 0.001
"""How often what has come due is written."""
# Making frames takes longer than writing them: the loop still has to read its sockets now and then.
MAKE_AT_ONCE: Final = 128


async def capacity_step(stage: Stage, phase: str, seconds: float, rate: float) -> tuple[int, float]:
    """Send `rate` frames/s to each side for `seconds`; return how many, and the seconds that writing them took.

    Every frame is sent, also where the machine needs longer for it: one that was made and left out would be a gap.
    """
    made = await _make(stage, round(seconds * rate))
    stage.ledger.flush()
    loop = asyncio.get_running_loop()
    with stage.phase(phase):
        began = loop.time()
        return await _play(stage, made, rate), loop.time() - began


async def _make(stage: Stage, frames: int) -> list[tuple[str, list[Keyed]]]:
    made: list[tuple[str, list[Keyed]]] = []
    count = 0
    while count < frames:
        turn = stage.next_frames()
        count += max(1, len(turn[1]))
        made.append(turn)
        if len(made) % MAKE_AT_ONCE == 0:
            await asyncio.sleep(0)
    return made


async def _play(stage: Stage, made: list[tuple[str, list[Keyed]]], rate: float) -> int:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    sent = 0
    for connection, frames in made:
        if (ahead_s := begin + sent / rate - loop.time()) > 0:
            await asyncio.sleep(max(ahead_s, SLICE_S))
        stage.tee.send_at_once(frames, stage.sides(connection))
        sent += len(frames)
        if sent % MAKE_AT_ONCE == 0:
            await asyncio.sleep(0)
    return sent
