"""The public REST calls of Gate.io's USDT futures with which ordinary clients start."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from shadow.venue.personas.gateio_futures_frames import rows, ticker
from shadow.venue.symbol_market import contract_size, listing
from shadow.venue.wire import MarketView, RestAnswer

__all__ = ["answer"]

_PREFIX = "/api/v4"
_DEFAULT_DEPTH, _LARGEST_DEPTH = 10, 300


def answer(
    market: MarketView, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], now_s: float
) -> RestAnswer | None:
    """Answer GET of order_book, contracts and tickers under `/futures/usdt`, with or without `/api/v4`; else None."""
    call = path.removeprefix(_PREFIX).rstrip("/")
    if method != "GET" or not call.startswith("/futures/usdt/"):
        return None
    call = call.removeprefix("/futures/usdt/")
    if call == "order_book":
        as_text = headers.get("X-Gate-Size-Decimal") == "1"
        return _order_book(market, query, now_s, as_text)
    if call == "contracts":
        return _json([_contract(symbol) for symbol in market.symbols])
    if call.startswith("contracts/"):
        symbol = call.removeprefix("contracts/")
        return _json(_contract(symbol)) if symbol in market.symbols else _unknown(symbol)
    if call == "tickers":
        asked = query.get("contract")
        if asked is not None and asked not in market.symbols:
            return _unknown(asked)
        return _json([ticker(one, dict(market.figures(one))) for one in ([asked] if asked else market.symbols)])
    return None


def _order_book(market: MarketView, query: Mapping[str, str], now_s: float, as_text: bool) -> RestAnswer:
    symbol = query.get("contract", "")
    if symbol not in market.symbols:
        return _unknown(symbol)
    depth = query.get("limit", str(_DEFAULT_DEPTH))
    if not depth.isdecimal() or not 0 < int(depth) <= _LARGEST_DEPTH:
        return _json({"label": "INVALID_PARAM_VALUE", "message": "Invalid request parameter `limit`"}, 400)
    version, bids, asks = market.book(symbol)
    body: dict[str, object] = {"id": version} if query.get("with_id") == "true" else {}
    body |= {
        "current": round(now_s, 3),
        "asks": rows(asks[: int(depth)], as_text),
        "bids": rows(bids[: int(depth)], as_text),
        "update": round(now_s - 0.001, 3),
    }
    return RestAnswer(200, orjson.dumps(body), symbol, version)


def _contract(symbol: str) -> dict[str, object]:
    listed = listing(symbol, "futures")
    step = f"{10.0**-listed.price_decimals:.{listed.price_decimals}f}"
    return {
        "name": symbol,
        "type": "direct",
        "quanto_multiplier": f"{contract_size(symbol):f}",
        "order_size_min": 1,
        "order_size_max": 1_000_000,
        "enable_decimal": False,
        "order_price_round": step,
        "mark_price_round": step,
        "leverage_min": "1",
        "leverage_max": "100",
        "maintenance_rate": "0.005",
        "maker_fee_rate": "-0.0001",
        "taker_fee_rate": "0.00075",
        "mark_type": "index",
        "funding_rate": "0.0001",
        "funding_interval": 28800,
        "in_delisting": False,
        "status": "trading",
    }


def _unknown(symbol: str) -> RestAnswer:
    return _json({"label": "CONTRACT_NOT_FOUND", "message": f"contract {symbol} not found"}, 400)


def _json(body: object, status: int = 200) -> RestAnswer:
    return RestAnswer(status, orjson.dumps(body))
