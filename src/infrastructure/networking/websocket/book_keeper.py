"""The local books of one connection, and the snapshots they are rebuilt from."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import msgspec

from exchanges.structs.book import LocalBook
from exchanges.structs.errors import BookError, ExchangeError, SequenceGap
from exchanges.structs.events import BookUpdate, Level

__all__ = ["BookKeeper", "BookSnapshot", "BookSource", "FetchBook"]

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0


class BookSnapshot(msgspec.Struct, gc=False):
    """A REST order book at `version`."""

    version: int
    bids: list[Level]
    asks: list[Level]
    timestamp: int = 0


class BookSource(Protocol):
    """Where snapshots come from."""

    async def fetch_book(self, name: str) -> BookSnapshot:
        """The book of a symbol in the exchange's spelling; ExchangeError when it cannot be had."""

    async def close(self) -> None:
        """Give back its connections."""


FetchBook = Callable[[str], Awaitable[BookSnapshot]]


class BookKeeper:
    """Applies updates and heals holes: at most one fetch in flight per symbol, never in the reader's way.

    `deliver` gets a book that was rebuilt when its snapshot arrived; one that an update completed is returned by
    `apply`. Without `fetch` no books are kept. `synced` holds the synced books by symbol; who takes updates may bring
    one forward itself, and `apply` where it has none, the update does not begin at its `expected`, or is a snapshot.
    """

    def __init__(self, logger: logging.Logger, fetch: FetchBook | None, deliver: Callable[[BookUpdate], None]) -> None:
        self.gaps = 0
        self.rebuilds = 0
        self.synced: dict[str, LocalBook] = {}
        self._logger = logger
        self._fetch = fetch
        self._deliver = deliver
        self._books: dict[str, LocalBook] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, names: Iterable[str]) -> None:
        """Keep books of these symbols, from now on: their subscription was confirmed."""
        if self._fetch is None:
            return
        for name in names:
            if name not in self._books:
                self._books[name] = LocalBook(name)
            self._request(name)

    def stop(self, names: Iterable[str]) -> None:
        """Keep them no longer."""
        for name in names:
            self._books.pop(name, None)
            self.synced.pop(name, None)
            self._cancel(name)

    def apply(self, update: BookUpdate) -> BookUpdate | None:
        """Bring a book forward; gives the whole book where this update completed a rebuild."""
        book = self._books.get(update.symbol)
        if book is None:
            return None
        if not book.is_synced or update.is_snapshot:
            return self._apply_unsynced(book, update)
        if not book.advance(update):
            self._on_gap(book, update)
        return None

    def view(self, name: str) -> BookUpdate | None:
        """A synced book as one snapshot, else None."""
        book = self._books.get(name)
        return book.snapshot() if book is not None and book.is_synced else None

    def metrics(self) -> dict[str, Any]:
        """Books kept and synced, holes met, rebuilds."""
        synced = sum(book.is_synced for book in self._books.values())
        return {"kept": len(self._books), "synced": synced, "gaps": self.gaps, "rebuilds": self.rebuilds}

    def reset(self) -> None:
        """The connection is gone: nothing that is kept can be continued."""
        self.stop(list(self._books))

    async def close(self) -> None:
        """End the fetches and wait for them."""
        tasks = list(self._tasks.values())
        self.reset()
        if tasks:
            await asyncio.wait(tasks)

    def _apply_unsynced(self, book: LocalBook, update: BookUpdate) -> BookUpdate | None:
        if update.is_snapshot:
            book.replace(update)
            self._cancel(book.symbol)
            self._note_synced(book)
            return None
        try:
            if book.hold(update):
                self._cancel(book.symbol)
                self._note_synced(book)
                return book.snapshot()
        except SequenceGap:
            self.gaps += 1
        if book.base is None:
            self._request(book.symbol)
        return None

    def _on_gap(self, book: LocalBook, update: BookUpdate) -> None:
        self.gaps += 1
        del self.synced[book.symbol]
        book.reset()
        book.hold(update)
        self._request(book.symbol)

    def _note_synced(self, book: LocalBook) -> None:
        self.rebuilds += 1
        self.synced[book.symbol] = book

    def _request(self, name: str) -> None:
        running = self._tasks.get(name)
        # One that has just ended is still in its place, and fetches nothing for the hole behind its book.
        if self._fetch is not None and (running is None or running.done()):
            task = asyncio.get_running_loop().create_task(self._fetch_until_loaded(name, self._fetch))
            self._tasks[name] = task
            task.add_done_callback(lambda done: self._on_fetched(name, done))

    def _on_fetched(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is done:
            del self._tasks[name]
        if not done.cancelled() and (error := done.exception()) is not None:
            self._logger.error("Book of %s cannot be built: %s", name, error)

    def _cancel(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    async def _fetch_until_loaded(self, name: str, fetch: FetchBook) -> None:
        """Fetch until a snapshot is not older than what is held; a server's cache may need a few attempts."""
        delay = FIRST_DELAY_S
        while not await self._load_once(name, fetch):
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_S)

    async def _load_once(self, name: str, fetch: FetchBook) -> bool:
        """One fetch; True when the book took it, or no longer needs it."""
        try:
            snapshot = await fetch(name)
        except (ExchangeError, TimeoutError) as error:
            if isinstance(error, BookError):
                raise
            self._logger.debug("Snapshot of %s failed: %s", name, error)
            return False
        book = self._books.get(name)
        if book is None or book.is_synced:
            return True
        try:
            is_synced = book.load(snapshot.version, snapshot.bids, snapshot.asks)
        except SequenceGap:
            self.gaps += 1
            return False
        if is_synced:
            self._note_synced(book)
            self._deliver(book.snapshot())
        return True
