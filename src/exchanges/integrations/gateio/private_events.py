"""Gate.io's private frames to orders, fills, balances and positions.

Each reader takes a decoded frame and gives one event an item; DecodeError for a value that makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from functools import wraps
from math import isfinite
from typing import TypeVar

from exchanges.integrations.gateio.private_frames import (
    FuturesBalance,
    FuturesBalancesFrame,
    FuturesFill,
    FuturesFillsFrame,
    FuturesOrder,
    FuturesOrdersFrame,
    FuturesPosition,
    FuturesPositionsFrame,
    Number,
    SpotBalance,
    SpotBalancesFrame,
    SpotFill,
    SpotFillsFrame,
    SpotOrder,
    SpotOrdersFrame,
)
from exchanges.structs.errors import DecodeError
from exchanges.structs.symbols import from_gateio
from exchanges.structs.types import Balance, Fill, Order, Position

__all__ = [
    "futures_balance",
    "futures_fill",
    "futures_order",
    "futures_position",
    "read_futures_balances",
    "read_futures_fills",
    "read_futures_orders",
    "read_futures_positions",
    "read_spot_balances",
    "read_spot_fills",
    "read_spot_orders",
    "spot_balance",
    "spot_fill",
    "spot_order",
]

FrameT = TypeVar("FrameT")
EventT = TypeVar("EventT")

KINDS = {"poc": "post_only", "ioc": "ioc", "fok": "fok"}
# Digits of what is worked out from an average price, which is rounded itself.
DERIVED = Context(prec=12)
MODES = {"single": "single", "dual_long": "long", "dual_short": "short"}


def refusing(read: Callable[[FrameT], list[EventT]]) -> Callable[[FrameT], list[EventT]]:
    """A reader whose errors say that the frame could not be read."""

    @wraps(read)
    def guarded(payload: FrameT) -> list[EventT]:
        try:
            return read(payload)
        except (ValueError, ArithmeticError) as error:
            raise DecodeError(f"unreadable private frame: {error or type(error).__name__}") from error

    return guarded


@refusing
def read_spot_orders(payload: SpotOrdersFrame) -> list[Order]:
    """The orders as they stand now."""
    return [spot_order(item) for item in payload.result]


@refusing
def read_spot_fills(payload: SpotFillsFrame) -> list[Fill]:
    """The own trades."""
    return [spot_fill(item) for item in payload.result]


@refusing
def read_spot_balances(payload: SpotBalancesFrame) -> list[Balance]:
    """What is available and frozen of each asset."""
    return [spot_balance(item) for item in payload.result]


@refusing
def read_futures_orders(payload: FuturesOrdersFrame) -> list[Order]:
    """The orders as they stand now; quantities are contracts."""
    return [futures_order(item) for item in payload.result]


@refusing
def read_futures_fills(payload: FuturesFillsFrame) -> list[Fill]:
    """The own trades; quantities are contracts."""
    return [futures_fill(item) for item in payload.result]


@refusing
def read_futures_balances(payload: FuturesBalancesFrame) -> list[Balance]:
    """The balance, asset names in capitals as on spot; what of it is locked is not told."""
    return [futures_balance(item) for item in payload.result]


@refusing
def read_futures_positions(payload: FuturesPositionsFrame) -> list[Position]:
    """The positions; their sizes are signed, leverage 0 is cross margin."""
    return [futures_position(item) for item in payload.result]


def spot_order(item: SpotOrder) -> Order:
    """One spot order; ValueError or ArithmeticError for a value that makes no sense."""
    quantity, left = _number(item.amount), _number(item.left)
    filled = _optional(item.filled_amount)
    if filled is None:
        filled = _filled(item)
    if item.event == "finish":
        status = _ended(left, item.finish_as)
    else:
        status = "partial" if item.event == "update" and filled > 0 else "open"
    return Order(
        symbol=from_gateio(item.currency_pair),
        id=str(item.id),
        client_id=_client_id(item.text),
        status=status,
        side=item.side,
        kind="market" if item.type.startswith("market") else KINDS.get(item.time_in_force or "", "limit"),
        price=_optional(item.price),
        quantity=quantity,
        filled=filled,
        average_price=_optional(item.avg_deal_price),
        timestamp=_millis(item.update_time_ms),
    )


def _filled(item: SpotOrder) -> float:
    """What is filled, of an order that does not tell it: older ones have no `filled_amount`.

    A market order buys for an amount of the quote currency; what it bought follows from what that cost.
    """
    if item.side != "buy" or not item.type.startswith("market"):
        return float(_exact(item.amount) - _exact(item.left))
    price = _exact(item.avg_deal_price or 0)
    return _finite(float(DERIVED.divide(_exact(item.filled_total or 0), price))) if price else 0.0


def spot_fill(item: SpotFill) -> Fill:
    """One own trade; errors as of `spot_order`."""
    return Fill(
        symbol=from_gateio(item.currency_pair),
        id=str(item.id),
        order_id=str(item.order_id),
        side=item.side,
        price=_number(item.price),
        quantity=_number(item.amount),
        fee=_optional(item.fee),
        fee_asset=item.fee_currency or None,
        role=item.role,
        timestamp=_millis(item.create_time_ms),
    )


def spot_balance(item: SpotBalance) -> Balance:
    """What is available and frozen of one asset; errors as of `spot_order`."""
    return Balance(item.currency, _number(item.available), _optional(item.freeze), _millis(item.timestamp_ms))


def futures_order(item: FuturesOrder) -> Order:
    """One futures order, its quantities in contracts; errors as of `spot_order`."""
    size, left, price = _exact(item.size), _exact(item.left), _optional(item.price)
    status = _ended(left, item.finish_as) if item.status == "finished" else "open" if left == size else "partial"
    return Order(
        symbol=from_gateio(item.contract, True),
        id=str(item.id),
        client_id=_client_id(item.text),
        status=status,
        side=_side(size or left),
        kind=KINDS.get(item.tif or "", "limit") if price else "market",
        price=price,
        quantity=_finite(float(abs(size))),
        filled=_finite(float(abs(size) - abs(left))),
        average_price=_optional(item.fill_price),
        timestamp=_first_time(item.update_time, item.finish_time_ms, item.create_time_ms),
    )


def futures_fill(item: FuturesFill) -> Fill:
    """One own trade, its quantity in contracts; errors as of `spot_order`."""
    size = _number(item.size)
    return Fill(
        symbol=from_gateio(item.contract, True),
        id=str(item.id),
        order_id=str(item.order_id),
        side=_side(size),
        price=_number(item.price),
        quantity=abs(size),
        fee=_optional(item.fee),
        fee_asset=None,
        role=item.role,
        timestamp=_millis(item.create_time_ms),
    )


def futures_balance(item: FuturesBalance) -> Balance:
    """One balance, its asset's name in capitals; errors as of `spot_order`."""
    return Balance(item.currency.upper(), _number(item.balance), None, _millis(item.time_ms))


