"""Gate.io's signed REST calls about own orders, spot and futures: the open ones, and one by its id."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

import orjson

from shadow.venue.account_events import OrderState
from shadow.venue.personas.gateio_private_frames import rest_order
from shadow.venue.wire import OwnOrders, RestAnswer

__all__ = ["answer"]

_PREFIX = "/api/v4"
_OPEN = {"spot": "/spot/open_orders", "futures": "/futures/usdt/orders"}
_BY_ID = {"spot": "/spot/orders/", "futures": "/futures/usdt/orders/"}
_WINDOW_S = 60.0
_PAGE_MOST = 100
"""Orders of an answer, where no smaller limit is asked for; on spot of each pair."""


def answer(
    market: str,
    account: OwnOrders | None,
    credentials: Mapping[str, str],
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    now_s: float,
) -> RestAnswer | None:
    """Answer a GET of open orders or of one order, with or without `/api/v4`; None for any other path."""
    call = path.removeprefix(_PREFIX).rstrip("/")
    is_list, by_id = call == _OPEN[market], call.startswith(_BY_ID[market])
    if account is None or not (is_list or by_id):
        return None
    if not _is_signed(credentials, path, query, headers, now_s):
        return _error(401, "INVALID_SIGNATURE", "Signature mismatch")
    if by_id:
        return _one(market, account, call.removeprefix(_BY_ID[market]), query, credentials["uid"])
    try:
        shown = _shown(market, query)
    except ValueError:
        return _error(400, "INVALID_PARAM_VALUE", "Invalid request parameter `limit`")
    if market == "spot":
        return _pairs(account, shown, credentials["uid"])
    return _contracts(account, shown, query, credentials["uid"])


def _shown(market: str, query: Mapping[str, str]) -> slice:
    """The part of a list that is asked for: by page on spot, by offset on futures; ValueError for one there is not."""
    limit = int(query.get("limit", _PAGE_MOST))
    begin = (int(query.get("page", 1)) - 1) * limit if market == "spot" else int(query.get("offset", 0))
    if not 0 < limit <= _PAGE_MOST or begin < 0:
        raise ValueError("no such part")
    return slice(begin, begin + limit)


def _one(market: str, account: OwnOrders, order_id: str, query: Mapping[str, str], uid: str) -> RestAnswer:
    found = next((order for order in account.orders() if str(order.id) == order_id), None)
    if found is None or (market == "spot" and query.get("currency_pair") != found.symbol):
        return _error(404, "ORDER_NOT_FOUND", f"Order with ID {order_id} not found")
    return _json(rest_order(market, found, uid))


def _pairs(account: OwnOrders, shown: slice, uid: str) -> RestAnswer:
    """Every pair is on every page, with its own part of its orders."""
    by_pair: dict[str, list[OrderState]] = {}
    for order in account.orders():
        if order.is_open:
            by_pair.setdefault(order.symbol, []).append(order)
    return _json(
        [
            {
                "currency_pair": pair,
                "total": len(orders),
                "orders": [rest_order("spot", one, uid) for one in orders[shown]],
            }
            for pair, orders in by_pair.items()
        ]
    )


def _contracts(account: OwnOrders, shown: slice, query: Mapping[str, str], uid: str) -> RestAnswer:
    if query.get("status") != "open":
        return _error(400, "INVALID_PARAM_VALUE", "Invalid request parameter `status`")
    still_open = [order for order in account.orders() if order.is_open]
    return _json([rest_order("futures", order, uid) for order in still_open[shown]])


def _is_signed(
    credentials: Mapping[str, str], path: str, query: Mapping[str, str], headers: Mapping[str, str], now_s: float
) -> bool:
    """KEY, Timestamp and SIGN over method, path, query, hash of the empty body and timestamp, joined by newlines."""
    stamp = headers.get("Timestamp", "")
    if headers.get("KEY") != credentials["key"] or not stamp.isdecimal() or abs(int(stamp) - now_s) > _WINDOW_S:
        return False
    empty = hashlib.sha512(b"").hexdigest()
    text = "\n".join(("GET", path, urlencode(list(query.items())), empty, stamp))
    made = hmac.new(credentials["secret"].encode(), text.encode(), hashlib.sha512).hexdigest()
    return hmac.compare_digest(made.encode(), headers.get("SIGN", "").encode(errors="replace"))


def _error(status: int, label: str, text: str) -> RestAnswer:
    return RestAnswer(status, orjson.dumps({"label": label, "message": text}))


def _json(body: object) -> RestAnswer:
    return RestAnswer(200, orjson.dumps(body))
