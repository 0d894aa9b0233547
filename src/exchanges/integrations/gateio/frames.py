"""Gate.io spot frames as typed structs: a tagged union on `channel` for data, one loose envelope for the rest.

The data envelopes name only the keys that the events need; a book update or a best bid/ask decodes straight into its
event. Numbers come as text and are read as the nearest float64.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from exchanges.structs.errors import DecodeError
from exchanges.structs.events import BookTickerEvent, BookUpdate, Level, TickerEvent, TradeEvent

__all__ = [
    "BookFrame",
    "BookTickerFrame",
    "Envelope",
    "SpotFrame",
    "TickerFrame",
    "TradeFrame",
    "decode_envelope",
    "decode_snapshot",
    "decode_spot",
    "loose_book_tickers",
    "loose_tickers",
    "loose_trades",
    "read_book",
    "read_book_ticker",
    "read_ticker",
    "read_trades",
]


class _Book(
    BookUpdate,
    gc=False,
    rename={
        "symbol": "s",
        "bids": "b",
        "asks": "a",
        "timestamp": "t",
        "last": "u",
        "first": "U",
        "is_snapshot": "full",
    },
):
    """`spot.order_book_update`'s result. The fields are repeated because a rename holds for a struct's own only."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    timestamp: int
    last: int
    first: int
    is_snapshot: bool = False


class _BookTicker(
    BookTickerEvent,
    gc=False,
    rename={
        "symbol": "s",
        "bid_price": "b",
        "bid_quantity": "B",
        "ask_price": "a",
        "ask_quantity": "A",
        "timestamp": "t",
        "update_id": "u",
    },
):
    """`spot.book_ticker`'s result."""

    symbol: str
    bid_price: float
    bid_quantity: float
    ask_price: float
    ask_quantity: float
    timestamp: int
    update_id: int


class _Trade(TradeEvent, gc=False, rename={"symbol": "currency_pair", "quantity": "amount"}, kw_only=True):
    """`spot.trades`' result; id and time come in other types than the event's and are put in behind."""

    symbol: str
    price: float
    quantity: float
    side: str
    id: int
    create_time_ms: str
    timestamp: int = 0
    trade_id: str | None = None


class _Ticker(
    TickerEvent,
    gc=False,
    rename={
        "symbol": "currency_pair",
        "bid": "highest_bid",
        "ask": "lowest_ask",
        "high": "high_24h",
        "low": "low_24h",
    },
):
    """`spot.tickers`' result; the envelope's time is put in behind."""

    symbol: str
    last: float
    bid: float
    ask: float
    base_volume: float
    quote_volume: float
    high: float
    low: float
    timestamp: int | None = None


class BookFrame(msgspec.Struct, tag_field="channel", tag="spot.order_book_update", gc=False):
    """A book update."""

    kind: ClassVar[int] = 1
    result: _Book


class TradeFrame(msgspec.Struct, tag_field="channel", tag="spot.trades", gc=False):
    """One trade."""

    kind: ClassVar[int] = 2
    result: _Trade


class BookTickerFrame(msgspec.Struct, tag_field="channel", tag="spot.book_ticker", gc=False):
    """Best bid and ask."""

    kind: ClassVar[int] = 3
    result: _BookTicker


class TickerFrame(msgspec.Struct, tag_field="channel", tag="spot.tickers", gc=False):
    """24-hour figures; their time is the envelope's, in whole seconds on old frames."""

    kind: ClassVar[int] = 4
    result: _Ticker
    time: int = 0
    time_ms: int = 0


SpotFrame = BookFrame | TradeFrame | BookTickerFrame | TickerFrame

# Not strict: numbers are JSON text on this wire.
decode_spot = msgspec.json.Decoder(SpotFrame, strict=False).decode


def read_book(payload: BookFrame) -> BookUpdate:
    """The update, which the decoder made."""
    return payload.result


def read_trades(payload: TradeFrame) -> list[TradeEvent]:
    """The trade; its time is cut to whole milliseconds, as text, since a float64 rounds the sixth digit up."""
    trade = payload.result
    text = trade.create_time_ms
    try:
        # Until the year 2286 milliseconds have 13 digits; the fraction is what follows the point.
        trade.timestamp = int(text[:13] if text[13:14] == "." else text.partition(".")[0])
    except ValueError as error:
        raise DecodeError(f"unreadable trade: {error}") from error
    trade.trade_id = str(trade.id)
    return [trade]


def read_book_ticker(payload: BookTickerFrame) -> BookTickerEvent:
    """Best bid and ask, which the decoder made."""
    return payload.result


def read_ticker(payload: TickerFrame) -> TickerEvent:
    """The ticker with its envelope's time."""
    ticker = payload.result
    ticker.timestamp = payload.time_ms or payload.time * 1000
    return ticker


class ErrorBody(msgspec.Struct, gc=False):
    """Why the exchange refused."""

    code: int = 0
    message: str = ""


class Envelope(msgspec.Struct, gc=False):
    """Any frame, for the rare second path: answers, pongs, notices, oddities."""

    channel: str = ""
    event: str = ""
    id: int | None = None
    error: ErrorBody | None = None
    payload: Any = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    time: int = 0
    time_ms: int = 0


decode_envelope = msgspec.json.Decoder(Envelope).decode


class _LooseBookTicker(msgspec.Struct, gc=False):
    t: int
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class _LooseTicker(msgspec.Struct, gc=False):
    currency_pair: str
    last: str
    lowest_ask: str
    highest_bid: str
    base_volume: str
    quote_volume: str
    high_24h: str
    low_24h: str


_decode_loose_ticker = msgspec.json.Decoder(_LooseTicker | list[_LooseTicker]).decode
_decode_loose_trades = msgspec.json.Decoder(_Trade | list[_Trade], strict=False).decode
_decode_loose_book_ticker = msgspec.json.Decoder(_LooseBookTicker).decode


def loose_book_tickers(envelope: Envelope) -> list[BookTickerEvent]:
    """A best bid/ask with an empty side, whose price and amount are empty text on the wire: 0.0 at 0.0."""
    loose = _decode_loose_book_ticker(envelope.result)
    sides = float(loose.b or 0), float(loose.B or 0), float(loose.a or 0), float(loose.A or 0)
    return [BookTickerEvent(loose.s, *sides, loose.t, loose.u)]


def loose_tickers(envelope: Envelope) -> list[TickerEvent]:
    """One or several tickers; a side that is empty text is None."""
    result = _decode_loose_ticker(envelope.result)
    timestamp = envelope.time_ms or envelope.time * 1000
    return [
        TickerEvent(
            loose.currency_pair,
            float(loose.last),
            float(loose.highest_bid) if loose.highest_bid else None,
            float(loose.lowest_ask) if loose.lowest_ask else None,
            float(loose.base_volume),
            float(loose.quote_volume),
            float(loose.high_24h),
            float(loose.low_24h),
            timestamp,
        )
        for loose in (result if isinstance(result, list) else [result])
    ]


def loose_trades(envelope: Envelope) -> list[TradeEvent]:
    """One or several trades."""
    result = _decode_loose_trades(envelope.result)
    return [read_trades(TradeFrame(trade))[0] for trade in (result if isinstance(result, list) else [result])]


class RestBook(msgspec.Struct, gc=False):
    """The REST order book with its id."""

    id: int
    bids: list[Level]
    asks: list[Level]
    current: int = 0
    update: int = 0


decode_snapshot = msgspec.json.Decoder(RestBook, strict=False).decode
