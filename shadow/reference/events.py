"""What the reference reads from a frame: one struct per event type of the subject protocol, numbers as wire text.

Times are integer milliseconds of exchange time. A value that the frame does not hold is None.
`times` keeps every other time of the same frame, so that a wrong time source can be told from a wrong time.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

__all__ = [
    "Balance",
    "Book",
    "BookTicker",
    "DecodeError",
    "Event",
    "Fill",
    "Levels",
    "Order",
    "Position",
    "Ticker",
    "Trade",
]

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


class Order(msgspec.Struct, gc=False):
    """One state of an own order. `status` is open, partial, filled, cancelled or rejected; `filled` the sum so far."""

    type: ClassVar[str] = "order"
    symbol: str
    id: str
    client_id: str | None
    status: str
    side: str
    kind: str
    price: str | None
    quantity: str | None
    filled: str | None
    average_price: str | None
    ts: int | None
    times: tuple[int, ...] = ()


class Fill(msgspec.Struct, gc=False):
    """One own trade; `role` is maker or taker, `side` the own one."""

    type: ClassVar[str] = "fill"
    symbol: str
    id: str
    order_id: str
    side: str
    price: str | None
    quantity: str | None
    fee: str | None
    fee_asset: str | None
    role: str | None
    ts: int | None
    times: tuple[int, ...] = ()


class Balance(msgspec.Struct, gc=False):
    """One asset's balance after a change; its `symbol` is always empty. On futures `free` is the whole balance."""

    type: ClassVar[str] = "balance"
    symbol: str
    asset: str
    free: str | None
    locked: str | None
    ts: int | None
    times: tuple[int, ...] = ()


class Position(msgspec.Struct, gc=False):
    """One contract's position after a change; `size` is signed, in contracts, `leverage` 0 is cross margin."""

    type: ClassVar[str] = "position"
    symbol: str
    size: str | None
    entry_price: str | None
    mode: str
    leverage: str | None
    margin: str | None
    realised_pnl: str | None
    ts: int | None
    times: tuple[int, ...] = ()


Event: TypeAlias = Book | Trade | BookTicker | Ticker | Order | Fill | Balance | Position
