"""The replay of a recorded feed to both sides, at its own pace or as fast as the legacy stack survives."""

from __future__ import annotations

import asyncio
from typing import Final

from shadow.venue.outgoing import Frame
from shadow.venue.outlet import Outlet
from shadow.venue.sources.recording import Capture, RecordedFrame
from shadow.venue.sources.synthetic import Keyed
from shadow.venue.stage import Stage

__all__ = ["replay"]

ASKED_S: Final = 2.0
CHUNK_FRAMES: Final = 256
CHUNK_S: Final = 0.05
PROGRESS_S: Final = 0.5


async def replay(stage: Stage, recording: Capture) -> int:
    """Send every recorded frame once to each side that subscribed to it; return how many somebody got.

    Begins when both sides have asked for every recorded REST book, or after 2 s. Unpaced (`--rate max`), at most
    CHUNK_FRAMES go in CHUNK_S unless the profile is storm.
    """
    with stage.phase("replay"):
        await _until_books_asked(stage, recording)
        if stage.options.unpaced or stage.options.rate == "max":
            return await _unpaced(stage, recording)
        return await _paced(stage, recording)


async def _paced(stage: Stage, recording: Capture) -> int:
    loop = asyncio.get_running_loop()
    begin = told = loop.time()
    sent = 0
    for frame in recording.frames:
        while (delay := begin + frame.at_s - loop.time()) > 0:
            await asyncio.sleep(min(delay, PROGRESS_S))
            if loop.time() - told >= PROGRESS_S:
                told = loop.time()
                stage.emit({"k": "progress", "frames": sent, "rate": round(sent / (told - begin), 1)})
        sent += _send(stage, recording, frame)
    stage.tee.flush()
    return sent


async def _unpaced(stage: Stage, recording: Capture) -> int:
    sent = 0
    for place, frame in enumerate(recording.frames, 1):
        sent += _send(stage, recording, frame)
        stage.tee.flush()
        is_chunk = place % CHUNK_FRAMES == 0 and not stage.is_storm
        await asyncio.sleep(CHUNK_S if is_chunk else 0)
    return sent


def _send(stage: Stage, recording: Capture, recorded: RecordedFrame) -> int:
    (connection,) = recording.connections
    sides = stage.sides(connection)
    frame = Frame(
        connection,
        "ws",
        recorded.channel,
        sides[0].persona.spell(recorded.symbol),
        recorded.payload,
        recorded.is_text,
        recorded.first,
        recorded.last,
        events=recorded.events,
    )
    keyed: list[Keyed] = [(frame, key) for key in _keys(sides, recorded)]
    stage.tee.send(keyed, sides)
    return 1 if keyed else 0


def _keys(sides: list[Outlet], recorded: RecordedFrame) -> set[str]:
    """Subscription keys of the recorded frame's own channel, whatever their options."""
    return {
        key
        for outlet in sides
        for key in outlet.keys(recorded.channel, recorded.symbol)
        if _stem(key) == recorded.wire_channel
    }


def _stem(key: str) -> str:
    """A subscription key without its options: `spot.trades|BTC_USDT`, `spot@public.aggre.deals.v3.api.pb@100ms@...`."""
    return "@".join(key.partition("|")[0].split("@")[:2])


async def _until_books_asked(stage: Stage, recording: Capture) -> None:
    (connection,) = recording.connections
    spell = stage.sides(connection)[0].persona.spell
    wanted = {spell(symbol) for symbol in recording.market.books}
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(loop.time() + ASKED_S):
            for outlet in stage.sides(connection):
                while not wanted <= outlet.books_asked:
                    outlet.changed.clear()
                    await outlet.changed.wait()
    except TimeoutError:
        pass
