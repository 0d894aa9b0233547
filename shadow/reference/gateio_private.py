"""Gate.io's private pushes, spot and futures, item by item: orders, own trades, balances, positions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from shadow.reference.events import Balance, Event, Fill, Order, Position
from shadow.reference.gateio_values import Frame, decimal, millis
from shadow.reference.numbers import exact

__all__ = ["PRIVATE_EVENTS"]

KINDS = {"poc": "post_only", "ioc": "ioc", "fok": "fok"}
MODES = {"single": "single", "dual_long": "long", "dual_short": "short"}
MS_TIMES = ("time_ms", "create_time_ms", "update_time_ms", "finish_time_ms", "timestamp_ms")
SECOND_TIMES = ("time", "create_time", "finish_time", "timestamp")


def identity(value: Any) -> str:
    """An id's text. ValueError for anything but text and whole numbers: through a float an id may be another one."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"id {value!r}")


def client_id(text: Any) -> str | None:
    """The client's own id: `text` where it begins with `t-`; the exchange writes other words there too."""
    return text if isinstance(text, str) and text.startswith("t-") else None


def number(value: Any) -> Decimal:
    """A number for arithmetic, whether it came as text or as a JSON number."""
    return exact(str(value))


def signed_side(*sizes: Decimal) -> str:
    """The side that the first size other than zero stands for; sell when there is none."""
    return "buy" if next((size for size in sizes if size), Decimal(-1)) > 0 else "sell"


def one_of(value: Any, *allowed: str) -> str:
    """The value itself. ValueError when it is none of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return str(value)


def times_of(frame: Frame, item: Frame) -> tuple[int, ...]:
    """Every time of the frame in ms, those given in seconds times 1000."""
    exact = [millis(holder.get(key)) for holder in (frame, item) for key in MS_TIMES]
    seconds = [millis(holder.get(key)) for holder in (frame, item) for key in SECOND_TIMES]
    update = millis(item.get("update_time"))  # seconds on spot, ms on futures
    if update:
        (exact if "contract" in item else seconds).append(update)
    return tuple(time for time in exact if time) + tuple(time * 1000 for time in seconds if time)


def ended(left: Decimal, finish_as: Any) -> str:
    """The status of an order that is over."""
    if not left:
        return "filled"
    return "rejected" if finish_as == "poc" else "cancelled"


def spot_order(item: Frame, frame: Frame) -> Event:
    left = number(item["left"])
    filled = decimal(item.get("filled_amount")) or untold_filled(item)
    event = one_of(item["event"], "put", "update", "finish")
    status = "partial" if event == "update" and number(filled) > 0 else "open"
    is_market = str(item["type"]).startswith("market")
    return Order(
        symbol=str(item["currency_pair"]),
        id=identity(item["id"]),
        client_id=client_id(item.get("text")),
        status=ended(left, item.get("finish_as")) if event == "finish" else status,
        side=one_of(item["side"], "buy", "sell"),
        kind="market" if is_market else KINDS.get(str(item.get("time_in_force")), "limit"),
        price=decimal(item.get("price")),
        quantity=decimal(item["amount"]),
        filled=filled,
        average_price=decimal(item.get("avg_deal_price")),
        ts=millis(item.get("update_time_ms")),
        times=times_of(frame, item),
    )


def untold_filled(item: Frame) -> str:
    """`filled` of an order without `filled_amount`, as they were in 2024.

    Amount and left of a market buy are money: what it got is what it paid by its average price, to twelve digits.
    """
    if not (str(item["type"]).startswith("market") and item["side"] == "buy"):
        return f"{number(item['amount']) - number(item['left']):f}"
    paid, price = (number(item.get(name) or "0") for name in ("filled_total", "avg_deal_price"))
    return f"{Context(prec=12).divide(paid, price):f}" if price else "0"


def spot_fill(item: Frame, frame: Frame) -> Event:
    return Fill(
        symbol=str(item["currency_pair"]),
        id=identity(item["id"]),
        order_id=identity(item["order_id"]),
        side=one_of(item["side"], "buy", "sell"),
        price=decimal(item["price"]),
        quantity=decimal(item["amount"]),
        fee=decimal(item.get("fee")),
        fee_asset=str(item.get("fee_currency") or "") or None,
        role=one_of(item["role"], "maker", "taker"),
        ts=millis(item["create_time_ms"]),
        times=times_of(frame, item),
    )


def spot_balance(item: Frame, frame: Frame) -> Event:
    free, locked = decimal(item["available"]), decimal(item.get("freeze"))
    return Balance("", str(item["currency"]), free, locked, millis(item.get("timestamp_ms")), times_of(frame, item))


def futures_order(item: Frame, frame: Frame) -> Event:
    """A futures order: the sign of its size is its side; `update_time` is newer than the other times."""
    size, left = number(item["size"]), number(item["left"])
    status = one_of(item["status"], "open", "finished")
    price = decimal(item["price"])
    by_tif = KINDS.get(str(item.get("tif")), "limit")
    return Order(
        symbol=str(item["contract"]),
        id=identity(item["id"]),
        client_id=client_id(item.get("text")),
        status=ended(left, item.get("finish_as")) if status == "finished" else "open" if left == size else "partial",
        side=signed_side(size, left),
        kind="market" if price is None or not number(price) else by_tif,
        price=price,
        quantity=f"{abs(size):f}",
        filled=f"{abs(size) - abs(left):f}",
        average_price=decimal(item.get("fill_price")),
        ts=next((time for key in ORDER_TIMES if (time := millis(item.get(key)))), None),
        times=times_of(frame, item),
    )


ORDER_TIMES = ("update_time", "finish_time_ms", "create_time_ms")


def futures_fill(item: Frame, frame: Frame) -> Event:
    size = number(item["size"])
    return Fill(
        symbol=str(item["contract"]),
        id=identity(item["id"]),
        order_id=identity(item["order_id"]),
        side=signed_side(size),
        price=decimal(item["price"]),
        quantity=f"{abs(size):f}",
        fee=decimal(item.get("fee")),
        fee_asset=None,
        role=one_of(item["role"], "maker", "taker"),
        ts=millis(item["create_time_ms"]),
        times=times_of(frame, item),
    )


def futures_balance(item: Frame, frame: Frame) -> Event:
    asset, ts = str(item["currency"]).upper(), millis(item.get("time_ms"))
    return Balance("", asset, decimal(item["balance"]), None, ts, times_of(frame, item))


def futures_position(item: Frame, frame: Frame) -> Event:
    return Position(
        symbol=str(item["contract"]),
        size=decimal(item["size"]),
        entry_price=decimal(item.get("entry_price")),
        mode=MODES[item["mode"]],
        leverage=decimal(item.get("leverage")),
        margin=decimal(item.get("margin")),
        realised_pnl=decimal(item.get("realised_pnl")),
        ts=millis(item.get("time_ms")),
        times=times_of(frame, item),
    )


PRIVATE_EVENTS: dict[str, Callable[[Frame, Frame], Event]] = {
    "spot.orders": spot_order,
    "spot.usertrades": spot_fill,
    "spot.balances": spot_balance,
    "futures.orders": futures_order,
    "futures.usertrades": futures_fill,
    "futures.balances": futures_balance,
    "futures.positions": futures_position,
}
"""Channel to what makes an event of one item of its result."""
