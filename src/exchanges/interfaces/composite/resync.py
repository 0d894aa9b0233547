"""Asks by REST, when a connection stands again, what became of the orders while nobody listened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from exchanges.structs.types import Order, Symbol

__all__ = ["FetchOrders", "OrderResync"]


class FetchOrders(Protocol):
    """The REST side of an account; both raise ExchangeRestError."""

    async def open_orders(self, symbols: Sequence[Symbol]) -> list[Order]:
        """The open orders, of these symbols at least."""

    async def order(self, symbol: Symbol, order_id: str) -> Order | None:
        """An order as it is now, open or over; None when the exchange does not know it any more."""


class OrderResync:
    """One look at a time; a newer one takes the place of one under way.

    A callback of a look may end that look, as it does when it closes the connection: the look is not cancelled in the
    midst of what the callback does, but asks and takes nothing more. Pushes go on meanwhile and are newer than any
    answer: an answer that says less than what is held changes nothing.
    """

    def __init__(
        self,
        fetch: FetchOrders,
        stale: Callable[[], list[Order]],
        take: Callable[[Order], Awaitable[None]],
        report: Callable[[Exception], Awaitable[None]],
    ) -> None:
        """`stale` gives the open orders that are not certain, `take` takes an answer, `report` hears of a failure."""
        self.looks = 0
        self.unknown = 0
        self._fetch = fetch
        self._stale = stale
        self._take = take
        self._report = report
        self._task: asyncio.Task[None] | None = None

    def start(self, symbols: Sequence[Symbol]) -> None:
        """Look now."""
        self.cancel()
        self._task = asyncio.get_running_loop().create_task(self._look(symbols))

    def cancel(self) -> None:
        """Look no more: the connection is lost again, or closed."""
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    @property
    def _is_over(self) -> bool:
        """Whether the look that asks was ended by a callback of its own."""
        return self._task is not asyncio.current_task()

    async def _look(self, symbols: Sequence[Symbol]) -> None:
        try:
            await self._take_all(symbols)
        except Exception as error:  # noqa: BLE001 - whatever the application's own side raises, orders stay stale
            await self._report(error)
        else:
            self.looks += not self._is_over

    async def _take_all(self, symbols: Sequence[Symbol]) -> None:
        """First what is open; then, one by one, what was open before and is not any more."""
        for order in await self._fetch.open_orders(symbols):
            await self._take(order)
            if self._is_over:
                return
        for held in self._stale():
            order_now = await self._fetch.order(held.symbol, held.id)
            if order_now is None:
                self.unknown += 1
                continue
            await self._take(order_now)
            if self._is_over:
                return
