"""Gate.io futures frames as typed structs; sizes are contracts, whole or decimal, as JSON numbers or as text.

Results are arrays, but single objects and arrays in arrays were seen; those take the loose path.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from exchanges.integrations.gateio.frames import Envelope
from exchanges.structs.errors import DecodeError
from exchanges.structs.events import BookTickerEvent, BookUpdate, Finite, Level, TickerEvent, TradeEvent, read_number

__all__ = [
    "BookFrame",
    "BookTickerFrame",
    "TickerFrame",
    "TradeFrame",
    "decode_futures",
    "decode_snapshot",
    "loose_book_tickers",
    "loose_tickers",
    "loose_trades",
    "read_book",
    "read_tickers",
    "read_trades",
]


class _Row(msgspec.Struct, gc=False):
    """A level: price and size."""

    p: Finite
    s: Finite


class _Book(msgspec.Struct, gc=False):
    s: str
    t: int
    u: int
    U: int
    b: list[_Row] = []
    a: list[_Row] = []
    full: bool = False


class _Trade(msgspec.Struct, gc=False):
    contract: str
    size: Finite
    id: int
    price: Finite
    create_time: int
    create_time_ms: int = 0


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
    """`futures.book_ticker`'s result. The fields are repeated because a rename holds for a struct's own only."""

    symbol: str
    bid_price: Finite
    bid_quantity: Finite
    ask_price: Finite
    ask_quantity: Finite
    timestamp: int
    update_id: int


class _Ticker(msgspec.Struct, gc=False):
    """Some pushes hold only a part of the keys."""

    contract: str
    last: Finite | None = None
    volume_24h_base: Finite | None = None
    volume_24h_quote: Finite | None = None
    high_24h: Finite | None = None
    low_24h: Finite | None = None


class BookFrame(msgspec.Struct, tag_field="channel", tag="futures.order_book_update", gc=False):
    """A book update."""

    kind: ClassVar[int] = 1
    result: _Book


class TradeFrame(msgspec.Struct, tag_field="channel", tag="futures.trades", gc=False):
    """Trades, mostly of one contract."""

    kind: ClassVar[int] = 2
    result: list[_Trade]


class BookTickerFrame(msgspec.Struct, tag_field="channel", tag="futures.book_ticker", gc=False):
    """Best bid and ask."""

    kind: ClassVar[int] = 3
    result: _BookTicker


class TickerFrame(msgspec.Struct, tag_field="channel", tag="futures.tickers", gc=False):
    """24-hour figures; their time is the envelope's, in whole seconds on old frames."""

    kind: ClassVar[int] = 4
    result: list[_Ticker]
    time: int = 0
    time_ms: int = 0


# Not strict: most numbers are JSON text on this wire, sizes either.
decode_futures = msgspec.json.Decoder(BookFrame | TradeFrame | BookTickerFrame | TickerFrame, strict=False).decode


def read_book(payload: BookFrame) -> BookUpdate:
    """The update with its levels as pairs."""
    book = payload.result
    bids: list[Level] = [(row.p, row.s) for row in book.b]
    asks: list[Level] = [(row.p, row.s) for row in book.a]
    return BookUpdate(book.t, book.s, book.U, book.u, bids, asks, book.full)


def read_trades(payload: TradeFrame) -> list[TradeEvent]:
    """The trades; the sign of a size is the taker's side."""
    return [_trade(item) for item in payload.result]


def read_tickers(payload: TickerFrame) -> list[TickerEvent]:
    """The tickers that tell a last price; volumes in base and quote currency, no bid or ask on this channel."""
    timestamp = payload.time_ms or payload.time * 1000
    return [
        TickerEvent(
            item.contract,
            item.last,
            None,
            None,
            item.volume_24h_base,
            item.volume_24h_quote,
            item.high_24h,
            item.low_24h,
            timestamp,
        )
        for item in payload.result
        if item.last is not None
    ]


def _trade(item: _Trade) -> TradeEvent:
    size = item.size
    if not size:
        raise DecodeError(f"a trade of size 0 in {item.contract}")
    quantity, side = (size, "buy") if size > 0 else (-size, "sell")
    timestamp = item.create_time_ms or item.create_time * 1000
    return TradeEvent(item.contract, item.price, quantity, side, timestamp, str(item.id))


class _LooseBookTicker(msgspec.Struct, gc=False):
    t: int
    u: int
    s: str
    b: str
    B: Finite
    a: str
    A: Finite


class _LooseTicker(msgspec.Struct, gc=False):
    """Figures may be empty text."""

    contract: str
    last: str = ""
    volume_24h_base: str = ""
    volume_24h_quote: str = ""
    high_24h: str = ""
    low_24h: str = ""


_Tickers = _LooseTicker | list[_LooseTicker | list[_LooseTicker]]
_Trades = _Trade | list[_Trade]
_decode_loose_book_ticker = msgspec.json.Decoder(_LooseBookTicker, strict=False).decode
_decode_loose_tickers = msgspec.json.Decoder(_Tickers).decode
_decode_loose_trades = msgspec.json.Decoder(_Trades, strict=False).decode


def loose_book_tickers(envelope: Envelope) -> list[BookTickerEvent]:
    """A best bid/ask with an empty side, whose price is empty text on the wire: 0.0 at 0.0."""
    loose = _decode_loose_book_ticker(envelope.result)
    bid, ask = read_number(loose.b or "0"), read_number(loose.a or "0")
    return [BookTickerEvent(loose.s, bid, loose.B, ask, loose.A, loose.t, loose.u)]


def loose_tickers(envelope: Envelope) -> list[TickerEvent]:
    """Tickers as one object, or as arrays in an array."""
    timestamp = envelope.time_ms or envelope.time * 1000
    tickers = [item for item in _flat(_decode_loose_tickers(envelope.result)) if item.last]
    return [
        TickerEvent(
            item.contract,
            read_number(item.last),
            None,
            None,
            _number(item.volume_24h_base),
            _number(item.volume_24h_quote),
            _number(item.high_24h),
            _number(item.low_24h),
            timestamp,
        )
        for item in tickers
    ]


def loose_trades(envelope: Envelope) -> list[TradeEvent]:
    """A trade that is no array."""
    return [_trade(item) for item in _flat(_decode_loose_trades(envelope.result))]


def _number(text: str) -> float | None:
    return read_number(text) if text else None


def _flat(result: Any) -> list[Any]:
    return [item for part in result for item in _flat(part)] if isinstance(result, list) else [result]


class RestBook(msgspec.Struct, gc=False):
    """The REST order book with its id; `current` and `update` in seconds."""

    id: int
    bids: list[_Row]
    asks: list[_Row]
    update: float = 0.0

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Bids and asks as pairs."""
        return [(row.p, row.s) for row in self.bids], [(row.p, row.s) for row in self.asks]


decode_snapshot = msgspec.json.Decoder(RestBook, strict=False).decode
