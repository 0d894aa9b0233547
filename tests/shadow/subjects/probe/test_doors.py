"""Both stacks without a socket: every frame comes out at the consumer, and again when it is renewed."""

from __future__ import annotations

import asyncio

import pytest

from exchanges.structs import MessageType, ParsedMessage
from shadow.subjects.probe.doors import Arrivals, Door
from shadow.subjects.probe.frames import frames, mixed_frames


class Keeper(Arrivals):
    """Keeps the types of what came."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[MessageType] = []

    async def handler(self, message: ParsedMessage) -> None:
        """The consumer."""
        self.kinds.append(message.message_type)
        self.one(message)


async def passed(door: Door, keeper: Keeper, made: list[bytes]) -> list[MessageType]:
    keeper.kinds = []
    keeper.expect(len(made))
    for raw in made:
        door.take(raw)
    async with asyncio.timeout(5):
        await keeper.wait()
    return keeper.kinds


@pytest.mark.parametrize("architecture", ["legacy", "new"])
@pytest.mark.parametrize("exchange", ["gateio", "mexc"])
async def test_every_frame_reaches_the_consumer_and_again_when_renewed(architecture: str, exchange: str) -> None:
    keeper, made = Keeper(), mixed_frames(exchange, 100)
    door = Door(architecture, exchange, keeper.handler)
    door.renew(made)
    first = await passed(door, keeper, made)
    door.renew(made)
    assert await passed(door, keeper, made) == first
    assert {kind.name for kind in first} == {"ORDERBOOK", "TRADES", "BOOK_TICKER", "TICKER"}
    await door.close()


async def test_the_new_stack_keeps_the_book_that_the_frames_change() -> None:
    """A book that is out of step would be cheaper than the work of a session."""
    keeper, made = Keeper(), frames("mexc", "book", 20)
    door = Door("new", "mexc", keeper.handler)
    door.renew(made)
    await passed(door, keeper, made)
    (book,) = door._handler._books._books.values()
    assert book.is_synced
    assert door._handler._books.gaps == 0
    await door.close()


async def test_a_repeated_trade_does_not_come_twice_to_the_new_stack() -> None:
    keeper, made = Keeper(), frames("gateio", "trade", 3)
    door = Door("new", "gateio", keeper.handler)
    await passed(door, keeper, made)
    keeper.expect(1)
    door.take(made[0])
    await asyncio.sleep(0)
    assert len(keeper.kinds) == 3
    await door.close()
