"""Gate.io spot frames: one encoder per subscription key, and the envelopes of acks, pongs and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from shadow.venue.wire import MarketEvent, MarketView, Push

__all__ = [
    "EVENT_AGE_MS",
    "EVENT_TYPES",
    "Encoder",
    "Variant",
    "api_refusal",
    "encoder",
    "envelope",
    "full_book",
    "parse_key",
    "update",
]

EVENT_TYPES = {
    "spot.tickers": "ticker",
    "spot.trades": "trade",
    "spot.book_ticker": "book_ticker",
    "spot.order_book_update": "book",
    "spot.order_book": "book",
    "spot.obu": "book",
}
"""Channel to event type."""

# The venue stamps a frame a little after the event in it, so that the two times can be told apart.
EVENT_AGE_MS = 4
_UPDATE_DEPTH = {"100ms": "100", "20ms": "20"}

Encoder = Callable[[MarketEvent], Push]


class Variant(NamedTuple):
    """A subscription key taken apart: `spot.trades|P`, `spot.order_book|P|20|100ms`, `spot.obu|ob.P.50`."""

    channel: str
    symbol: str
    options: tuple[str, ...]


def parse_key(key: str) -> Variant:
    """Take a key apart; ValueError when it names no known channel."""
    channel, _, rest = key.partition("|")
    if channel not in EVENT_TYPES or not rest:
        raise ValueError(f"not a Gate.io spot subscription key: {key!r}")
    if channel == "spot.obu":
        _, symbol, level = rest.split(".")
        return Variant(channel, symbol, (level,))
    symbol, *options = rest.split("|")
    return Variant(channel, symbol, tuple(options))


def envelope(channel: str, event: str, now_s: float, **more: object) -> dict[str, object]:
    """The head of a server frame; `more` follows in the order given."""
    now_ms = int(now_s * 1000)
    return {"time": now_ms // 1000, "time_ms": now_ms, **more, "channel": channel, "event": event}


def api_refusal(channel: str, payload: Any, now_s: float, conn_id: str) -> bytes:
    """The answer to an `api` request: this venue takes no orders."""
    now_us = int(now_s * 1_000_000)
    header = {
        "response_time": str(now_us // 1000),
        "status": "400",
        "channel": channel,
        "event": "api",
        "client_id": conn_id,
        "conn_id": conn_id,
        "x_in_time": now_us,
        "x_out_time": now_us,
    }
    request_id = payload.get("req_id", "") if isinstance(payload, dict) else ""
    errs = {"label": "INVALID_REQUEST", "message": "this venue takes no api requests"}
    return orjson.dumps({"request_id": str(request_id), "ack": False, "header": header, "data": {"errs": errs}})


def encoder(key: str, market: MarketView) -> Encoder:
    """The function that makes the frames of one subscription key from events of its type and symbol."""
    variant = parse_key(key)
    symbol = variant.symbol
    if variant.channel == "spot.order_book":
        level, _ = variant.options
        return lambda event: _snapshot(event, market, symbol, level)
    if variant.channel == "spot.order_book_update":
        depth = _UPDATE_DEPTH[variant.options[0]]
        return lambda event: _book_update(event, symbol, depth)
    if variant.channel == "spot.obu":
        stream = f"ob.{symbol}.{variant.options[0]}"
        return lambda event: _difference(event, symbol, stream)
    plain = {"spot.tickers": _ticker, "spot.trades": _trade, "spot.book_ticker": _book_ticker}[variant.channel]
    return lambda event: plain(event, symbol)


def full_book(key: str, market: MarketView, now_s: float) -> Push:
    """The first push of a `spot.obu` stream: the whole book at its last pushed version."""
    variant = parse_key(key)
    version, bids, asks = market.book(variant.symbol)
    now_ms = int(now_s * 1000)
    result = {
        "t": now_ms - EVENT_AGE_MS,
        "full": True,
        "s": f"ob.{variant.symbol}.{variant.options[0]}",
        "u": version,
        "b": bids,
        "a": asks,
    }
    return Push("book", variant.symbol, None, version, _obu_frame(result, now_ms), True)


def update(channel: str, ts_ms: int, result: object, *, event: str = "update", channel_first: bool = False) -> bytes:
    """A data frame. Key order is not stable across the real channels: some begin with the channel."""
    times = {"time": ts_ms // 1000, "time_ms": ts_ms}
    if channel_first:
        return orjson.dumps({"channel": channel, "result": result, **times, "event": event})
    return orjson.dumps({**times, "channel": channel, "event": event, "result": result})


def _obu_frame(result: object, ts_ms: int) -> bytes:
    return update("spot.obu", ts_ms, result, channel_first=True)


def _book_update(event: MarketEvent, symbol: str, depth: str) -> Push:
    t = event.ts_ms - EVENT_AGE_MS
    result = {
        "t": t,
        "e": "depthUpdate",
        "E": t // 1000,
        "s": symbol,
        "U": event.first,
        "u": event.last,
        "l": depth,
        "b": event.bids,
        "a": event.asks,
    }
    payload = update("spot.order_book_update", event.ts_ms, result)
    return Push("book", symbol, event.first, event.last, payload, True)


def _difference(event: MarketEvent, symbol: str, stream: str) -> Push:
    result: dict[str, object] = {
        "t": event.ts_ms - EVENT_AGE_MS,
        "s": stream,
        "U": event.first,
        "u": event.last,
    }
    if event.bids:
        result["b"] = event.bids
    if event.asks:
        result["a"] = event.asks
    return Push("book", symbol, event.first, event.last, _obu_frame(result, event.ts_ms), True)


def _snapshot(event: MarketEvent, market: MarketView, symbol: str, level: str) -> Push:
    version, bids, asks = market.book(symbol)
    depth = int(level)
    result = {
        "t": event.ts_ms - EVENT_AGE_MS,
        "lastUpdateId": version,
        "s": symbol,
        "l": level,
        "bids": bids[:depth],
        "asks": asks[:depth],
    }
    return Push("book", symbol, None, version, update("spot.order_book", event.ts_ms, result), True)


def _book_ticker(event: MarketEvent, symbol: str) -> Push:
    bid, ask = event.bid or ("", ""), event.ask or ("", "")
    result = {
        "t": event.ts_ms - EVENT_AGE_MS,
        "u": event.last,
        "s": symbol,
        "b": bid[0],
        "B": bid[1],
        "a": ask[0],
        "A": ask[1],
    }
    payload = update("spot.book_ticker", event.ts_ms, result)
    return Push("book_ticker", symbol, None, event.last, payload, True)


def _trade(event: MarketEvent, symbol: str) -> Push:
    if len(event.trades) != 1:
        raise ValueError(f"a Gate.io trade frame holds one trade, not {len(event.trades)}: use market_for('gateio')")
    trade = event.trades[0]
    milliseconds, micros = divmod(trade.time_us, 1000)
    result = {
        "id": trade.id,
        "id_market": trade.id,
        "create_time": milliseconds // 1000,
        "create_time_ms": f"{milliseconds}.{micros:03d}000",
        "side": trade.side,
        "currency_pair": symbol,
        "amount": trade.quantity,
        "price": trade.price,
        "range": f"{trade.id}-{trade.id}",
    }
    return Push("trade", symbol, None, None, update("spot.trades", event.ts_ms, result), True)


def _ticker(event: MarketEvent, symbol: str) -> Push:
    figures = event.figures or {}
    result = {
        "currency_pair": symbol,
        "last": figures["last"],
        "lowest_ask": figures["ask"],
        "highest_bid": figures["bid"],
        "change_percentage": figures["change"],
        "base_volume": figures["base_volume"],
        "quote_volume": figures["quote_volume"],
        "high_24h": figures["high"],
        "low_24h": figures["low"],
    }
    return Push("ticker", symbol, None, None, update("spot.tickers", event.ts_ms, result), True)
