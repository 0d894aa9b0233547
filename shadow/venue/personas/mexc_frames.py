"""MEXC spot frames: subscription strings taken apart, one protobuf encoder each, and the JSON control answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

import orjson

from shadow.venue import protobuf
from shadow.venue.wire import Level, MarketEvent, MarketView, Push

__all__ = ["EVENT_TYPES", "Channel", "control", "encoder", "parse_channel", "refusal_text"]

EVENT_TYPES = {
    "aggre.depth": "book",
    "aggre.deals": "trade",
    "aggre.bookTicker": "book_ticker",
    "limit.depth": "book",
    "miniTicker": "ticker",
}
"""Stream to event type."""

_SHAPES = (
    re.compile(r"spot@public\.(aggre\.(?:depth|deals|bookTicker))\.v3\.api\.pb@(?P<o>100ms|10ms)@(?P<s>[A-Z0-9]+)"),
    re.compile(r"spot@public\.(limit\.depth)\.v3\.api\.pb@(?P<s>[A-Z0-9]+)@(?P<o>5|10|20)"),
    re.compile(r"spot@public\.(miniTicker)\.v3\.api\.pb@(?P<s>[A-Z0-9]+)@(?P<o>UTC\+8)"),
)
# The last order that touched the book is a little older than the push; deals carry their own time.
_ORDER_AGE_MS = 12
_FIRST_TRADE = 731_901_896_985_399_296
_ZERO = "0.00000000"
_SIDES = {"buy": 1, "sell": 2}

Encoder = Callable[[MarketEvent], Push]


class Channel(NamedTuple):
    """A subscription string taken apart: `option` is the interval, the depth or the time zone."""

    stream: str
    symbol: str
    option: str


def parse_channel(key: str) -> Channel:
    """Take a subscription string apart; ValueError when the exchange offers no such channel."""
    for shape in _SHAPES:
        found = shape.fullmatch(key)
        if found:
            return Channel(found[1], found["s"], found["o"])
    raise ValueError(f"not a MEXC spot channel: {key!r}")


def control(request_id: int, message: str) -> bytes:
    """A control answer; the code is 0 whether it is an ack or a refusal."""
    return orjson.dumps({"id": request_id, "code": 0, "msg": message})


def refusal_text(channels: Iterable[str]) -> str:
    """The text of a refused subscription, with its full-width colon and its spaces as they stand on the wire."""
    return f"Not Subscribed successfully! [{','.join(channels)}].  Reason： Blocked! "


def encoder(key: str, symbol: str, market: MarketView) -> Encoder:
    """The function that makes the frames of one subscription; `symbol` in the Gate.io spelling."""
    channel = parse_channel(key)
    spelt, head = channel.symbol, protobuf.wrapper_head(key, channel.symbol)
    event_type = key.removesuffix(f"@{spelt}")
    if channel.stream == "aggre.depth":
        return lambda event: _depth(event, spelt, head, event_type)
    if channel.stream == "aggre.deals":
        return lambda event: _deals(event, spelt, head, event_type)
    if channel.stream == "aggre.bookTicker":
        return lambda event: _book_ticker(event, spelt, head)
    if channel.stream == "miniTicker":
        return lambda event: _mini_ticker(event, spelt, head)
    event_type, depth = key.partition("@" + spelt)[0], int(channel.option)
    return lambda event: _limit_depth(event, market, symbol, spelt, head, event_type, depth)


def _depth(event: MarketEvent, spelt: str, head: bytes, event_type: str) -> Push:
    body = protobuf.aggre_depths(
        _padded(event.asks),
        _padded(event.bids),
        event_type,
        str(event.first),
        str(event.last),
        event.ts_ms - _ORDER_AGE_MS,
    )
    payload = protobuf.wrapper(head, event.ts_ms, 313, body)
    return Push("book", spelt, event.first, event.last, payload, False)


def _padded(levels: Iterable[Level]) -> list[Level]:
    return [(price, _ZERO if quantity == "0" else quantity) for price, quantity in levels]


def _deals(event: MarketEvent, spelt: str, head: bytes, event_type: str) -> Push:
    deals = [
        protobuf.Deal(trade.price, trade.quantity, _SIDES[trade.side], trade.time_us // 1000, _trade_id(trade.id))
        for trade in event.trades
    ]
    payload = protobuf.wrapper(head, event.ts_ms, 314, protobuf.aggre_deals(deals, event_type))
    return Push("trade", spelt, None, None, payload, False, len(deals))


def _trade_id(number: int) -> str:
    first = _FIRST_TRADE + 2 * number
    return f"{first}X0_{first + 1}X0"


def _book_ticker(event: MarketEvent, spelt: str, head: bytes) -> Push:
    body = protobuf.aggre_book_ticker(
        event.bid or ("", ""), event.ask or ("", ""), str(event.last), event.ts_ms - _ORDER_AGE_MS
    )
    payload = protobuf.wrapper(head, event.ts_ms, 315, body)
    return Push("book_ticker", spelt, None, event.last, payload, False)


def _limit_depth(
    event: MarketEvent, market: MarketView, symbol: str, spelt: str, head: bytes, event_type: str, depth: int
) -> Push:
    version, bids, asks = market.book(symbol)
    body = protobuf.limit_depths(asks[:depth], bids[:depth], event_type, str(version), event.ts_ms - _ORDER_AGE_MS)
    payload = protobuf.wrapper(head, event.ts_ms, 303, body)
    return Push("book", spelt, None, version, payload, False)


def _mini_ticker(event: MarketEvent, spelt: str, head: bytes) -> Push:
    figures = event.figures or {}
    rate = f"{Decimal(figures['change']) / 100:.4f}"
    high, low = figures["high"], figures["low"]
    ticker = protobuf.MiniTicker(
        spelt,
        figures["last"],
        rate,
        rate,
        high,
        low,
        figures["quote_volume"],
        figures["base_volume"],
        rate,
        rate,
        high,
        low,
    )
    payload = protobuf.wrapper(head, event.ts_ms, 309, protobuf.mini_ticker(ticker))
    return Push("ticker", spelt, None, None, payload, False)
