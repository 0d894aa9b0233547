"""What an account has told of late, for who asks it by REST."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from shadow.venue.account_events import AccountEvent, FillState, OrderState, PositionState

__all__ = ["AccountMemory"]

KEPT = 2000
"""Fills that are kept, and orders whose last state is; one that is open acts long before so many others did."""


class AccountMemory:
    """The fills of late, the last state of each order of late and of each position, whether pushed yet or not."""

    def __init__(self) -> None:
        self._orders: dict[int, OrderState] = {}
        self._positions: dict[str, PositionState] = {}
        self._fills: deque[FillState] = deque(maxlen=KEPT)

    def orders(self) -> list[OrderState]:
        """The orders, the one that acted last at the end."""
        return list(self._orders.values())

    def positions(self) -> list[PositionState]:
        """The positions, also those that are closed."""
        return list(self._positions.values())

    def fills(self) -> list[FillState]:
        """The fills, oldest first."""
        return list(self._fills)

    def note(self, events: Iterable[AccountEvent]) -> None:
        """The account acted."""
        for event in events:
            if isinstance(event, OrderState):
                self._orders.pop(event.id, None)
                self._orders[event.id] = event
            elif isinstance(event, PositionState):
                self._positions[event.symbol] = event
            elif isinstance(event, FillState):
                self._fills.append(event)
        while len(self._orders) > KEPT:
            del self._orders[next(iter(self._orders))]
