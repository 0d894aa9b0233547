"""An application's local books, from the book messages of whichever stack serves.

The new stack tells the first version of each update and hands a whole book over whenever it could prove one: such a
book is followed version by version, and given up at the first hole. The old stack tells neither. Without a snapshot of
one's own there is no book to be had from it, and even with one a lost update would not show.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Any

from exchanges.structs.book import LocalBook
from exchanges.structs.errors import ExchangeError, ExchangeRestError
from exchanges.structs.events import BookUpdate
from exchanges.structs.types import OrderBook, OrderBookEntry, Symbol
from infrastructure.networking.websocket.book_keeper import BookKeeper, BookSnapshot

__all__ = ["BookState", "FetchBook", "LocalBooks"]

FetchBook = Callable[[Symbol], Awaitable[BookSnapshot]]


class BookState(Enum):
    """What a local book is worth.

    SYNCED: a whole book and every version since. UNPROVEN: a fetched snapshot and updates that do not tell which
    version they begin with, taken as if none were missing. ABSENT: none, or no longer whole.
    """

    SYNCED = "synced"
    UNPROVEN = "unproven"
    ABSENT = "absent"


class LocalBooks:
    """The books of one connection. `fetch` is used only where a stack hands no whole book over.

    What `fetch` raises is counted and kept for `take_failure`; it is tried again, after 2 s at most.
    """

    def __init__(self, logger: logging.Logger, fetch: FetchBook | None) -> None:
        self._gaps = 0
        self._fetch_failures = 0
        self._failure: Exception | None = None
        self._fetch = fetch
        self._proven: dict[Symbol, LocalBook] = {}
        self._last_seen: dict[Symbol, int] = {}
        self._named: dict[str, Symbol] = {}
        self._fetching: set[asyncio.Task[Any] | None] = set()
        self._keeper = BookKeeper(logger, self._fetch_named if fetch is not None else None, lambda _: None)

    def take(self, book: OrderBook) -> None:
        """Bring a book forward by one message."""
        symbol, update = book.symbol, _update_of(book)
        if book.is_snapshot:
            self._forget_unproven(symbol)
            self._proven.setdefault(symbol, LocalBook(update.symbol)).replace(update)
        elif update.first is None or symbol in self._last_seen:
            self._take_unproven(symbol, update)
        elif (proven := self._proven.get(symbol)) is not None and not proven.advance(update):
            self._gaps += 1
            del self._proven[symbol]

    def state(self, symbol: Symbol) -> BookState:
        """What the book of a symbol is worth now."""
        if symbol in self._proven:
            return BookState.SYNCED
        return BookState.ABSENT if self._keeper.view(_name(symbol)) is None else BookState.UNPROVEN

    def view(self, symbol: Symbol, depth: int | None = None) -> OrderBook | None:
        """A copy of the book, best levels first, at most `depth` a side; None when absent."""
        proven = self._proven.get(symbol)
        whole = proven.snapshot() if proven is not None else self._keeper.view(_name(symbol))
        if whole is None:
            return None
        bids, asks = ([OrderBookEntry(*level) for level in side[:depth]] for side in (whole.bids, whole.asks))
        return OrderBook(symbol, bids, asks, whole.timestamp, whole.last, is_snapshot=True)

    def metrics(self) -> dict[str, int]:
        """Books held by worth, holes met, and snapshots that could not be fetched."""
        kept = self._keeper.metrics()
        return {
            "synced": len(self._proven),
            "unproven": kept["synced"],
            "gaps": self._gaps + kept["gaps"],
            "fetch_failures": self._fetch_failures,
        }

    def take_failure(self) -> Exception | None:
        """The last failure of `fetch` that nobody took yet."""
        failure, self._failure = self._failure, None
        return failure

    def reset(self) -> None:
        """The connection is gone, and with it every book."""
        self._proven.clear()
        self._last_seen.clear()
        self._keeper.reset()

    def drop(self, symbols: Iterable[Symbol]) -> None:
        """Hold these no longer."""
        for symbol in symbols:
            self._proven.pop(symbol, None)
            self._forget_unproven(symbol)

    async def close(self) -> None:
        """End the fetches under way, also those of books given up before, and wait for them."""
        self.reset()
        running = [task for task in self._fetching if task not in (None, asyncio.current_task())]
        if running:
            await asyncio.wait(running)

    def _take_unproven(self, symbol: Symbol, update: BookUpdate) -> None:
        """The keeper wants a first version; where none is told, the one behind the last seen stands in for it."""
        self._proven.pop(symbol, None)
        seen = self._last_seen.get(symbol)
        if update.last is None or (seen is not None and update.last <= seen):
            return
        if seen is None:
            self._named[update.symbol] = symbol
            self._keeper.start([update.symbol])
        elif update.first is None:
            update.first = seen + 1
        self._last_seen[symbol] = update.last
        self._keeper.apply(update)

    def _forget_unproven(self, symbol: Symbol) -> None:
        if self._last_seen.pop(symbol, None) is not None:
            self._keeper.stop([_name(symbol)])

    async def _fetch_named(self, name: str) -> BookSnapshot:
        assert self._fetch is not None
        task = asyncio.current_task()
        self._fetching.add(task)
        try:
            return await self._fetch(self._named[name])
        except Exception as error:
            self._fetch_failures += 1
            self._failure = error
            if isinstance(error, ExchangeError):
                raise
            raise ExchangeRestError(503, f"no snapshot of {name}: {error}") from error
        finally:
            self._fetching.discard(task)


def _name(symbol: Symbol) -> str:
    return f"{symbol.base}_{symbol.quote}"


def _update_of(book: OrderBook) -> BookUpdate:
    bids, asks = ([(level.price, level.size) for level in side] for side in (book.bids, book.asks))
    return BookUpdate(book.timestamp, _name(book.symbol), book.first_update_id, book.last_update_id, bids, asks)
