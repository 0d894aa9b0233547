"""cryptofeed as a peer: its Gate.io feed, entered where its connection handler enters it, with a callback of its own.

It does all it does: decode, keep its book, make its typed event, await the callback. An extra of its own, `peers`: it
comes as source, so installing it takes a C compiler.
"""

from __future__ import annotations

from typing import Any

from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges.gateio import Gateio
from cryptofeed.symbols import Symbols
from cryptofeed.types import OrderBook

from shadow.subjects.probe.doors import first_version
from shadow.subjects.probe.frames import SYMBOL

__all__ = ["CryptofeedPeer"]

NAME = "BTC-USDT"
CHANNELS = {"book": L2_BOOK, "trade": TRADES, "ticker": TICKER}


class CryptofeedPeer:
    """A feed that is never connected: frames are handed to its message handler."""

    KNOWS = frozenset(("gateio", one) for one in CHANNELS)
    """Exchange and event type; it has no MEXC, and of Gate.io no best bid and ask."""

    def __init__(self, exchange: str, event_type: str) -> None:
        # Otherwise it would ask the exchange for its pairs.
        Symbols.set(Gateio.id, {NAME: SYMBOL}, {"instrument_type": {NAME: "spot"}})
        self._type = event_type
        channel = CHANNELS[event_type]
        self.told = 0
        self._feed = Gateio(symbols=[NAME], channels=[channel], callbacks={channel: self._count})

    async def close(self) -> None:
        """Give back what the feed holds."""
        await self._feed.shutdown()

    async def run(self, raw_frames: list[bytes]) -> None:
        """Take every frame; raises RuntimeError when not each of them reached the callback."""
        feed, before = self._feed, self.told
        version = first_version(raw_frames[0])
        if version is not None:
            feed._reset()
            feed._l2_book[NAME] = OrderBook(feed.id, NAME, max_depth=feed.max_depth)
            feed.last_update_id[NAME] = version - 1
        take = feed.message_handler
        for raw in raw_frames:
            await take(raw, None, 0.0)
        if self.told - before != len(raw_frames):
            raise RuntimeError(f"cryptofeed took {self.told - before} of {len(raw_frames)} {self._type} frames")

    def book(self) -> tuple[int, dict[str, dict[Any, Any]]]:
        """The version of its book, and the book."""
        return self._feed.last_update_id[NAME], self._feed._l2_book[NAME].book.to_dict()

    async def _count(self, event: object, receipt_timestamp: float) -> None:
        self.told += 1
