"""A book kept by the exchange's rules: absolute quantities, zero removes, versions without a hole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Generic, TypeVar
from zlib import crc32

__all__ = ["OrderBook", "VersionGap"]

Number = TypeVar("Number", Decimal, float)


class VersionGap(ValueError):
    """An update that does not follow the book's version; the book must be seeded again."""


class OrderBook(Generic[Number]):
    """One book; `number` turns a level's value into the number it is kept as (Decimal for exact, or float)."""

    version: int | None
    bids: dict[Number, Number]
    asks: dict[Number, Number]

    def __init__(self, number: Callable[[Any], Number]) -> None:
        self.number: Callable[[Any], Number] = number
        self.version = None
        self.bids = {}
        self.asks = {}

    def seed(self, version: int | None, bids: Iterable[Iterable[Any]], asks: Iterable[Iterable[Any]]) -> None:
        """Replace everything by a snapshot of `version`."""
        self.version = version
        self.bids.clear()
        self.asks.clear()
        self.change(self.bids, bids)
        self.change(self.asks, asks)

    def apply(self, first: int | None, last: int, bids: Iterable[Iterable[Any]], asks: Iterable[Iterable[Any]]) -> bool:
        """Apply one update; False when it is older than the book. VersionGap when versions are missing between."""
        if self.version is not None:
            if last <= self.version:
                return False
            if first is not None and first > self.version + 1:
                raise VersionGap(f"{first} after {self.version}")
        self.change(self.bids, bids)
        self.change(self.asks, asks)
        self.version = last
        return True

    def change(self, side: dict[Number, Number], levels: Iterable[Iterable[Any]]) -> None:
        """Set or remove the levels of one side."""
        number = self.number
        self.put(side, [(number(price), number(quantity)) for price, quantity in levels])

    def put(self, side: dict[Number, Number], levels: Iterable[Iterable[Number]]) -> None:
        """As `change`, of levels that are numbers of this book already."""
        for price, quantity in levels:
            if quantity == 0:
                side.pop(price, None)
            else:
                side[price] = quantity

    def top(self, depth: int) -> tuple[list[tuple[Number, Number]], list[tuple[Number, Number]]]:
        """The best `depth` levels of bids and asks, best first."""
        bids: list[tuple[Number, Number]] = sorted(self.bids.items(), reverse=True)[:depth]
        asks: list[tuple[Number, Number]] = sorted(self.asks.items())[:depth]
        return bids, asks

    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)

    def checksum(self) -> int:
        """CRC-32 over all levels in order, the same for any spelling of the same numbers."""
        sides = self.top(max(len(self.bids), len(self.asks)))
        text = ";".join(f"{float(price)!r}:{float(quantity)!r}" for side in sides for price, quantity in side)
        return crc32(text.encode())
