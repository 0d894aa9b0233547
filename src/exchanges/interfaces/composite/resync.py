"""Asks by REST, when a connection stands again, what became of the orders while nobody listened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from exchanges.structs.types import Order, Symbol

__all__ = ["FetchOrders", "OrderStep"]


class FetchOrders(Protocol):
    """The REST side of an account; both raise ExchangeRestError."""

    async def open_orders(self, symbols: Sequence[Symbol]) -> list[Order]:
        """The open orders, of these symbols at least."""

    async def order(self, symbol: Symbol, order_id: str) -> Order | None:
        """An order as it is now, open or over; None when the exchange does not know it any more."""


class OrderStep:
    """The orders' part of a look. Pushes that came meanwhile are newer than any answer: one that says less than what is
    held changes nothing."""

    kind = "orders"

    def __init__(
        self, fetch: FetchOrders, stale: Callable[[], list[Order]], take: Callable[[Order], Awaitable[None]]
    ) -> None:
        """`stale` gives the open orders that are not certain, `take` takes an answer."""
        self.looks = 0
        self.unknown = 0
        self._fetch = fetch
        self._stale = stale
        self._take = take

    async def take_all(self, symbols: Sequence[Symbol], is_over: Callable[[], bool]) -> None:
        """First what is open; then, one by one, what was open before and is not any more."""
        for order in await self._fetch.open_orders(symbols):
            await self._take(order)
            if is_over():
                return
        for held in self._stale():
            order_now = await self._fetch.order(held.symbol, held.id)
            if order_now is None:
                self.unknown += 1
                continue
            await self._take(order_now)
            if is_over():
                return

    def metrics(self) -> dict[str, int]:
        """Looks, and orders that the exchange did not know any more."""
        return {"looks": self.looks, "unknown": self.unknown}
