"""Whole messages, frame to consumer, of both stacks in turn: time, sustained rate, and memory blocks."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import perf_counter_ns

from exchanges.structs import ParsedMessage
from shadow.subjects.probe.doors import Arrivals, Door
from shadow.subjects.probe.frames import TYPES, frames, mixed_frames
from shadow.subjects.probe.samples import Roles, Samples, in_turn

__all__ = ["EXCHANGES", "measure_blocks", "measure_processing", "measure_rates"]

EXCHANGES = ("gateio", "mexc")
WARM_UP = 64
SINGLES = 384
STRETCH = 32
CHUNK = 256
"""So many frames wait together at most: the legacy's queue holds 1000."""
ROUNDS = 40
RETAINED = 320


@asynccontextmanager
async def _doors(roles: Roles, exchange: str, consumers: dict[str, Arrivals]) -> AsyncIterator[dict[str, Door]]:
    doors = {role: Door(of, exchange, consumers[role].handler) for role, of in roles.items()}
    try:
        yield doors
    finally:
        for door in doors.values():
            await door.close()


async def measure_processing(roles: Roles, samples: Samples) -> None:
    """`process.<exchange>.<type>`: from handing one frame on to the first line of the consumer, ns.

    One frame at a time, with the task switch that the callers' door costs.
    """
    for exchange in EXCHANGES:
        for kind in TYPES:
            consumers = {role: Arrivals() for role in roles}
            made = frames(exchange, kind, WARM_UP + SINGLES)
            async with _doors(roles, exchange, consumers) as doors:
                for door in doors.values():
                    door.renew(made)
                for number, stretch in enumerate(_stretches(made)):
                    for role in in_turn(roles, number):
                        times = [await _one(doors[role], consumers[role], raw) for raw in stretch]
                        if number * STRETCH >= WARM_UP:
                            samples.add(role, f"process.{exchange}.{kind}", times)


def _stretches(made: list[bytes]) -> Iterator[list[bytes]]:
    return (made[first : first + STRETCH] for first in range(0, len(made), STRETCH))


async def _one(door: Door, arrivals: Arrivals, raw: bytes) -> int:
    arrivals.expect(1)
    began = perf_counter_ns()
    door.take(raw)
    await arrivals.wait()
    return arrivals.last_ns - began


async def measure_rates(roles: Roles, samples: Samples) -> None:
    """`burst.<exchange>`: ns per frame of 256 frames in the declared mix that are there at once."""
    for exchange in EXCHANGES:
        consumers = {role: Arrivals() for role in roles}
        made = mixed_frames(exchange, CHUNK)
        async with _doors(roles, exchange, consumers) as doors:
            for number in range(-2, ROUNDS):
                for role in in_turn(roles, number):
                    doors[role].renew(made)
                    spent = await _together(doors[role], consumers[role], made)
                    if number >= 0:
                        samples.add(role, f"burst.{exchange}", [spent // CHUNK])


async def _together(door: Door, arrivals: Arrivals, made: list[bytes]) -> int:
    arrivals.expect(len(made))
    began = perf_counter_ns()
    for raw in made:
        door.take(raw)
    await arrivals.wait()
    return arrivals.last_ns - began


class _Keeper(Arrivals):
    """Keeps every message, so that no free list hides what the next one takes, and reads the count of blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[ParsedMessage] = []
        self.blocks = 0

    async def handler(self, message: ParsedMessage) -> None:
        """The awaited handler."""
        self.blocks = sys.getallocatedblocks()
        self.kept.append(message)
        self.one(message)


async def measure_blocks(roles: Roles, samples: Samples) -> None:
    """`blocks.<exchange>`: Python's memory blocks that a message holds when the consumer gets it.

    A pass of its own: nothing is timed. What protobuf allocates in its own arena is not seen, for neither side.
    """
    for exchange in EXCHANGES:
        made = mixed_frames(exchange, RETAINED)
        for role, architecture in roles.items():
            keeper = _Keeper()
            async with _doors({role: architecture}, exchange, {role: keeper}) as doors:
                doors[role].renew(made)
                held = [await _blocks(doors[role], keeper, raw) for raw in made]
                samples.add(role, f"blocks.{exchange}", held[WARM_UP:])


async def _blocks(door: Door, keeper: _Keeper, raw: bytes) -> int:
    keeper.expect(1)
    before = sys.getallocatedblocks()
    door.take(raw)
    await keeper.wait()
    return max(0, keeper.blocks - before)
