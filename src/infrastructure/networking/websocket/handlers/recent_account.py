"""Exactly once for an account: the ids of the last fills of each symbol, and the last state of each order."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from exchanges.structs.types import Fill, Order, Symbol

__all__ = ["RecentFills", "RecentOrders"]


class RecentFills:
    """Fill ids seen lately; they outlive connections, since an exchange repeats itself after a reconnect, too."""

    KEPT = 512

    __slots__ = ("_by_symbol", "repeated")

    def __init__(self) -> None:
        self.repeated = 0
        self._by_symbol: dict[Symbol, dict[str, None]] = {}

    def fresh(self, fills: list[Fill]) -> list[Fill]:
        """The fills that were not delivered before, in order."""
        return [fill for fill in fills if self._is_new(fill)]

    def _is_new(self, fill: Fill) -> bool:
        seen = self._by_symbol.get(fill.symbol)
        if seen is None:
            seen = self._by_symbol[fill.symbol] = {}
        if fill.id in seen:
            self.repeated += 1
            return False
        seen[fill.id] = None
        if len(seen) > self.KEPT:
            del seen[next(iter(seen))]
        return True


class RecentOrders:
    """The last state of the orders that changed last, as a tuple: what the consumer does to an Order changes nothing.

    Only a state equal to the one before it is a repetition; an order may well come back to an earlier state.
    """

    KEPT = 4096

    __slots__ = ("_by_id", "repeated")

    def __init__(self) -> None:
        self.repeated = 0
        self._by_id: dict[tuple[Symbol, str], Any] = {}

    def fresh(self, orders: list[Order]) -> list[Order]:
        """The orders whose state is not the one delivered last."""
        return [order for order in orders if self._is_new(order)]

    def _is_new(self, order: Order) -> bool:
        key, content = (order.symbol, order.id), _content(order)
        # Taken out and put in again, so that the first in the dict is the one that rested longest.
        last = self._by_id.pop(key, None)
        self._by_id[key] = content
        if last == content:
            self.repeated += 1
            return False
        if len(self._by_id) > self.KEPT:
            del self._by_id[next(iter(self._by_id))]
        return True


_content = attrgetter(*(name for name in Order.__slots__ if name not in ("symbol", "id")))
