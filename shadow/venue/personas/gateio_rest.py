"""The public REST calls of Gate.io spot with which ordinary clients start."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from shadow.venue.symbol_market import listing
from shadow.venue.wire import MarketView, RestAnswer

__all__ = ["answer"]

_PREFIX = "/api/v4"
_DEFAULT_DEPTH, _LARGEST_DEPTH = 10, 1000


def answer(market: MarketView, method: str, path: str, query: Mapping[str, str], now_s: float) -> RestAnswer | None:
    """Answer GET of order_book, currency_pairs, currencies, tickers and time, with or without `/api/v4`; else None."""
    path = path.removeprefix(_PREFIX).rstrip("/")
    if method == "GET" and path == "/margin/currency_pairs":
        return _json([])  # ordinary clients ask for it when they start; nothing here is traded on margin
    if method != "GET" or not path.startswith("/spot/"):
        return None
    if path == "/spot/time":
        return _json({"server_time": int(now_s * 1000)})
    if path == "/spot/order_book":
        return _order_book(market, query, now_s)
    if path == "/spot/currency_pairs":
        return _json([_pair(symbol) for symbol in market.symbols])
    if path.startswith("/spot/currency_pairs/"):
        symbol = path.rpartition("/")[2]
        return _json(_pair(symbol)) if symbol in market.symbols else _unknown_pair(symbol)
    if path == "/spot/currencies":
        names = sorted({name for symbol in market.symbols for name in symbol.split("_")})
        return _json([{"currency": name, "name": name, "delisted": False, "trade_disabled": False} for name in names])
    if path == "/spot/tickers":
        asked = query.get("currency_pair")
        if asked is not None and asked not in market.symbols:
            return _unknown_pair(asked)
        return _json([_ticker(market, symbol) for symbol in ([asked] if asked else market.symbols)])
    return None


def _order_book(market: MarketView, query: Mapping[str, str], now_s: float) -> RestAnswer:
    symbol = query.get("currency_pair", "")
    if symbol not in market.symbols:
        return _unknown_pair(symbol)
    depth = query.get("limit", str(_DEFAULT_DEPTH))
    if not depth.isdecimal() or not 0 < int(depth) <= _LARGEST_DEPTH:
        return _json({"label": "INVALID_PARAM_VALUE", "message": "Invalid request parameter `limit`"}, 400)
    version, bids, asks = market.book(symbol)
    now_ms = int(now_s * 1000)
    body: dict[str, object] = {"id": version} if query.get("with_id") == "true" else {}
    body |= {"current": now_ms, "update": now_ms - 1, "asks": asks[: int(depth)], "bids": bids[: int(depth)]}
    return RestAnswer(200, orjson.dumps(body), symbol, version)


def _pair(symbol: str) -> dict[str, object]:
    base, _, quote = symbol.partition("_")
    listed = listing(symbol)
    return {
        "id": symbol,
        "base": base,
        "base_name": base,
        "quote": quote,
        "quote_name": quote,
        "fee": "0.2",
        "min_quote_amount": "3",
        "amount_precision": listed.quantity_decimals,
        "precision": listed.price_decimals,
        "trade_status": "tradable",
        "sell_start": 0,
        "buy_start": 0,
        "type": "normal",
    }


def _ticker(market: MarketView, symbol: str) -> dict[str, str]:
    figures = market.figures(symbol)
    return {
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


def _unknown_pair(symbol: str) -> RestAnswer:
    return _json({"label": "INVALID_CURRENCY_PAIR", "message": f"Invalid currency pair {symbol}"}, 400)


def _json(body: object, status: int = 200) -> RestAnswer:
    return RestAnswer(status, orjson.dumps(body))
