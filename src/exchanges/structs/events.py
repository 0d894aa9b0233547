"""Typed events, as the decoders make them, and the callbacks of door `direct`, public and private.

A public event's `symbol` is spelt as the exchange spells it. Prices and quantities are floats, times integer
milliseconds of exchange time, levels `(price, quantity)` with quantity 0 for a removed level.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from exchanges.structs.types import Balance, ConnectionState, Fill, Order, Position

__all__ = [
    "BookTickerEvent",
    "BookUpdate",
    "Finite",
    "Level",
    "PrivateCallbacks",
    "PublicCallbacks",
    "SubscriptionEvent",
    "TickerEvent",
    "TradeEvent",
    "read_number",
]

Level = tuple[float, float]

LARGEST = sys.float_info.max
Finite = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""A float that a decoder refuses where it is no number or without end: as text, msgspec takes `NaN` and `Infinity`."""

read_number = msgspec.json.Decoder(float).decode
"""A number out of its text, which must be one of JSON's: NaN, infinity and 1e999 are none. MsgspecError otherwise."""


class BookUpdate(msgspec.Struct, gc=False):
    """Versions `first`..`last` of a book; with `is_snapshot` the whole rebuilt book at version `last`, best first."""

    timestamp: int
    symbol: str
    first: int | None
    last: int | None
    bids: list[Level]
    asks: list[Level]
    is_snapshot: bool = False


class TradeEvent(msgspec.Struct, gc=False):
    """One public trade; `side` is the taker's."""

    symbol: str
    price: float
    quantity: float
    side: str
    timestamp: int
    trade_id: str | None = None


class BookTickerEvent(msgspec.Struct, gc=False):
    """Best bid and ask; `update_id` shares its counter with the book. An empty side is 0.0 at 0.0."""

    symbol: str
    bid_price: float
    bid_quantity: float
    ask_price: float
    ask_quantity: float
    timestamp: int | None = None
    update_id: int | None = None


class TickerEvent(msgspec.Struct, gc=False):
    """24-hour figures; None where the exchange gives none."""

    symbol: str
    last: float
    bid: float | None
    ask: float | None
    base_volume: float | None
    quote_volume: float | None
    high: float | None
    low: float | None
    timestamp: int | None = None


class SubscriptionEvent(msgspec.Struct, gc=False):
    """The exchange's answer to a subscription: `names` as asked, `error` its text when refused.

    `complete` says that with this answer everything the connection asked for is confirmed.
    """

    channel: str | None
    names: list[str]
    error: str | None = None
    complete: bool = False


def _ignore(_: Any) -> None:
    """Stand-in for a callback that nobody gave."""


def _ignore_error(_kind: str, _message: str) -> None:
    """Stand-in for an error callback that nobody gave."""


class PublicCallbacks(msgspec.Struct, gc=False):
    """Plain functions, called from the frame itself: they must not block.

    `on_error(kind, message)`: kind is connect, auth, subscribe, decode, callback or internal.
    `on_state` gets each ConnectionState.
    """

    on_book: Callable[[BookUpdate], None] = _ignore
    on_trades: Callable[[list[TradeEvent]], None] = _ignore
    on_book_ticker: Callable[[BookTickerEvent], None] = _ignore
    on_ticker: Callable[[TickerEvent], None] = _ignore
    on_subscription: Callable[[SubscriptionEvent], None] = _ignore
    on_error: Callable[[str, str], None] = _ignore_error
    on_state: Callable[[ConnectionState], None] = _ignore


class PrivateCallbacks(msgspec.Struct, gc=False):
    """Plain functions, called from the frame itself: they must not block.

    A list holds what one frame told, in its order; it is never empty. `on_error` and `on_state` as in PublicCallbacks.
    """

    on_orders: Callable[[list[Order]], None] = _ignore
    on_fills: Callable[[list[Fill]], None] = _ignore
    on_balances: Callable[[list[Balance]], None] = _ignore
    on_positions: Callable[[list[Position]], None] = _ignore
    on_subscription: Callable[[SubscriptionEvent], None] = _ignore
    on_error: Callable[[str, str], None] = _ignore_error
    on_state: Callable[[ConnectionState], None] = _ignore
