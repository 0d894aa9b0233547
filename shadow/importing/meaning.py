"""What a received frame or REST answer is, by the reference decoder: a line of the capture, or why it is left out."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit

from shadow.reference import gateio, mexc
from shadow.reference.events import Book, DecodeError, Event
from shadow.reference.numbers import read_json
from shadow.venue.sources.imported import BookLine, FrameLine

__all__ = ["CHANNELS", "CONTROL", "EMPTY", "NO_BOOK", "BadFrame", "book_of", "frame_of"]

CONTROL: Final = "acks, pongs and errors"
EMPTY: Final = "data frames that hold no event"
NO_BOOK: Final = "REST answers that hold no order book with a version"
AS_RECEIVED: Final = "write the payload exactly as it was received, or leave the line out"
INT64: Final = 1 << 63
SHOWN: Final = 60
CHANNELS: Final = {
    "gateio.spot.public": {
        "spot.order_book_update": "book",
        "spot.trades": "trade",
        "spot.book_ticker": "book_ticker",
        "spot.tickers": "ticker",
    },
    "gateio.futures.public": {
        "futures.order_book_update": "book",
        "futures.trades": "trade",
        "futures.book_ticker": "book_ticker",
        "futures.tickers": "ticker",
    },
    "mexc.spot.public": {
        "spot@public.aggre.depth.v3.api.pb": "book",
        "spot@public.aggre.deals.v3.api.pb": "trade",
        "spot@public.aggre.bookTicker.v3.api.pb": "book_ticker",
        "spot@public.miniTicker.v3.api.pb": "ticker",
    },
}
"""What both stacks subscribe to, as the wire names it, with the event type."""
SYMBOL_NAMES: Final = {
    "gateio.spot.public": "currency_pair",
    "gateio.futures.public": "contract",
    "mexc.spot.public": "symbol",
}
MEXC_QUOTES: Final = ("USDT", "USDC", "USDE", "USD1", "TUSD", "EUR", "BTC", "ETH", "USD")


class BadFrame(ValueError):
    """A frame that cannot have been received so; `way_out` says what to write instead."""

    def __init__(self, says: str, way_out: str = AS_RECEIVED) -> None:
        super().__init__(says)
        self.way_out = way_out


def frame_of(connection: str, payload: bytes, is_text: bool) -> FrameLine | str:
    """The frame with its channel, symbol and versions, or why it is left out. BadFrame when it cannot be read."""
    module = mexc if connection.startswith("mexc") else gateio
    try:
        channel = _mexc_channel(payload, is_text) if module is mexc else _gateio_channel(connection, payload, is_text)
        if channel is None:
            return CONTROL
        if channel not in CHANNELS[connection]:
            return f"channel {_shown(channel)}"
        events = module.decode(payload, is_text)
    except DecodeError as error:
        raise BadFrame(str(error)[: 2 * SHOWN]) from None
    return _line(connection, channel, payload, is_text, events) if events else EMPTY


def book_of(connection: str, url: str, payload: bytes) -> BookLine | str:
    """The order book of a REST answer, or why it is left out."""
    try:
        wire_symbol = parse_qs(urlsplit(url).query)[SYMBOL_NAMES[connection]][0]
        module = mexc if connection.startswith("mexc") else gateio
        book = module.rest_book(payload, wire_symbol)
    except (LookupError, ValueError):  # an address that is none, or an answer without a book
        return NO_BOOK
    if book.last is None or not 0 < book.last < INT64:
        return NO_BOOK
    bids, asks = ([(price, size) for price, size in side] for side in (book.bids, book.asks))
    return BookLine(_spelt(connection, wire_symbol), book.last, bids, asks)


def _gateio_channel(connection: str, payload: bytes, is_text: bool) -> str | None:
    """The channel of a data frame, None of any other. DecodeError for what is no JSON object."""
    if not is_text:
        raise BadFrame("a binary frame, and Gate.io sends text", "write it as text")
    frame = gateio.parse(payload)
    channel = str(frame.get("channel", ""))
    market, other = ("spot", "futures") if ".spot." in connection else ("futures", "spot")
    if channel.startswith(f"{other}."):
        way_out = f"write it with the connection gateio.{other}.public"
        raise BadFrame(f"a {other} frame among those of {market}", way_out)
    is_data = frame.get("event") in ("update", "all") and not frame.get("error")
    return channel if is_data else None


def _mexc_channel(payload: bytes, is_text: bool) -> str | None:
    """The channel without its options, None of a control frame. DecodeError for damaged bytes."""
    if not is_text:
        return "@".join(mexc.decode_push(payload).channel.split("@")[:2])
    try:
        control = read_json(payload)
    except (ValueError, RecursionError):
        control = None
    if not isinstance(control, dict):
        raise BadFrame("a text frame that is no JSON object; MEXC's data are binary", "write binary frames as base64")
    return None


def _line(connection: str, channel: str, payload: bytes, is_text: bool, events: list[Event]) -> FrameLine:
    head = events[0]
    if head.type != CHANNELS[connection][channel]:
        raise BadFrame(f"channel {_shown(channel)} with a body of type {head.type}")
    first, last = (head.first, head.last) if isinstance(head, Book) else (None, None)
    if any(number is not None and not 0 <= number < INT64 for number in (first, last)):
        raise BadFrame("a book version beyond 64 bits")
    if not (head.symbol and head.symbol.isprintable() and len(head.symbol) <= SHOWN):
        raise BadFrame("a frame that names no symbol")
    return FrameLine(
        at_ns=0,
        wire_channel=channel,
        channel=head.type,
        symbol=_spelt(connection, head.symbol),
        events=len(events),
        first=first,
        last=last,
        text=payload.decode() if is_text else None,
        base64=None if is_text else payload,
    )


def _spelt(connection: str, symbol: str) -> str:
    """The Gate.io spelling; a MEXC name whose quote asset is unknown stays as it is."""
    if not connection.startswith("mexc"):
        return symbol
    quote = next((quote for quote in MEXC_QUOTES if symbol.endswith(quote) and symbol != quote), None)
    return symbol if quote is None else f"{symbol.removesuffix(quote)}_{quote}"


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:SHOWN]) or "(none)"
