"""The burst leg: trains of frames to ONE side at a time, each encoded before and written at once, in fours: L N N L.

Four of five trains hold the connection's own mix of types, every fifth one type alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count as count_up
from itertools import cycle, islice
from typing import Final

from shadow.venue.outlet import Outlet
from shadow.venue.sources.synthetic import Feed, Keyed
from shadow.venue.stage import Stage

__all__ = ["BURST_FRAMES", "MIXED", "PERIOD_S", "STEP_S", "burst_leg", "make_burst", "send_burst"]

BURST_FRAMES: Final = 128
"""Four bursts give each side 256 frames, under the legacy stack's queue. Half of that at a time brings the two sides so
close that most spells of a shared machine hit both."""
MIXED: Final = "mixed"
"""Stands for the type of a train that holds all types of its connection in their mix."""
STEP_S: Final = 0.011
"""From a burst to the next of the same four: the side before is through with its own by then."""
PERIOD_S: Final = 0.052
"""From four bursts to the next four: a side gets at most 300 frames in 50 ms."""
# What the harness itself has to do (ledger, encoding, recording) waits until the subject is through with its burst and
# is over before the next one, so that it does not compete with it.
_REST_S: Final = 0.008


async def burst_leg(stage: Stage, seconds: float, phase: str) -> int:
    """Bursts in order L N N L for each connection and type in turn; return how many were sent.

    Both sides get the same frames: one train for L N, another for N L.
    """
    with stage.phase(phase), stage.ledger.hold():
        return await _bursts(stage, seconds)


async def _bursts(stage: Stage, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    due, sent = loop.time(), 0
    for stream, channel in _turns(stage):
        # Four bursts belong together: a train that only one side got would tell nothing.
        if due + 4 * STEP_S > end:
            return sent
        sides = stage.sides(stream.connection)
        if not any(
            outlet.keys(one, symbol) for one in _types(stream, channel) for outlet in sides for symbol in stream.symbols
        ):
            if not _anything_to_send(stage):
                await asyncio.sleep(max(0.0, end - loop.time()))
                return sent
            continue
        await asyncio.sleep(max(0.0, due - PERIOD_S + 3 * STEP_S + _REST_S - loop.time()))
        stage.ledger.flush()
        trains = [make_burst(stream, channel, sides, BURST_FRAMES) for _ in range(2)]
        for train, order in zip(trains, (sides, sides[::-1]), strict=True):
            for place, outlet in enumerate(order):
                await asyncio.sleep(max(0.0, due - loop.time()))
                sent += send_burst(stage, outlet, train, channel, first=place == 0)
                due = max(due, loop.time()) + STEP_S
        due += PERIOD_S - 4 * STEP_S
    return sent


def make_burst(stream: Feed, channel: str, sides: list[Outlet], count: int) -> list[Keyed]:
    """`count` market steps of one type, the symbols in turn, or of the mix, for the keys that the sides have."""
    train: list[Keyed] = []
    if channel == MIXED:
        draws: Iterator[tuple[str, str]] = (stream.draw() for _ in count_up())
    else:
        draws = ((channel, symbol) for symbol in cycle(stream.symbols))
    wanted = {
        (one, symbol)
        for one in _types(stream, channel)
        for symbol in stream.symbols
        if any(outlet.keys(one, symbol) for outlet in sides)
    }
    if wanted:
        for one, symbol in islice((draw for draw in draws if draw in wanted), count):
            train += stream.make(one, symbol, sides)
    return train


def send_burst(stage: Stage, outlet: Outlet, train: list[Keyed], channel: str, *, first: bool) -> int:
    """Write the train to every link of one side; return 1 when somebody got it."""
    number, is_sent = stage.bursts, 0
    for link in tuple(outlet.links):
        frames = [frame for frame, key in train if key in link.keys]
        t_sent = link.write_many(frames, first, number) if frames else 0
        if t_sent:
            is_sent = 1
            detail: dict[str, object] = {
                "burst": number,
                "connection": outlet.connection,
                "type": channel,
                "frames": len(frames),
            }
            stage.ledger.mark("burst", outlet.role, detail, t_sent)
    stage.bursts += is_sent
    return is_sent


def _turns(stage: Stage) -> Iterator[tuple[Feed, str]]:
    streams = list(stage.source.streams.values())
    singles = [(stream, channel) for place in range(4) for stream in streams for channel in stream.singles[place:][:1]]
    mixed = [(stream, MIXED) for stream in streams]
    for place in cycle(range(0, max(1, len(singles)), len(streams))):
        yield from (*mixed, *mixed, *mixed, *mixed, *singles[place : place + len(streams)])


def _types(stream: Feed, channel: str) -> tuple[str, ...]:
    return stream.channels if channel == MIXED else (channel,)


def _anything_to_send(stage: Stage) -> bool:
    return any(
        outlet.keys(channel, symbol)
        for stream in stage.source.streams.values()
        for outlet in stage.sides(stream.connection)
        for channel in stream.channels
        for symbol in stream.symbols
    )
