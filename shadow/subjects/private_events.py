"""An account's structs as protocol event lines, the same for both doors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchanges.structs import Balance, Fill, Order, Position

__all__ = ["balance_line", "fill_line", "order_line", "position_line"]

Put = Callable[[dict[str, Any]], None]


def order_line(put: Put, c: str, t: int, name: str | None, order: Order) -> None:
    """One state of an own order; `name` is the symbol in the start line's spelling."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "order",
            "symbol": name,
            "id": order.id,
            "client_id": order.client_id,
            "status": order.status,
            "side": order.side,
            "kind": order.kind,
            "price": order.price,
            "quantity": order.quantity,
            "filled": order.filled,
            "average_price": order.average_price,
            "ts": order.timestamp,
        }
    )


def fill_line(put: Put, c: str, t: int, name: str | None, fill: Fill) -> None:
    """One own trade."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "fill",
            "symbol": name,
            "id": fill.id,
            "order_id": fill.order_id,
            "side": fill.side,
            "price": fill.price,
            "quantity": fill.quantity,
            "fee": fill.fee,
            "fee_asset": fill.fee_asset,
            "role": fill.role,
            "ts": fill.timestamp,
        }
    )


def balance_line(put: Put, c: str, t: int, name: str | None, balance: Balance) -> None:
    """One asset's balance; it has no symbol."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "balance",
            "symbol": name,
            "asset": balance.asset,
            "free": balance.free,
            "locked": balance.locked,
            "ts": balance.timestamp,
        }
    )


def position_line(put: Put, c: str, t: int, name: str | None, position: Position) -> None:
    """One futures position."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "position",
            "symbol": name,
            "size": position.size,
            "entry_price": position.entry_price,
            "mode": position.mode,
            "leverage": position.leverage,
            "margin": position.margin,
            "realised_pnl": position.realised_pnl,
            "ts": position.timestamp,
        }
    )
