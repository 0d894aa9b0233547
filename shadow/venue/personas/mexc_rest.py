"""The public REST calls of MEXC spot with which ordinary clients start."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from shadow.venue.symbol_market import listing
from shadow.venue.wire import MarketView, RestAnswer

__all__ = ["answer"]

_DEFAULT_DEPTH, _LARGEST_DEPTH = 100, 5000


def answer(
    market: MarketView,
    names: Mapping[str, str],
    method: str,
    path: str,
    query: Mapping[str, str],
    now_s: float,
) -> RestAnswer | None:
    """Answer GET of ping, time, defaultSymbols, exchangeInfo and depth; None for any other call.

    `names` maps the exchange's spelling to the Gate.io spelling.
    """
    call = path.rstrip("/").removeprefix("/api/v3/")
    if method != "GET" or not path.startswith("/api/v3/"):
        return None
    if call == "ping":
        return _json({})
    if call == "time":
        return _json({"serverTime": int(now_s * 1000)})
    if call == "defaultSymbols":
        return _json({"code": 200, "data": list(names), "msg": None})
    if call == "exchangeInfo":
        return _exchange_info(names, query, now_s)
    if call == "depth":
        return _depth(market, names, query, now_s)
    return None


def _depth(market: MarketView, names: Mapping[str, str], query: Mapping[str, str], now_s: float) -> RestAnswer:
    spelt = query.get("symbol", "")
    if spelt not in names:
        return _error(-1121, "Invalid symbol.")
    depth = query.get("limit", str(_DEFAULT_DEPTH))
    if not depth.isdecimal() or not 0 < int(depth) <= _LARGEST_DEPTH:
        return _error(-1100, "Illegal characters found in parameter 'limit'.")
    version, bids, asks = market.book(names[spelt])
    body = {
        "lastUpdateId": version,
        "bids": bids[: int(depth)],
        "asks": asks[: int(depth)],
        "timestamp": int(now_s * 1000),
    }
    return RestAnswer(200, orjson.dumps(body), spelt, version)


def _exchange_info(names: Mapping[str, str], query: Mapping[str, str], now_s: float) -> RestAnswer:
    asked = query.get("symbol")
    if asked is not None and asked not in names:
        return _error(-1121, "Invalid symbol.")
    wanted = names if asked is None else {asked: names[asked]}
    body = {
        "timezone": "CST",
        "serverTime": int(now_s * 1000),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_symbol(spelt, symbol) for spelt, symbol in wanted.items()],
    }
    return _json(body)


def _symbol(spelt: str, symbol: str) -> dict[str, object]:
    base, _, quote = symbol.partition("_")
    listed = listing(symbol)
    return {
        "symbol": spelt,
        "status": "1",
        "baseAsset": base,
        "baseAssetPrecision": listed.quantity_decimals,
        "quoteAsset": quote,
        "quotePrecision": listed.price_decimals,
        "quoteAssetPrecision": listed.price_decimals,
        "baseCommissionPrecision": listed.quantity_decimals,
        "quoteCommissionPrecision": listed.price_decimals,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "quoteAmountPrecision": "1",
        "baseSizePrecision": f"{10.0**-listed.quantity_decimals:.{listed.quantity_decimals}f}",
        "permissions": ["SPOT"],
        "filters": [],
        "maxQuoteAmount": "2000000",
        "makerCommission": "0",
        "takerCommission": "0.0005",
        "quoteAmountPrecisionMarket": "1",
        "maxQuoteAmountMarket": "100000",
        "fullName": base,
        "tradeSideType": 1,
    }


def _error(code: int, text: str) -> RestAnswer:
    return _json({"code": code, "msg": text}, 400)


def _json(body: object, status: int = 200) -> RestAnswer:
    return RestAnswer(status, orjson.dumps(body))
