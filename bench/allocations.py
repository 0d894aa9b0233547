"""`python -m bench.allocations`: memory blocks that a message takes, and what reuse of our own events would bring.

Blocks are those of Python's allocator, alive when the consumer has the message, every message kept. What protobuf holds
in its own arena is not among them, for nobody. The floor is the decoder alone: one typed decode (Gate.io), one protobuf
parse (MEXC). The stack uses no protobuf message twice; the last line tells what a parse into a used one would take.

Reuse is tried where an event is made by our own code: MEXC's best bid and ask, which the callback gets in one and the
same object each time. At Gate.io the decoder itself makes the event, and there is nothing to reuse.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from bench.contenders import direct_handler, ignore, sync
from bench.lean import GateioFrame, Take, lean
from bench.slices import fastest_ns
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs.events import BookTickerEvent
from shadow.subjects.probe.doors import Arrivals, Door
from shadow.subjects.probe.frames import TYPES, frames

__all__ = ["blocks_of", "reuse", "table"]

EXCHANGES = ("gateio", "mexc")
FRAMES, WARM_UP = 512, 64


class Keeper:
    """Keeps what it gets, so that nothing of it is free for the next message, and reads the count of blocks."""

    def __init__(self) -> None:
        self.kept: list[Any] = [None] * (FRAMES + WARM_UP)
        self.taken = 0
        self.blocks = 0

    def take(self, message: Any) -> None:
        """The consumer's callback."""
        self.blocks = sys.getallocatedblocks()
        self.kept[self.taken] = message
        self.taken += 1


def decoder(exchange: str) -> Callable[[bytes], Any]:
    """The decoder alone."""
    if exchange == "gateio":
        decode: Callable[[bytes], Any] = msgspec.json.Decoder(GateioFrame, strict=False).decode
        return decode
    return PushDataV3ApiWrapper.FromString


def held(take: Take, keeper: Keeper, raw_frames: list[bytes]) -> float:
    """Median of the blocks between a frame's arrival and its callback."""
    counts = []
    for raw in raw_frames:
        before = sys.getallocatedblocks()
        take(raw)
        counts.append(keeper.blocks - before)
    return statistics.median(counts[WARM_UP:])


async def blocks_of(exchange: str, event_type: str) -> dict[str, float]:
    """Blocks a message of the decoder alone, lean, new (door direct) and legacy (its own door)."""
    raw_frames = frames(exchange, event_type, FRAMES)
    floor, short, direct = Keeper(), Keeper(), Keeper()
    decode = decoder(exchange)
    handler = direct_handler(exchange, direct.take)
    sync(handler, raw_frames)
    return {
        "decoder": held(lambda raw: floor.take(decode(raw)), floor, raw_frames),
        "lean": held(lean(exchange, event_type, short.take), short, raw_frames),
        "new": held(handler._on_raw_message, direct, raw_frames),
        "legacy": await _behind_legacy(exchange, raw_frames),
    }


async def _behind_legacy(exchange: str, raw_frames: list[bytes]) -> float:
    arrivals, keeper, counts = Arrivals(), Keeper(), []

    async def consume(message: Any) -> None:
        keeper.take(message)
        arrivals.one(message)

    door = Door("legacy", exchange, consume)
    for raw in raw_frames:
        arrivals.expect(1)
        before = sys.getallocatedblocks()
        door.take(raw)
        await arrivals.wait()
        counts.append(keeper.blocks - before)
    await door.close()
    return statistics.median(counts[WARM_UP:])


def best_of(raw: bytes, event: BookTickerEvent | None) -> BookTickerEvent:
    """MEXC's best bid and ask, in a new event or in the one that is given."""
    push = PushDataV3ApiWrapper.FromString(raw)
    best = push.publicAggreBookTicker
    bid, bid_quantity = float(best.bidPrice), float(best.bidQuantity)
    ask, ask_quantity = float(best.askPrice), float(best.askQuantity)
    if event is None:
        return BookTickerEvent(push.symbol, bid, bid_quantity, ask, ask_quantity, push.sendTime, int(best.version))
    event.symbol, event.bid_price, event.bid_quantity = push.symbol, bid, bid_quantity
    event.ask_price, event.ask_quantity = ask, ask_quantity
    event.timestamp, event.update_id = push.sendTime, int(best.version)
    return event


def parse_new(raw: bytes) -> None:
    """A parse into a message of its own."""
    PushDataV3ApiWrapper.FromString(raw)


def parse_into(message: PushDataV3ApiWrapper) -> Take:
    """Parses into the same message each time."""

    def take(raw: bytes) -> None:
        message.Clear()
        message.ParseFromString(raw)

    return take


def reuse(rounds: int) -> dict[str, float]:
    """Time of the reusing variant over that of the plain one, blocks of both, and a parse into a used message over one
    into a new one."""
    raw_frames = frames("mexc", "book_ticker", FRAMES)
    event = BookTickerEvent("", 0.0, 0.0, 0.0, 0.0)
    spent = fastest_ns(
        {"fresh": lambda raw: ignore(best_of(raw, None)), "reused": lambda raw: ignore(best_of(raw, event))},
        raw_frames,
        rounds,
        lambda: None,
    )
    parsed = fastest_ns(
        {"fresh": parse_new, "used": parse_into(PushDataV3ApiWrapper())},
        raw_frames,
        rounds,
        lambda: None,
    )
    fresh, reused = Keeper(), Keeper()
    return {
        "time": spent["reused"] / spent["fresh"],
        "parse": parsed["used"] / parsed["fresh"],
        "fresh_blocks": held(lambda raw: fresh.take(best_of(raw, None)), fresh, raw_frames),
        "reused_blocks": held(lambda raw: reused.take(best_of(raw, event)), reused, raw_frames),
    }


async def table(rounds: int = 31) -> str:
    """Blocks by exchange and type, and the line about reuse."""
    lines = [
        f"{'exchange':>8}  {'type':>11}  {'decoder':>7}  {'lean':>5}  {'new':>5}  {'legacy':>6}  {'new/legacy':>10}"
    ]
    for exchange in EXCHANGES:
        for event_type in TYPES:
            found = await blocks_of(exchange, event_type)
            figures = f"{found['decoder']:>7g}  {found['lean']:>5g}  {found['new']:>5g}  {found['legacy']:>6g}"
            lines.append(f"{exchange:>8}  {event_type:>11}  {figures}  {found['new'] / found['legacy']:>10.2f}")
    brought = reuse(rounds)
    lines.append(
        f"one event object for all of MEXC's best bid and ask: {brought['time']:.3f} x the time,"
        f" {brought['reused_blocks']:g} blocks for {brought['fresh_blocks']:g}"
    )
    lines.append(f"one protobuf message for all of them, not done: {brought['parse']:.3f} x the time of the parse")
    return "\n".join(lines)


def main() -> None:
    logging.disable(logging.CRITICAL)
    sys.stdout.write(asyncio.run(table()) + "\n")


if __name__ == "__main__":
    main()
