"""Gate.io's signed REST calls about own orders, spot and futures: the open ones, and one by its id."""

from __future__ import annotations

from collections.abc import Mapping

from shadow.venue.account_events import OrderState
from shadow.venue.personas.gateio_private_frames import rest_order
from shadow.venue.personas.gateio_signed_rest import call_of, error, invalid, refusal, shown, told
from shadow.venue.wire import OwnOrders, RestAnswer

__all__ = ["answer"]

_OPEN = {"spot": "/spot/open_orders", "futures": "/futures/usdt/orders"}
_BY_ID = {"spot": "/spot/orders/", "futures": "/futures/usdt/orders/"}
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
    call = call_of(path)
    is_list, by_id = call == _OPEN[market], call.startswith(_BY_ID[market])
    if account is None or not (is_list or by_id):
        return None
    if (refused := refusal(credentials, path, query, headers, now_s)) is not None:
        return refused
    if by_id:
        return _one(market, account, call.removeprefix(_BY_ID[market]), query, credentials["uid"])
    try:
        part = shown(query, _PAGE_MOST, by_page=market == "spot")
    except ValueError:
        return invalid("limit")
    if market == "spot":
        return _pairs(account, part, credentials["uid"])
    return _contracts(account, part, query, credentials["uid"])


def _one(market: str, account: OwnOrders, order_id: str, query: Mapping[str, str], uid: str) -> RestAnswer:
    found = next((order for order in account.orders() if str(order.id) == order_id), None)
    if found is None or (market == "spot" and query.get("currency_pair") != found.symbol):
        return error(404, "ORDER_NOT_FOUND", f"Order with ID {order_id} not found")
    return told(rest_order(market, found, uid))


def _pairs(account: OwnOrders, part: slice, uid: str) -> RestAnswer:
    """Every pair is on every page, with its own part of its orders."""
    by_pair: dict[str, list[OrderState]] = {}
    for order in account.orders():
        if order.is_open:
            by_pair.setdefault(order.symbol, []).append(order)
    return told(
        [
            {
                "currency_pair": pair,
                "total": len(orders),
                "orders": [rest_order("spot", one, uid) for one in orders[part]],
            }
            for pair, orders in by_pair.items()
        ]
    )


def _contracts(account: OwnOrders, part: slice, query: Mapping[str, str], uid: str) -> RestAnswer:
    if query.get("status") != "open":
        return invalid("status")
    still_open = [order for order in account.orders() if order.is_open]
    return told([rest_order("futures", order, uid) for order in still_open[part]])
