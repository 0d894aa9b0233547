"""Which stream a message belongs to, and its place in it: versions, ids, or the content itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from exchanges.structs.types import (
    Balance,
    BookTicker,
    Fill,
    MessageType,
    Order,
    OrderBook,
    ParsedMessage,
    Position,
    Symbol,
    Ticker,
    Trade,
)
from infrastructure.networking.websocket.migration.arbiter import Arbiter
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.matching import MatchingArbiter
from infrastructure.networking.websocket.migration.move import Mover

__all__ = ["Stream", "make_arbiter", "place", "without_raw"]

EVENT_BYTES = 400
LEVEL_BYTES = 80


class Stream(msgspec.Struct, frozen=True, gc=False):
    """Channel and symbol as a unit spells them, and how the stream counts.

    `order` is contiguous (each range begins behind the last), sparse (ascending versions), unique (ids), or content.
    """

    channel: str
    symbol: str
    order: str


def spell(symbol: Symbol | None) -> str:
    """A symbol in the spelling of units; `*` where a message has none."""
    return "*" if symbol is None else f"{symbol.base}_{symbol.quote}"


def make_arbiter(stream: Stream, serving: Side, limits: Limits) -> Mover:
    """The arbiter that fits a stream."""
    if stream.order in ("contiguous", "sparse"):
        return Arbiter(serving, is_contiguous=stream.order == "contiguous", limits=limits)
    return MatchingArbiter(serving, is_unique=stream.order == "unique", limits=limits)


def place(message: ParsedMessage) -> tuple[Stream, Event] | None:
    """Where a message stands; None for answers, errors and whatever else is no market or account event."""
    placed = PLACES.get(message.message_type)
    return None if placed is None or not message.data else placed(message)


def without_raw(message: ParsedMessage) -> ParsedMessage:
    """The message without its raw frame, and with what of that frame its place needs."""
    data = message.data
    if message.message_type is MessageType.ORDERBOOK and isinstance(data, OrderBook):
        data = replace(data, first_update_id=_first_version(message))
    return replace(message, data=data, raw_data=None)


def _pick(message: ParsedMessage, indexes: Sequence[int]) -> ParsedMessage:
    return replace(message, data=[message.data[index] for index in indexes])


def _place_book(message: ParsedMessage) -> tuple[Stream, Event]:
    book: OrderBook = message.data
    symbol, size = spell(message.symbol), EVENT_BYTES + LEVEL_BYTES * (len(book.bids) + len(book.asks))
    last, first = book.last_update_id, _first_version(message)
    if last is None or (first is None and not book.is_snapshot):
        key = (tuple((e.price, e.size) for e in book.bids), tuple((e.price, e.size) for e in book.asks), last)
        return Stream("book", symbol, "content"), Event(0, 0, message, size, (key,))
    is_snapshot = bool(book.is_snapshot)
    return Stream("book", symbol, "contiguous"), Event(
        last if first is None else first, last, message, size, is_snapshot=is_snapshot
    )


def _first_version(message: ParsedMessage) -> int | None:
    """Legacy's books do not carry it, but their raw frames do."""
    raw, first = message.raw_data, message.data.first_update_id
    if first is not None or raw is None:
        return int(first) if first is not None else None
    found = raw.get("result", {}).get("U") if isinstance(raw, dict) else _from_version(raw)
    return int(found) if found else None


def _from_version(raw: Any) -> Any:
    return getattr(getattr(raw, "publicAggreDepths", None), "fromVersion", None)


def _place_book_ticker(message: ParsedMessage) -> tuple[Stream, Event]:
    best: BookTicker = message.data
    symbol, version = spell(message.symbol), best.update_id
    if version is None:
        key = (best.bid_price, best.bid_quantity, best.ask_price, best.ask_quantity)
        return Stream("book_ticker", symbol, "content"), Event(0, 0, message, EVENT_BYTES, (key,))
    return Stream("book_ticker", symbol, "sparse"), Event(version, version, message, EVENT_BYTES)


def _place_trades(message: ParsedMessage) -> tuple[Stream, Event]:
    trades: list[Trade] = message.data
    symbol, size = spell(message.symbol), EVENT_BYTES * len(trades)
    ids = [trade.trade_id for trade in trades]
    if all(one is not None and one.isdecimal() for one in ids):
        versions = tuple(int(one) for one in ids if one is not None)
        event = Event(min(versions), max(versions), message, size, versions, pick=_pick)
        return Stream("trade", symbol, "sparse"), event
    keys = tuple(one.trade_id or (one.price, one.quantity, one.side, one.timestamp) for one in trades)
    order = "content" if None in ids else "unique"
    return Stream("trade", symbol, order), Event(0, 0, message, size, keys, pick=_pick)


def _items(
    channel: str, order: str, key: Callable[[Any], Hashable], rank: Callable[[Any], tuple[Hashable, Any]] | None
) -> Callable[[ParsedMessage], tuple[Stream, Event]]:
    """Lists of items that have no version."""

    def placed(message: ParsedMessage) -> tuple[Stream, Event]:
        keys = tuple(key(item) for item in message.data)
        ranks = () if rank is None else tuple(rank(item) for item in message.data)
        symbol = spell(message.symbol) if channel == "ticker" else "*"
        event = Event(0, 0, message, EVENT_BYTES * len(keys), keys, ranks, _pick)
        return Stream(channel, symbol, order), event

    return placed


def _ticker_key(one: Ticker) -> Hashable:
    return (one.symbol, one.last, one.bid, one.ask, one.base_volume, one.quote_volume, one.high, one.low)


def _order_key(one: Order) -> Hashable:
    return (one.id, one.status, one.filled, one.quantity, one.price, one.timestamp)


def _order_rank(one: Order) -> tuple[Hashable, Any]:
    return one.id, (one.timestamp, one.filled)


def _fill_key(one: Fill) -> Hashable:
    return (one.id, one.order_id, one.side)


def _balance_key(one: Balance) -> Hashable:
    return (one.asset, one.symbol, one.free, one.locked, one.timestamp)


def _position_key(one: Position) -> Hashable:
    return (one.symbol, one.mode, one.size, one.entry_price, one.leverage, one.margin, one.realised_pnl, one.timestamp)


PLACES: dict[MessageType, Callable[[ParsedMessage], tuple[Stream, Event]]] = {
    MessageType.ORDERBOOK: _place_book,
    MessageType.BOOK_TICKER: _place_book_ticker,
    MessageType.TRADES: _place_trades,
    MessageType.TICKER: _items("ticker", "content", _ticker_key, None),
    MessageType.ORDER: _items("order", "unique", _order_key, _order_rank),
    MessageType.TRADE: _items("fill", "unique", _fill_key, None),
    MessageType.BALANCE: _items(
        "balance", "unique", _balance_key, lambda one: ((one.asset, one.symbol), one.timestamp)
    ),
    MessageType.POSITION: _items(
        "position", "unique", _position_key, lambda one: ((one.symbol, one.mode), one.timestamp)
    ),
}
