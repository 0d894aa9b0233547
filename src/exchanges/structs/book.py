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

    `bid_sizes` and `ask_sizes` hold size by price. Whoever takes the updates of a synced book may put their levels in,
    set `expected` and `timestamp`, and call `tidy` once `tidy_at` is reached: a removed level stays at size 0 until
    then, because asking each level whether it is one costs more.
    """

    __slots__ = (
        "_held",
        "ask_sizes",
        "base",
        "bid_sizes",
        "expected",
        "is_synced",
        "symbol",
        "tidy_at",
        "timestamp",
    )

    # Updates kept while a snapshot is fetched; at 10 a second this is minutes. The oldest can never bridge a newer one.
    HELD_LIMIT = 4096
    # Versions between two tidyings; an exchange counts one for about each level that changes.
    TIDY_EVERY = 16384

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new connection or a hole."""
        self.bid_sizes: dict[float, float] = {}
        self.ask_sizes: dict[float, float] = {}
        self.expected = 1
        self.tidy_at = 0
        self.timestamp = 0
        self.is_synced = False
        self.base: int | None = None
        self._held: list[BookUpdate] = []

    @property
    def bids(self) -> dict[float, float]:
        """Size by price of the levels that are present, in no order."""
        return _present(self.bid_sizes.items())

    @property
    def asks(self) -> dict[float, float]:
        """As `bids`."""
        return _present(self.ask_sizes.items())

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
        self.bid_sizes.update(update.bids)
        self.ask_sizes.update(update.asks)
        self.expected = (update.last or 0) + 1
        self.timestamp = update.timestamp
        if self.expected > self.tidy_at:
            self.tidy()
        return True

    def tidy(self) -> None:
        """Forget the removed levels."""
        self._set_levels(self.bid_sizes.items(), self.ask_sizes.items())
        self.tidy_at = self.expected + self.TIDY_EVERY

    def hold(self, update: BookUpdate) -> bool:
        """Keep an update of an unsynced book; True when it bridged a snapshot and the book is synced now."""
        self._held.append(update)
        if len(self._held) > self.HELD_LIMIT:
            del self._held[0]
        return self.base is not None and self._bridge()

    def load(self, version: int, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Take a snapshot; True when a held update bridges it. SequenceGap when it is older than what is held."""
        self.base, self.expected = version, version + 1
        self._set_levels(bids, asks)
        return self._bridge()

    def replace(self, update: BookUpdate) -> None:
        """Take an update that holds the whole book."""
        self.reset()
        self._set_levels(update.bids, update.asks)
        self.expected = (update.last or 0) + 1
        self.timestamp = update.timestamp
        self.is_synced = True

    def snapshot(self) -> BookUpdate:
        """The whole book, best levels first."""
        return BookUpdate(
            timestamp=self.timestamp,
            symbol=self.symbol,
            first=None,
            last=self.version,
            bids=sorted(self.bids.items(), reverse=True),
            asks=sorted(self.asks.items()),
            is_snapshot=True,
        )

    def _set_levels(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        self.bid_sizes, self.ask_sizes = _present(bids), _present(asks)

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


def _present(levels: Iterable[Level]) -> dict[float, float]:
    return {price: size for price, size in levels if size}
