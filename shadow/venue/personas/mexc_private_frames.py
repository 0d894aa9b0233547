"""MEXC's private pushes: orders, deals and balances as protobuf bodies 304, 306 and 307."""

from __future__ import annotations

from decimal import Decimal

from shadow.venue import protobuf
from shadow.venue.account_events import AccountEvent, BalanceState, FillState, OrderState
from shadow.venue.protobuf import integer, text
from shadow.venue.wire import Push

__all__ = ["CHANNELS", "encode", "fill_id", "order_id"]

CHANNELS = {
    "spot@private.orders.v3.api.pb": "order",
    "spot@private.deals.v3.api.pb": "fill",
    "spot@private.account.v3.api.pb": "balance",
}
"""Subscription string to event type."""

_KINDS = {"limit": 1, "post_only": 2, "market": 5}
_SIDES = {"buy": 1, "sell": 2}
_REASONS = {"order": "ENTRUST_PLACE", "cancel": "ENTRUST_CANCEL", "fill": "ENTRUST", "fee": "TRADE_FEE"}


def order_id(number: int) -> str:
    """`C02__` and 21 digits."""
    return f"C02__{number:021d}"


def fill_id(number: int) -> str:
    """Digits and `X1`."""
    return f"{number}X1"


def encode(channel: str, event: AccountEvent) -> Push:
    """The push of an event on its channel."""
    symbol = event.symbol.replace("_", "")
    head = protobuf.wrapper_head(channel, symbol)
    if isinstance(event, OrderState):
        payload = protobuf.wrapper(head, event.ts_ms, 304, _order(event))
    elif isinstance(event, FillState):
        payload = protobuf.wrapper(head, event.ts_ms, 306, _deal(event))
    elif isinstance(event, BalanceState):
        payload = protobuf.wrapper(head, event.ts_ms, 307, _account(event), create_ms=event.ts_ms)
    else:
        raise ValueError("a spot account has no positions")
    return Push(event.type, symbol, None, None, payload, False)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _status(order: OrderState) -> int:
    if order.status == "cancelled":
        return 5 if order.filled else 4
    return {"open": 1, "filled": 2, "partial": 3}[order.status]


def _order(order: OrderState) -> bytes:
    left_value = order.price * order.left
    return b"".join(
        (
            text(1, order_id(order.id)),
            text(2, order.client_id or ""),
            text(3, _plain(order.price)),
            text(4, _plain(order.quantity)),
            text(5, _plain(order.price * order.quantity)),
            text(6, _plain(order.average_price)),
            integer(7, _KINDS[order.kind]),
            integer(8, _SIDES[order.side]),
            integer(9, int(order.kind == "post_only")),
            text(10, _plain(left_value)),
            text(11, _plain(order.left)),
            text(13, _plain(order.filled)),
            text(14, _plain(order.value)),
            integer(15, _status(order)),
            integer(16, order.created_ms),
        )
    )


def _deal(fill: FillState) -> bytes:
    return b"".join(
        (
            text(1, _plain(fill.price)),
            text(2, _plain(fill.quantity)),
            text(3, _plain(fill.price * fill.quantity)),
            integer(4, _SIDES[fill.side]),
            integer(5, int(fill.role == "maker")),
            text(7, fill_id(fill.id)),
            text(8, fill.client_id or ""),
            text(9, order_id(fill.order_id)),
            text(10, _plain(fill.fee)),
            text(11, fill.fee_asset),
            integer(12, fill.time_us // 1000),
        )
    )


def _account(balance: BalanceState) -> bytes:
    return b"".join(
        (
            text(1, balance.asset),
            text(2, f"{balance.asset.lower()}-coin"),
            text(3, _plain(balance.free)),
            text(4, _plain(balance.change)),
            text(5, _plain(balance.locked)),
            text(6, _plain(balance.locked_change)),
            text(7, _REASONS[balance.reason]),
            integer(8, balance.ts_ms),
        )
    )
