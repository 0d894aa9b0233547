"""Exactly once for an account: the ids of the last fills of each symbol; of orders, balances and positions the last
state of each."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from exchanges.structs.types import Balance, Fill, Order, Position, Symbol

__all__ = ["RecentFills", "RecentOrders", "RecentStates"]

StateT = TypeVar("StateT", Order, Balance, Position)


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


class RecentStates(Generic[StateT]):
    """The last state of what changed last, as a tuple: what the consumer does to an object changes nothing.

    Only a state equal to the one before it is a repetition; a balance may well come back to an earlier one.
    """

    # A repetition comes right behind its frame or after a resubscription; each state kept takes most of a kilobyte.
    KEPT = 512

    __slots__ = ("_content", "_key", "_last", "repeated")

    def __init__(self, kind: type[StateT], *names: str) -> None:
        """`names` are the fields that tell whose state it is; all others are the state."""
        self.repeated = 0
        self._key = attrgetter(*names)
        self._content = attrgetter(*(field.name for field in fields(kind) if field.name not in names))
        self._last: dict[Any, Any] = {}

    def fresh(self, states: list[StateT]) -> list[StateT]:
        """Those that are not as they were delivered last, in order."""
        return [state for state in states if self._is_new(state)]

    def _is_new(self, state: StateT) -> bool:
        key, content = self._key(state), self._content(state)
        # Taken out and put in again, so that the first in the dict is the one that rested longest.
        last = self._last.pop(key, None)
        self._last[key] = content
        if last == content:
            self.repeated += 1
            return False
        if len(self._last) > self.KEPT:
            del self._last[next(iter(self._last))]
        return True


class RecentOrders(RecentStates[Order]):
    """The last state of orders, whose life goes one way: a state from before the last one comes late and is left out.

    What is filled never becomes less, and an order that is done stays so; an amended price may well come back.
    """

    DONE = frozenset({"filled", "cancelled", "rejected"})

    __slots__ = ("late",)

    def __init__(self) -> None:
        super().__init__(Order, "symbol", "id")
        self.late = 0

    def _is_new(self, state: Order) -> bool:
        last = self._last.get(self._key(state))
        if last is not None and self._is_late(state, last):
            self.late += 1
            return False
        return super()._is_new(state)

    def _is_late(self, order: Order, last: Any) -> bool:
        return bool(order.filled < last[_FILLED] or (last[_STATUS] in self.DONE and order.status not in self.DONE))


_CONTENT = [field.name for field in fields(Order) if field.name not in ("symbol", "id")]
_FILLED, _STATUS = _CONTENT.index("filled"), _CONTENT.index("status")
