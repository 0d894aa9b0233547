"""Numbered pushes to both stacks, and what the consumer of both got of them."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from exchanges.structs import (
    MessageType,
    ParsedMessage,
    Symbol,
)
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
KINDS = ("book", "trade", "book_ticker")
TYPES = {
    MessageType.ORDERBOOK: "book",
    MessageType.TRADES: "trade",
    MessageType.BOOK_TICKER: "book_ticker",
}
AHEAD = 30
LOOK_S = 0.001


async def connected(dual: DualRunManager, venue: Any, caller: Any) -> None:
    """Both stacks have asked for everything."""
    await dual.initialize([BTC])
    await venue.subscribed(0, BTC)
    await venue.subscribed(1, BTC)


def versions(messages: list[ParsedMessage], kind: str) -> list[int]:
    """The versions or ids that a consumer got, rebuilt books left out."""
    got = []
    for message in messages:
        if TYPES.get(message.message_type) != kind:
            continue
        data = message.data
        if kind == "trade":
            got += [int(trade.trade_id) for trade in data]
        elif kind == "book_ticker":
            got.append(data.update_id)
        elif not data.is_snapshot:
            got.append(data.last_update_id)
    return got


def newest(messages: list[ParsedMessage], kind: str) -> int | None:
    """The last of the versions, without a look at every message."""
    return next((got[-1] for message in reversed(messages) if (got := versions([message], kind))), None)


class Traffic:
    """Numbered pushes to every connection, a bounded number ahead of the consumer."""

    def __init__(self, venue: Any, caller: Any, seed: int) -> None:
        self.venue, self.caller = venue, caller
        self.number = 100
        self.is_over = False
        self._rng = random.Random(seed)

    async def run(self) -> None:
        await self.until(lambda: self.is_over)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Push on until that holds: sides change places with what comes."""
        while not holds():
            await self.push()
            await self.caller.until(lambda: self.number - len(versions_seen(self.caller)) < 100 + AHEAD)
            await asyncio.sleep(0)

    async def served(self, manager: DualRunManager, side: Side, stage: Stage | None = None) -> None:
        """Push on until this side serves every kind, and the flag's stage is this one if one is asked for."""

        def is_served() -> bool:
            serving = manager.serving()
            is_stage = stage is None or manager.stages()[manager.scope] is stage
            return len(serving) == len(KINDS) and set(serving.values()) == {side} and is_stage

        await self.until(is_served)

    def has_arrived(self) -> bool:
        """Whether the newest message of every kind is the last one pushed."""
        return all(newest(self.caller.messages, kind) == self.number for kind in KINDS)

    async def push(self) -> None:
        self.number += 1
        links = list(self.venue.connections)
        self._rng.shuffle(links)
        for link in links:
            for kind in KINDS:
                with suppress(ConnectionClosed):
                    await link.send(self.venue.wire.push(kind, BTC, self.number))
            if self._rng.random() < 0.3:
                await asyncio.sleep(0)


def versions_seen(caller: Any) -> range:
    """As many as book tickers came, without a look at every message each time."""
    newest = next((m for m in reversed(caller.messages) if m.message_type is MessageType.BOOK_TICKER), None)
    return range(0 if newest is None else newest.data.update_id - 100)


def p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


async def soon(condition: Callable[[], bool]) -> None:
    """Until it is so; what is looked at tells nobody that it changed. Without a break each look takes a core's time."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
