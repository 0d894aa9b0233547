"""Gate.io futures frames: one encoder per subscription key; sizes are whole numbers of contracts.

A key ends in `|decimal` where the client's handshake asked for sizes as text (header `X-Gate-Size-Decimal: 1`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from shadow.venue.personas.gateio_frames import EVENT_AGE_MS, Encoder, Variant, update
from shadow.venue.symbol_market import contract_size
from shadow.venue.wire import Level, MarketEvent, MarketView, Push

__all__ = ["DECIMAL", "EVENT_TYPES", "encoder", "full_book", "parse_key", "rows"]

EVENT_TYPES = {
    "futures.tickers": "ticker",
    "futures.trades": "trade",
    "futures.book_ticker": "book_ticker",
    "futures.order_book_update": "book",
    "futures.order_book": "book",
    "futures.obu": "book",
}
"""Channel to event type."""

DECIMAL = "decimal"


def parse_key(key: str) -> Variant:
    """Take a key apart; ValueError when it names no known channel."""
    channel, _, rest = key.partition("|")
    if channel not in EVENT_TYPES or not rest:
        raise ValueError(f"not a Gate.io futures subscription key: {key!r}")
    if channel == "futures.obu":
        _, symbol, level = rest.split(".")
        return Variant(channel, symbol, (level,))
    symbol, *options = rest.split("|")
    return Variant(channel, symbol, tuple(options))


def encoder(key: str, market: MarketView) -> Encoder:
    """The function that makes the frames of one subscription key from events of its type and symbol."""
    channel, symbol, options = parse_key(key)
    as_text = DECIMAL in options
    if channel == "futures.order_book":
        return lambda event: _snapshot(event, market, symbol, options[0], as_text)
    if channel == "futures.order_book_update":
        return lambda event: _book_update(event, symbol, options[1], as_text)
    if channel == "futures.obu":
        return lambda event: _difference(event, symbol, f"ob.{symbol}.{options[0]}")
    if channel == "futures.trades":
        return lambda event: _trades(event, symbol, as_text)
    if channel == "futures.book_ticker":
        return lambda event: _book_ticker(event, symbol, as_text)
    return lambda event: _tickers(event, symbol)


def full_book(key: str, market: MarketView, now_s: float) -> Push:
    """The first push of a `futures.obu` stream: the whole book at its last pushed version; sizes are always text."""
    _, symbol, options = parse_key(key)
    version, bids, asks = market.book(symbol)
    now_ms = int(now_s * 1000)
    stream = f"ob.{symbol}.{options[0]}"
    result = {"t": now_ms - EVENT_AGE_MS, "full": True, "s": stream, "u": version, "b": bids, "a": asks}
    return Push("book", symbol, None, version, update("futures.obu", now_ms, result), True)


def rows(levels: Sequence[Level], as_text: bool) -> list[dict[str, object]]:
    """Levels as objects of price and size."""
    return [{"p": price, "s": _size(size, as_text)} for price, size in levels]


def _size(text: str, as_text: bool) -> int | str:
    return text if as_text else int(Decimal(text))


def _book_update(event: MarketEvent, symbol: str, level: str, as_text: bool) -> Push:
    result = {
        "t": event.ts_ms - EVENT_AGE_MS,
        "s": symbol,
        "U": event.first,
        "u": event.last,
        "b": rows(event.bids, as_text),
        "a": rows(event.asks, as_text),
        "l": level,
    }
    payload = update("futures.order_book_update", event.ts_ms, result, channel_first=True)
    return Push("book", symbol, event.first, event.last, payload, True)


def _difference(event: MarketEvent, symbol: str, stream: str) -> Push:
    result: dict[str, object] = {"t": event.ts_ms - EVENT_AGE_MS, "s": stream, "U": event.first, "u": event.last}
    if event.bids:
        result["b"] = event.bids
    if event.asks:
        result["a"] = event.asks
    return Push("book", symbol, event.first, event.last, update("futures.obu", event.ts_ms, result), True)


def _snapshot(event: MarketEvent, market: MarketView, symbol: str, level: str, as_text: bool) -> Push:
    version, bids, asks = market.book(symbol)
    depth = int(level)
    result = {
        "t": event.ts_ms - EVENT_AGE_MS,
        "id": version,
        "contract": symbol,
        "asks": rows(asks[:depth], as_text),
        "bids": rows(bids[:depth], as_text),
        "l": level,
    }
    payload = update("futures.order_book", event.ts_ms, result, event="all", channel_first=True)
    return Push("book", symbol, None, version, payload, True)


def _trades(event: MarketEvent, symbol: str, as_text: bool) -> Push:
    result = [
        {
            "contract": symbol,
            "size": _size(trade.quantity if trade.side == "buy" else f"-{trade.quantity}", as_text),
            "id": trade.id,
            "create_time": trade.time_us // 1_000_000,
            "create_time_ms": trade.time_us // 1000,
            "price": trade.price,
        }
        for trade in event.trades
    ]
    return Push("trade", symbol, None, None, update("futures.trades", event.ts_ms, result), True, len(result))


def _book_ticker(event: MarketEvent, symbol: str, as_text: bool) -> Push:
    bid, ask = event.bid or ("", "0"), event.ask or ("", "0")
    result = {
        "t": event.ts_ms - EVENT_AGE_MS,
        "u": event.last,
        "s": symbol,
        "b": bid[0],
        "B": _size(bid[1], as_text),
        "a": ask[0],
        "A": _size(ask[1], as_text),
    }
    return Push("book_ticker", symbol, None, event.last, update("futures.book_ticker", event.ts_ms, result), True)


def ticker(symbol: str, figures: dict[str, str]) -> dict[str, object]:
    """One entry of `futures.tickers`; volumes in contracts, in base and in quote currency."""
    contract = contract_size(symbol)
    contracts = Decimal(figures["base_volume"])
    base, quote = contracts * contract, Decimal(figures["quote_volume"]) * contract
    return {
        "contract": symbol,
        "last": figures["last"],
        "change_percentage": figures["change"],
        "funding_rate": "0.0001",
        "funding_rate_indicative": "0.0001",
        "mark_price": figures["last"],
        "index_price": figures["last"],
        "total_size": "31659115",
        "volume_24h": str(int(contracts)),
        "volume_24h_base": f"{base:f}",
        "volume_24h_quote": f"{quote:f}",
        "volume_24h_settle": f"{quote:f}",
        "quanto_base_rate": "",
        "low_24h": figures["low"],
        "high_24h": figures["high"],
    }


def _tickers(event: MarketEvent, symbol: str) -> Push:
    result = [ticker(symbol, dict(event.figures or {})) | {"t": event.ts_ms - EVENT_AGE_MS}]
    return Push("ticker", symbol, None, None, update("futures.tickers", event.ts_ms, result), True)
