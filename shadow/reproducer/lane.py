"""The venue's side of a replay: one lane with one connection, whose feed are the frames of a case."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from shadow.reproducer.case import Case, Fed
from shadow.subjects.protocol import ConnectionSpec
from shadow.venue.credentials import make_credentials
from shadow.venue.lane import Lane
from shadow.venue.ledger import Ledger
from shadow.venue.outgoing import Frame
from shadow.venue.outlet import Outlet
from shadow.venue.personas.registry import PERSONAS, PRIVATE
from shadow.venue.sources.recording import RecordedMarket

__all__ = ["ROLE", "CaseLane"]

ROLE: Final = "new"
HOST: Final = "127.0.0.1"
CHUNK_FRAMES: Final = 256
CHUNK_S: Final = 0.05
"""At most so many frames in that time: more than that is beyond what the legacy stack survives."""
BOOKS_ASKED_S: Final = 1.0
BOOKS_TAKEN_S: Final = 0.3
"""What a stack gets to take its REST books in before the first frame; nothing tells when it has."""


class CaseLane:
    """Serves the case's connection; the persona answers subscriptions, logins and REST calls."""

    def __init__(self, case: Case, ledger: Ledger) -> None:
        self._id = case.fault.connection
        self._channels = case.channels
        exchange, _, scope = self._id.split(".")
        credentials = make_credentials()[exchange] if scope == "private" else None
        market = RecordedMarket(case.symbols, {}, {})
        if credentials is None:
            self._outlet = Outlet(ROLE, PERSONAS[self._id](market), lambda *_: None)
        else:
            self._outlet = Outlet(ROLE, PRIVATE[self._id](market, 1.0, credentials), lambda *_: None)
        self._credentials = credentials
        self._spelt = {self._outlet.persona.spell(symbol): symbol for symbol in case.symbols}
        for book in case.books:
            if book.symbol in self._spelt:
                market.books[self._spelt[book.symbol]] = (book.version, book.bids, book.asks)
        self._lane = Lane(ROLE, [self._outlet], ledger)

    async def open(self) -> None:
        """Listen on free ports."""
        await self._lane.open(HOST)

    async def close(self) -> None:
        """Close connection and ports."""
        await self._lane.close()

    def spec(self) -> ConnectionSpec:
        """The connection as the start line names it."""
        urls = self._lane.urls()
        exchange, market, scope = self._id.split(".")
        (ws_url,) = urls["ws"].values()
        return ConnectionSpec(
            self._id,
            exchange,
            market,
            scope,
            ws_url,
            urls["rest"][exchange],
            tuple(self._spelt),
            self._channels,
            self._credentials,
        )

    async def subscribed(self, *, with_books: bool) -> None:
        """Return when every channel is subscribed and, with books, every REST book was asked for (within 1 s)."""
        symbols = [""] if self._credentials is not None else list(self._spelt.values())
        wanted = {(channel, symbol) for channel in self._channels for symbol in symbols}
        outlet = self._outlet
        while not wanted <= outlet.topics():
            await self._change()
        if not with_books:
            return
        try:
            async with asyncio.timeout(BOOKS_ASKED_S):
                while not set(self._spelt) <= outlet.books_asked:
                    await self._change()
        except TimeoutError:
            return  # a stack that keeps no book asks for none
        await asyncio.sleep(BOOKS_TAKEN_S)

    async def feed(self, fed: Sequence[Fed]) -> list[int]:
        """Send the frames to the newest connection; the ledger's number of each, 0 where nobody was connected."""
        frames = [
            Frame(self._id, "ws", one.channel, one.symbol, one.payload, one.is_text, events=1, fault=one.fault)
            for one in fed
        ]
        for place, frame in enumerate(frames, 1):
            if self._outlet.links:
                self._outlet.links[-1].write(frame)
            await asyncio.sleep(0 if place % CHUNK_FRAMES else CHUNK_S)
        return [frame.no for frame in frames]

    async def _change(self) -> None:
        self._outlet.changed.clear()
        await self._outlet.changed.wait()
