"""A local order book: float levels, version check, snapshot and bridging (wire pages, sections 11 and 8)."""

from __future__ import annotations

from collections.abc import Iterable

from exchanges.structs.errors import SequenceGap
from exchanges.structs.events import BookUpdate, Level

__all__ = ["LocalBook"]


class LocalBook:
    """One symbol's book.

    Until it is synced it keeps the updates that come and waits for a snapshot that they bridge. `apply` on a synced
    book raises SequenceGap at a hole; the book then starts over.
    """

    __slots__ = ("_held", "asks", "base", "bids", "expected", "is_synced", "symbol", "timestamp")

    # Updates kept while a snapshot is fetched; at 10 a second this is minutes. The oldest can never bridge a newer one.
    HELD_LIMIT = 4096

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new connection or a hole."""
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.expected = 1
        self.timestamp = 0
        self.is_synced = False
        self.base: int | None = None
        self._held: list[BookUpdate] = []

    @property
    def version(self) -> int:
        """The last version contained; the next update begins with `expected`, the one behind it."""
        return self.expected - 1

    def apply(self, update: BookUpdate) -> None:
        """Bring a synced book forward. Updates already contained are ignored; a hole raises SequenceGap."""
        if not self.advance(update):
            raise SequenceGap(self.symbol, self.expected, update.first or update.last or 0)

    def advance(self, update: BookUpdate) -> bool:
        """As `apply`, but False at a hole: an exception would cost the path that every update takes."""
        if update.first != self.expected:
            return self._advance_out_of_step(update)
        bids = self.bids
        for price, size in update.bids:
            if size:
                bids[price] = size
            elif price in bids:
                del bids[price]
        asks = self.asks
        for price, size in update.asks:
            if size:
                asks[price] = size
            elif price in asks:
                del asks[price]
        self.expected = (update.last or 0) + 1
        self.timestamp = update.timestamp
        return True

    def hold(self, update: BookUpdate) -> bool:
        """Keep an update of an unsynced book; True when it bridged a snapshot and the book is synced now."""
        self._held.append(update)
        if len(self._held) > self.HELD_LIMIT:
            del self._held[0]
        return self.base is not None and self._bridge()

    def load(self, version: int, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Take a snapshot; True when a held update bridges it. SequenceGap when it is older than what is held."""
        self.base, self.expected = version, version + 1
        self.bids = {price: size for price, size in bids if size}
        self.asks = {price: size for price, size in asks if size}
        return self._bridge()

    def replace(self, update: BookUpdate) -> None:
        """Take an update that holds the whole book."""
        self.reset()
        self.bids = {price: size for price, size in update.bids if size}
        self.asks = {price: size for price, size in update.asks if size}
        self.expected = (update.last or 0) + 1
        self.timestamp = update.timestamp
        self.is_synced = True

    def snapshot(self) -> BookUpdate:
        """The whole book, best levels first."""
        return BookUpdate(
            symbol=self.symbol,
            bids=sorted(self.bids.items(), reverse=True),
            asks=sorted(self.asks.items()),
            timestamp=self.timestamp,
            last=self.version,
            is_snapshot=True,
        )

    def _advance_out_of_step(self, update: BookUpdate) -> bool:
        """An update that is contained already, overlaps, or comes behind a hole."""
        first, last = update.first, update.last
        if last is None or last < self.expected:
            return True
        if first is None or first > self.expected:
            return False
        self.expected = first
        return self.advance(update)

    def _bridge(self) -> bool:
        """Apply what is held behind the snapshot; the first update to apply must contain version + 1."""
        fresh = [update for update in self._held if (update.last or 0) > self.version]
        self._held = fresh
        if not fresh:
            return False
        try:
            for update in fresh:
                self.apply(update)
        except SequenceGap:
            self._start_over(fresh)
            raise
        self._held = []
        self.is_synced = True
        return True

    def _start_over(self, held: list[BookUpdate]) -> None:
        """Drop the snapshot and keep the updates behind the last hole among them."""
        self.reset()
        start = 0
        for index in range(1, len(held)):
            first, previous = held[index].first, held[index - 1].last
            if first is not None and previous is not None and first > previous + 1:
                start = index
        self._held = held[start:]
