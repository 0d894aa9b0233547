"""What the reference reads from a frame: one struct per event type of the subject protocol, numbers as wire text.

Times are integer milliseconds of exchange time. A value that the frame does not hold is None.
`times` keeps every other time of the same frame, so that a wrong time source can be told from a wrong time.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

__all__ = ["Book", "BookTicker", "DecodeError", "Event", "Levels", "Ticker", "Trade"]

Levels: TypeAlias = list[list[str]]
"""Price levels as `[price, quantity]` wire texts, in wire order."""

Numbers: TypeAlias = list[list[float]]


class DecodeError(ValueError):
    """A frame that the wire tables do not allow; the text says where."""


class Book(msgspec.Struct, gc=False):
    """Changed levels of one book, or a whole book when `snapshot`; versions `first` to `last` are contained."""

    type: ClassVar[str] = "book"
    symbol: str
    first: int | None
    last: int | None
    snapshot: bool
    bids: Levels
    asks: Levels
    ts: int | None
    times: tuple[int, ...] = ()
    nearest: tuple[Numbers, Numbers] | None = None

    def numbers(self) -> tuple[Numbers, Numbers]:
        """Bids and asks as the float64 nearest to each wire value, in wire order; worked out once."""
        if self.nearest is None:
            bids = [[float(price), float(quantity)] for price, quantity in self.bids]
            asks = [[float(price), float(quantity)] for price, quantity in self.asks]
            self.nearest = (bids, asks)
        return self.nearest


class Trade(msgspec.Struct, gc=False):
    """One public trade; `side` is the taker's, `buy` or `sell`."""

    type: ClassVar[str] = "trade"
    symbol: str
    id: str | None
    price: str | None
    quantity: str | None
    side: str | None
    ts: int | None
    times: tuple[int, ...] = ()


class BookTicker(msgspec.Struct, gc=False):
    """Best bid and ask; a side that is empty on the wire is None."""

    type: ClassVar[str] = "book_ticker"
    symbol: str
    bid: str | None
    bid_quantity: str | None
    ask: str | None
    ask_quantity: str | None
    seq: int | None
    ts: int | None
    times: tuple[int, ...] = ()


class Ticker(msgspec.Struct, gc=False):
    """Last price and the volumes of a day; volumes in base and quote currency."""

    type: ClassVar[str] = "ticker"
    symbol: str
    last: str | None
    bid: str | None
    ask: str | None
    base_volume: str | None
    quote_volume: str | None
    high: str | None
    low: str | None
    ts: int | None
    times: tuple[int, ...] = ()


Event: TypeAlias = Book | Trade | BookTicker | Ticker
