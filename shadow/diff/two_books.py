"""The reference's book of a symbol and a side's, and the prices at which they differ.

Both are kept as float64 levels. Only prices that an update touched are compared, so that the set of prices where the
two differ is exact at every version and full depth, without sorting. As long as a side delivers what the reference
reads, both are one book, and the side gets its own where the two part.
"""

from __future__ import annotations

from typing import Any

from shadow.diff.canonical import is_levels, number_key
from shadow.reference.book import OrderBook
from shadow.reference.events import Book

__all__ = ["Levels", "TwoBooks", "levels_of"]

Levels = tuple[dict[float, float], dict[float, float]]
"""Bids and asks by price."""


class TwoBooks:
    """Both books; the reference goes on by `updates`, all of the venue's in version order."""

    def __init__(self, updates: list[Book]) -> None:
        self.updates = updates
        self.truth: OrderBook[float] = OrderBook(float)
        self.side: OrderBook[float] = OrderBook(float)
        self.next_update = 0
        self.differing: set[tuple[str, float]] = set()

    def reset_truth(self, base: Book) -> None:
        self.part()
        self.truth.seed(base.last, base.bids, base.asks)
        self.next_update = 0
        self.skip_old(base.last or 0)

    def skip_old(self, version: int) -> None:
        while self.next_update < len(self.updates) and (self.updates[self.next_update].last or 0) <= version:
            self.next_update += 1

    def advance(self, version: int) -> list[Book]:
        """Bring the reference to `version`, and not the side's book; returns the updates applied."""
        self.part()
        return self.apply_until(version)

    def apply_until(self, version: int) -> list[Book]:
        applied: list[Book] = []
        while self.next_update < len(self.updates):
            update = self.updates[self.next_update]
            if (update.last or 0) > version:
                break
            if update.snapshot:
                self.truth.seed(update.last, update.bids, update.asks)
            else:
                bids, asks = update.numbers()
                self.truth.put(self.truth.bids, bids)
                self.truth.put(self.truth.asks, asks)
                self.truth.version = update.last
            applied.append(update)
            self.next_update += 1
        return applied

    def unite(self) -> None:
        """Let one book stand for both, since they are equal."""
        self.side.bids, self.side.asks = self.truth.bids, self.truth.asks

    def part(self) -> None:
        """Give the side a book of its own, before one of the two changes without the other."""
        if self.side.bids is self.truth.bids:
            self.side.bids, self.side.asks = dict(self.truth.bids), dict(self.truth.asks)

    def fits(self, base: Book, version: int, wanted: Levels | None) -> bool:
        """Whether `base` brought to `version` is the wanted book; if so it becomes the reference."""
        kept = dict(self.truth.bids), dict(self.truth.asks), self.truth.version, self.next_update
        self.reset_truth(base)
        self.advance(version)
        if wanted == (self.truth.bids, self.truth.asks):
            return True
        (self.truth.bids, self.truth.asks, self.truth.version, self.next_update) = kept
        return False

    def put(self, body: dict[str, Any]) -> None:
        """Apply delivered levels to the side's book as a consumer would, and look at their prices."""
        self.part()
        for name, book in (("bids", self.side.bids), ("asks", self.side.asks)):
            levels: Any = body.get(name)
            if not is_levels(levels):
                continue
            for raw_price, raw_quantity in levels:
                price, quantity = number_key(raw_price), number_key(raw_quantity)
                if not isinstance(price, float) or not isinstance(quantity, float):
                    continue
                if quantity == 0:
                    book.pop(price, None)
                else:
                    book[price] = quantity
                self.look(name, price)

    def look(self, name: str, price: float) -> None:
        """Note whether the two books differ at one price."""
        truth, side = (self.truth.bids, self.side.bids) if name == "bids" else (self.truth.asks, self.side.asks)
        if truth.get(price) == side.get(price):
            self.differing.discard((name, price))
        else:
            self.differing.add((name, price))

    def recheck(self, update: Book) -> None:
        bids, asks = update.numbers()
        for level in bids:
            self.look("bids", level[0])
        for level in asks:
            self.look("asks", level[0])

    def check_all(self) -> None:
        """Compare every price of both books."""
        self.differing.clear()
        for price in self.truth.bids.keys() | self.side.bids.keys():
            self.look("bids", price)
        for price in self.truth.asks.keys() | self.side.asks.keys():
            self.look("asks", price)

    def kind_of_state(self) -> str:
        """crossed, side, level or size."""
        if self.side.crossed() and not self.truth.crossed():
            return "crossed"
        name, price = min(self.differing)
        mine, other = (self.side.bids, self.truth.asks) if name == "bids" else (self.side.asks, self.truth.bids)
        if price in mine and price in other:
            return "side"
        truth = self.truth.bids if name == "bids" else self.truth.asks
        return "size" if price in mine and price in truth else "level"


def levels_of(body: dict[str, Any]) -> Levels | None:
    """A delivered book as price to quantity, zero quantities left out; None when it is malformed."""
    sides: list[dict[float, float]] = []
    for name in ("bids", "asks"):
        levels: Any = body.get(name)
        if not is_levels(levels):
            return None
        try:
            side = {float(price): float(quantity) for price, quantity in levels}
        except (TypeError, ValueError):
            return None
        sides.append({price: quantity for price, quantity in side.items() if quantity})
    return sides[0], sides[1]
