"""Gate.io spot frames as typed structs: a tagged union on `channel` for data, one loose envelope for the rest.

The data envelopes name only the keys that the events need; a book update or a best bid/ask decodes straight into its
event. Numbers come as text and are read as the nearest float64.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from exchanges.structs.events import BookTickerEvent, BookUpdate, Finite, TickerEvent, TradeEvent, read_number

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
]


class _Book(
    BookUpdate,
    gc=False,
    rename={
        "timestamp": "t",
        "symbol": "s",
        "first": "U",
        "last": "u",
        "bids": "b",
        "asks": "a",
        "is_snapshot": "full",
    },
):
    """`spot.order_book_update`'s result. The fields are repeated because a rename holds for a struct's own only."""

    timestamp: int
    symbol: str
    first: int
    last: int
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]
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
    bid_price: Finite
    bid_quantity: Finite
    ask_price: Finite
    ask_quantity: Finite
    timestamp: int
    update_id: int


class _Trade(msgspec.Struct, gc=False):
    """`spot.trades`' result, its fields in the order of the wire."""

    id: int
    create_time_ms: float
    side: str
    currency_pair: str
    amount: Finite
    price: Finite


class _ExactTrade(msgspec.Struct, gc=False):
    """The same with the time as it stands on the wire: a float64 may round a sixth digit up to the next millisecond."""

    id: int
    create_time_ms: str
    side: str
    currency_pair: str
    amount: Finite
    price: Finite


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
    last: Finite
    bid: Finite
    ask: Finite
    base_volume: Finite
    quote_volume: Finite
    high: Finite
    low: Finite
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
_decode_loose_trades = msgspec.json.Decoder(_ExactTrade | list[_ExactTrade], strict=False).decode
_decode_loose_book_ticker = msgspec.json.Decoder(_LooseBookTicker).decode


def loose_book_tickers(envelope: Envelope) -> list[BookTickerEvent]:
    """A best bid/ask with an empty side, whose price and amount are empty text on the wire: 0.0 at 0.0."""
    loose = _decode_loose_book_ticker(envelope.result)
    bid, bid_size, ask, ask_size = (read_number(text or "0") for text in (loose.b, loose.B, loose.a, loose.A))
    return [BookTickerEvent(loose.s, bid, bid_size, ask, ask_size, loose.t, loose.u)]


def loose_tickers(envelope: Envelope) -> list[TickerEvent]:
    """One or several tickers; a side that is empty text is None."""
    result = _decode_loose_ticker(envelope.result)
    timestamp = envelope.time_ms or envelope.time * 1000
    return [
        TickerEvent(
            loose.currency_pair,
            read_number(loose.last),
            read_number(loose.highest_bid) if loose.highest_bid else None,
            read_number(loose.lowest_ask) if loose.lowest_ask else None,
            read_number(loose.base_volume),
            read_number(loose.quote_volume),
            read_number(loose.high_24h),
            read_number(loose.low_24h),
            timestamp,
        )
        for loose in (result if isinstance(result, list) else [result])
    ]


def loose_trades(envelope: Envelope) -> list[TradeEvent]:
    """One or several trades; their time is cut to whole milliseconds as text."""
    result = _decode_loose_trades(envelope.result)
    return [
        TradeEvent(
            trade.currency_pair,
            trade.price,
            trade.amount,
            trade.side,
            int(trade.create_time_ms.partition(".")[0]),
            str(trade.id),
        )
        for trade in (result if isinstance(result, list) else [result])
    ]


class RestBook(msgspec.Struct, gc=False):
    """The REST order book with its id."""

    id: int
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]
    current: int = 0
    update: int = 0


decode_snapshot = msgspec.json.Decoder(RestBook, strict=False).decode