def futures_position(item: FuturesPosition) -> Position:
    """One position, its size signed; errors as of `spot_order`."""
    return Position(
        symbol=from_gateio(item.contract, True),
        size=_number(item.size),
        entry_price=_optional(item.entry_price),
        mode=MODES[item.mode],
        leverage=_optional(item.leverage),
        margin=_optional(item.margin),
        realised_pnl=_optional(item.realised_pnl),
        timestamp=_millis(item.time_ms),
    )


def _ended(left: float | Decimal, finish_as: str | None) -> str:
    """The status of an order that is over."""
    if not left:
        return "filled"
    return "rejected" if finish_as == "poc" else "cancelled"


def _side(size: float | Decimal) -> str:
    return "buy" if size > 0 else "sell"


def _client_id(text: str | None) -> str | None:
    """The client's own id; the exchange writes other words in its place, and its own all begin with `t-`."""
    return text if text is not None and text.startswith("t-") else None


def _number(value: Number) -> float:
    return _finite(float(value))


def _optional(value: Number | None) -> float | None:
    return None if value is None or value == "" else _finite(float(value))


def _exact(value: Number) -> Decimal:
    """For differences: a float's own would not be the nearest to that of the texts."""
    return Decimal(value) if isinstance(value, int) else Decimal(str(value))


def _finite(value: float) -> float:
    if not isfinite(value):
        raise ValueError(f"not a number: {value}")
    return value


def _first_time(*values: Number | None) -> int:
    """The first time that is given; 0 stands for none."""
    for value in values:
        if value and (millis := _millis(value)):
            return millis
    raise ValueError("no time")


def _millis(value: Number) -> int:
    """Milliseconds, with a fraction in text cut: a float64 rounds the sixth digit up."""
    return int(value.partition(".")[0]) if isinstance(value, str) else int(value)
