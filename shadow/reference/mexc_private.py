"""MEXC's private bodies as events: orders, own deals, one asset's account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shadow.reference.events import Balance, DecodeError, Event, Fill, Order
from shadow.reference.mexc_wire import SIDE, Push, symbol_of, times_of
from shadow.reference.numbers import number

__all__ = ["PRIVATE_EVENTS"]

STATUS = {0: "open", 1: "open", 2: "filled", 3: "partial", 4: "cancelled", 5: "cancelled"}
KIND = {2: "post_only", 3: "ioc", 4: "fok", 5: "market"}


def text(body: dict[str, Any], name: str) -> str:
    """A text that an event cannot be without. DecodeError when it is absent."""
    if not body.get(name):
        raise DecodeError(f"no {name}")
    return str(body[name])


def amount(body: dict[str, Any], name: str) -> str:
    """A number's text; an absent one is the proto3 default, so zero."""
    return number(body.get(name)) or "0"


def side(body: dict[str, Any]) -> str:
    """buy or sell. DecodeError for any other tradeType."""
    found = SIDE.get(body.get("tradeType", 0))
    if found is None:
        raise DecodeError(f"tradeType {body.get('tradeType')}")
    return found


def own_times(push: Push) -> tuple[int, ...]:
    """Every time of the frame, those of the body among them."""
    inner = (push.body.get("time"), push.body.get("createTime"))
    return times_of(push) + tuple(time for time in inner if time is not None)


def order(push: Push) -> list[Event]:
    body = push.body
    status = STATUS.get(body.get("status", 0))
    if status is None:
        raise DecodeError(f"order status {body['status']}")
    found = Order(
        symbol=symbol_of(push),
        id=text(body, "id"),
        client_id=body.get("clientId") or None,
        status=status,
        side=side(body),
        kind=KIND.get(body.get("orderType", 0), "limit"),
        price=amount(body, "price"),
        quantity=amount(body, "quantity"),
        filled=amount(body, "cumulativeQuantity"),
        average_price=amount(body, "avgPrice"),
        ts=push.send_time or body.get("createTime"),
        times=own_times(push),
    )
    return [found]


def fill(push: Push) -> list[Event]:
    body = push.body
    found = Fill(
        symbol=symbol_of(push),
        id=text(body, "tradeId"),
        order_id=text(body, "orderId"),
        side=side(body),
        price=amount(body, "price"),
        quantity=amount(body, "quantity"),
        fee=number(body.get("feeAmount")),
        fee_asset=body.get("feeCurrency") or None,
        role="maker" if body.get("isMaker") else "taker",
        ts=body.get("time"),
        times=own_times(push),
    )
    return [found]


def balance(push: Push) -> list[Event]:
    body = push.body
    free, locked = amount(body, "balanceAmount"), amount(body, "frozenAmount")
    return [Balance("", text(body, "vcoinName"), free, locked, body.get("time"), own_times(push))]


PRIVATE_EVENTS: dict[str, Callable[[Push], list[Event]]] = {
    "privateOrders": order,
    "privateDeals": fill,
    "privateAccount": balance,
}
"""Body name to what makes its events."""
