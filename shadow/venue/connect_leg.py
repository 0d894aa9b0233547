"""The connect leg: forced closes, one side at a time, each followed by a re-subscription and a little data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from websockets.frames import CloseCode

from shadow.venue.outlet import Outlet
from shadow.venue.sources.synthetic import Feed
from shadow.venue.stage import Stage

__all__ = ["connect_leg"]

BACK_S: Final = 5.0
DATA_SPACING_S: Final = 0.001
CODES: Final = (CloseCode.GOING_AWAY, CloseCode.ABNORMAL_CLOSURE)


async def connect_leg(stage: Stage, closes: int, seconds: float | None) -> dict[str, dict[str, int]]:
    """Close each side of each connection `closes` times, codes 1001 and 1006 in turn; return {connection: {role: n}}.

    Connections go on side by side. A close happens only after 50 ms without a frame on its connection (the storm
    profile does not wait). After `seconds` no further close begins; the counts say how many there were.
    """
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    with stage.phase("connect"):
        streams = list(stage.source.streams.values())
        counts = await asyncio.gather(*(_one_connection(stage, stream, closes, end) for stream in streams))
    return {stream.connection: count for stream, count in zip(streams, counts, strict=True)}


async def _one_connection(stage: Stage, stream: Feed, closes: int, end: float | None) -> dict[str, int]:
    loop = asyncio.get_running_loop()
    connection = stream.connection
    done = dict.fromkeys(stage.pair, 0)
    symbols = _symbols_in_turn(stream)
    for number in range(closes):
        code = int(CODES[number % len(CODES)])
        for outlet in stage.sides(connection):
            if end is not None and loop.time() >= end:
                return done
            if not outlet.links:
                continue
            if stage.is_storm:
                await _send_data(stage, stream, next(symbols))
            else:
                await stage.rest(connection)
            done[outlet.role] += await _force_close(stage, outlet, code)
            await _send_data(stage, stream, next(symbols))
    return done


async def _force_close(stage: Stage, outlet: Outlet, code: int) -> int:
    """Close every link of one side and wait until it has its subscriptions again, at most BACK_S."""
    topics, links = outlet.topics(), tuple(outlet.links)
    for link in links:
        detail: dict[str, object] = {"connection": outlet.connection, "code": code, "conn_no": link.conn_no}
        stage.ledger.mark("forced-close", outlet.role, detail)
    closing = asyncio.gather(*(link.close(code, "connect-leg") for link in links))
    try:
        async with asyncio.timeout(BACK_S):
            while True:
                outlet.changed.clear()
                if topics <= outlet.topics() and not any(link in links for link in outlet.links):
                    break
                await outlet.changed.wait()
    except TimeoutError:
        missed: dict[str, object] = {"connection": outlet.connection, "waited_s": BACK_S}
        stage.ledger.mark("not-back", outlet.role, missed)
    await closing
    return len(links)


async def _send_data(stage: Stage, stream: Feed, symbol: str) -> None:
    """One frame of each type to both sides, so that each event stream goes on."""
    for channel in stream.channels:
        sides = stage.sides(stream.connection)
        stage.tee.send(stream.make(channel, symbol, sides), sides)
        await asyncio.sleep(DATA_SPACING_S)
    stage.tee.flush()


def _symbols_in_turn(stream: Feed) -> Iterator[str]:
    while True:
        yield from stream.symbols
