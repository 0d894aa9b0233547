"""MEXC's REST calls about own orders: the open ones of a symbol, and one by its id. Who asks was checked before."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from shadow.venue.account_events import OrderState
from shadow.venue.personas.mexc_private_frames import order_id
from shadow.venue.wire import OwnOrders, RestAnswer

__all__ = ["PATHS", "answer"]

OPEN, ONE = "/api/v3/openOrders", "/api/v3/order"
PATHS = (OPEN, ONE)
_STATUSES = {"open": "NEW", "filled": "FILLED", "partial": "PARTIALLY_FILLED", "cancelled": "CANCELED"}
_KINDS = {"limit": "LIMIT", "post_only": "LIMIT_MAKER", "market": "MARKET"}


def answer(account: OwnOrders, path: str, query: Mapping[str, str]) -> RestAnswer:
    """Answer a signed GET of one of `PATHS`."""
    spelt = query.get("symbol", "")
    orders = [order for order in account.orders() if order.symbol.replace("_", "") == spelt]
    if path == OPEN:
        return _json([_order(order) for order in orders if order.is_open])
    found = next((order for order in orders if order_id(order.id) == query.get("orderId")), None)
    if found is None:
        return RestAnswer(400, orjson.dumps({"code": -2011, "msg": "Unknown order sent."}))
    return _json(_order(found))


def _order(order: OrderState) -> dict[str, object]:
    is_part = order.status == "cancelled" and order.filled
    return {
        "symbol": order.symbol.replace("_", ""),
        "orderId": order_id(order.id),
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": f"{order.price.normalize():f}",
        "origQty": f"{order.quantity.normalize():f}",
        "executedQty": f"{order.filled.normalize():f}",
        "cummulativeQuoteQty": f"{order.value.normalize():f}",
        "status": "PARTIALLY_CANCELED" if is_part else _STATUSES[order.status],
        "type": _KINDS[order.kind],
        "side": order.side.upper(),
        "time": order.created_ms,
        "updateTime": order.ts_ms,
        "isWorking": order.is_open,
    }


def _json(body: object) -> RestAnswer:
    return RestAnswer(200, orjson.dumps(body))
