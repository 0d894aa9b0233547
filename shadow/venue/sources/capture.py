"""Recorded feeds: what `shadow import` wrote, or a `.session` file (one Gate.io spot socket) with its `.rest` sibling
(the order books asked then).

Lines of a session: `<url> <-> <time>` connect, `<url> <- <time>: <json>` what the client sent, `<time>: <json>` what
it received; of a rest file: `<url> -> <time>: <json>`. Times are unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from shadow.errors import UsageError
from shadow.venue.sources.imported import load_imported
from shadow.venue.sources.recording import Capture, RecordedFrame, RecordedMarket
from shadow.venue.wire import Level

__all__ = ["load_capture"]

_Shape = TypeVar("_Shape")
CONNECTION: Final = "gateio.spot.public"
CHANNELS: Final = {"spot.order_book_update": "book", "spot.trades": "trade", "spot.tickers": "ticker"}
"""Channels that are replayed, with their event types; candles are not."""
LONGEST_TIME: Final = 40
_RECEIVED = re.compile(r"(?P<time>\d+(?:\.\d+)?): (?P<body>\{.*\})")
_SENT = re.compile(r"wss?://\S+ <- \d+(?:\.\d+)?: (?P<body>\{.*\})")
_CONNECT = re.compile(r"wss?://\S+ <-> \d+(?:\.\d+)?")
_BOOK = re.compile(r"(?P<url>https?://\S+) -> \d+(?:\.\d+)?: (?P<body>\{.*\})")


class _Body(msgspec.Struct):
    channel: str
    event: str = ""
    result: Any = None
    payload: Any = None


class _RestBook(msgspec.Struct):
    id: int
    asks: list[Level]
    bids: list[Level]


def load_capture(path: Path) -> Capture:
    """Read a recorded feed; raises UsageError naming the file, and the line where one is damaged."""
    return _load_session(path) if path.suffix == ".session" else load_imported(path)


def _load_session(path: Path) -> Capture:
    frames: list[RecordedFrame] = []
    symbols: dict[str, None] = {}
    tickers: dict[str, dict[str, str]] = {}
    begin: float | None = None
    for place, line in _lines(path):
        if _CONNECT.fullmatch(line):
            continue
        received, sent = _RECEIVED.fullmatch(line), _SENT.fullmatch(line)
        match = received or sent
        if match is None:
            raise UsageError(f"{place}: neither a connect, a sent nor a received frame")
        body = _decode(match["body"], _Body, place)
        if body.channel not in CHANNELS:
            continue
        if sent:
            symbols.update(dict.fromkeys(_pairs_of(body)))
        elif received and body.event == "update":
            moment = _seconds(received["time"], place)
            begin = moment if begin is None else begin
            frame = _frame(moment - begin, body, received["body"].encode(), place)
            symbols[frame.symbol] = None
            frames.append(frame)
            if frame.channel == "ticker":
                tickers.setdefault(frame.symbol, _figures(body.result))
    if not frames:
        raise UsageError(f"{path}: holds no data frame of {', '.join(CHANNELS)}")
    present = {frame.channel for frame in frames}
    channels = tuple(channel for channel in CHANNELS.values() if channel in present)
    books = _load_books(path.with_suffix(".rest"))
    market = RecordedMarket(tuple(symbols), books, tickers)
    return Capture((CONNECTION,), channels, tuple(symbols), frames, market)


def _load_books(path: Path) -> dict[str, tuple[int, list[Level], list[Level]]]:
    books: dict[str, tuple[int, list[Level], list[Level]]] = {}
    for place, line in _lines(path):
        match = _BOOK.fullmatch(line)
        if match is None:
            raise UsageError(f"{place}: not a recorded REST answer")
        pair = _query(match["url"]).get("currency_pair")
        if pair is None:
            raise UsageError(f"{place}: the address names no currency_pair")
        book = _decode(match["body"], _RestBook, place)
        books.setdefault(pair[0], (book.id, book.bids, book.asks))
    return books


def _query(url: str) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(url).query)
    except ValueError:  # an address that is none
        return {}


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """(place for messages, line) of every line that is not empty."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {number}: not UTF-8 text") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()


def _decode(body: str, shape: type[_Shape], place: str) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{place}: {error}") from None


def _frame(at_s: float, body: _Body, payload: bytes, place: str) -> RecordedFrame:
    channel, result = CHANNELS[body.channel], body.result
    name = "s" if channel == "book" else "currency_pair"
    symbol = result.get(name) if isinstance(result, dict) else None
    if not isinstance(symbol, str):
        raise UsageError(f"{place}: a {body.channel} frame without result.{name}")
    first, last = (result.get("U"), result.get("u")) if channel == "book" else (None, None)
    if not all(number is None or (type(number) is int and 0 <= number < 1 << 63) for number in (first, last)):
        raise UsageError(f"{place}: a {body.channel} frame whose result.U or result.u is no whole number")
    return RecordedFrame(at_s, body.channel, channel, symbol, first, last, payload)


def _seconds(text: str, place: str) -> float:
    if len(text) > LONGEST_TIME:
        raise UsageError(f"{place}: {text[:LONGEST_TIME]}... is no time")
    return float(text)


def _pairs_of(body: _Body) -> list[str]:
    payload = body.payload if isinstance(body.payload, list) else []
    return [item for item in payload if isinstance(item, str) and "_" in item]


def _figures(result: dict[str, str]) -> dict[str, str]:
    names = {
        "last": "last",
        "bid": "highest_bid",
        "ask": "lowest_ask",
        "base_volume": "base_volume",
        "quote_volume": "quote_volume",
        "high": "high_24h",
        "low": "low_24h",
        "change": "change_percentage",
    }
    return {ours: str(result.get(theirs, "0")) for ours, theirs in names.items()}
