"""Gate.io's REST side of an account: which orders are open, and what became of one, for who missed it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from exchanges.integrations.gateio.private_events import futures_order, spot_order
from exchanges.integrations.gateio.private_frames import FuturesOrder, SpotOrder
from exchanges.integrations.gateio.signed_rest import GateioSigned, reading
from exchanges.structs.errors import ExchangeRestError
from exchanges.structs.symbols import to_gateio
from exchanges.structs.types import Order, Symbol

__all__ = ["GateioFuturesOrders", "GateioOrders"]

NOT_FOUND = 404
PAGE_ORDERS = 100
"""The most that one answer holds, on spot of each pair."""


class OpenPair(msgspec.Struct, gc=False):
    """The open orders of one pair, as far as they are on the page."""

    orders: list[dict[str, Any]] | None = None


class GateioOrders(GateioSigned):
    """Signed calls about the orders of spot."""

    OPEN = "/spot/open_orders"
    BY_ID = "/spot/orders"

    async def open_orders(self, symbols: Sequence[Symbol]) -> list[Order]:
        """Every open order of the account; `symbols` are those it is about at least.

        The exchange gives it in pages. One that is full and tells nothing new is an error: the rest cannot be had.
        """
        found: dict[str, Order] = {}
        for number in count():
            page, known = await self._page(number), len(found)
            found |= {order.id: order for items in page for order in map(self._read, items)}
            if all(len(items) < PAGE_ORDERS for items in page):
                break
            if len(found) == known:
                raise ExchangeRestError(400, f"GET {self.OPEN}: page {number + 1} tells no more, and is not the last")
        return list(found.values())

    async def order(self, symbol: Symbol, order_id: str) -> Order | None:
        """An order as it is now, open or over; None when the exchange does not know it any more."""
        try:
            item = await self._get(f"{self.BY_ID}/{order_id}", self._about(symbol), dict[str, Any])
        except ExchangeRestError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        return self._read(item)

    async def _page(self, number: int) -> list[list[dict[str, Any]]]:
        """Lists of open orders, each of which goes on with the next page where it is full; `number` is from 0 on."""
        pairs = await self._get(self.OPEN, {"page": str(number + 1), "limit": str(PAGE_ORDERS)}, list[OpenPair])
        return [pair.orders or [] for pair in pairs]

    def _about(self, symbol: Symbol) -> dict[str, str]:
        return {"currency_pair": to_gateio(symbol)}

    def _convert(self, item: dict[str, Any]) -> Order:
        event = "update" if item.get("status") == "open" else "finish"
        return spot_order(msgspec.convert({**item, "event": event}, SpotOrder))

    def _read(self, item: dict[str, Any]) -> Order:
        with reading("order"):
            return self._convert(item)


class GateioFuturesOrders(GateioOrders):
    """The same of the futures settled in USDT; quantities are contracts."""

    OPEN = "/futures/usdt/orders"
    BY_ID = "/futures/usdt/orders"

    async def _page(self, number: int) -> list[list[dict[str, Any]]]:
        query = {"status": "open", "limit": str(PAGE_ORDERS), "offset": str(number * PAGE_ORDERS)}
        return [await self._get(self.OPEN, query, list[dict[str, Any]])]

    def _about(self, symbol: Symbol) -> dict[str, str]:
        return {}

    def _convert(self, item: dict[str, Any]) -> Order:
        """Times are in seconds with a fraction, other than on the socket."""
        names = {"update_time": "update_time", "finish_time": "finish_time_ms", "create_time": "create_time_ms"}
        times = {name: round(item[source] * 1000) for source, name in names.items() if item.get(source)}
        return futures_order(msgspec.convert({**item, **times}, FuturesOrder))
