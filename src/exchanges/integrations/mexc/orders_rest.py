"""MEXC's REST side of an account: which orders are open, and what became of one, for who missed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from exchanges.integrations.mexc.signed_rest import MexcRefusal, MexcSigned
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from exchanges.structs.events import read_number
from exchanges.structs.symbols import from_mexc, to_mexc
from exchanges.structs.types import Order, Symbol

__all__ = ["MexcOrders"]

OPEN, ONE = "/api/v3/openOrders", "/api/v3/order"
UNKNOWN_ORDER = -2011
STATUSES = {
    "NEW": "open",
    "FILLED": "filled",
    "PARTIALLY_FILLED": "partial",
    "CANCELED": "cancelled",
    "PARTIALLY_CANCELED": "cancelled",
}
KINDS = {"LIMIT_MAKER": "post_only", "IMMEDIATE_OR_CANCEL": "ioc", "FILL_OR_KILL": "fok", "MARKET": "market"}


class RestOrder(msgspec.Struct, gc=False):
    """An order as these calls tell it."""

    symbol: str
    orderId: str
    price: str
    origQty: str
    executedQty: str
    cummulativeQuoteQty: str
    status: Literal["NEW", "FILLED", "PARTIALLY_FILLED", "CANCELED", "PARTIALLY_CANCELED"]
    type: str
    side: Literal["BUY", "SELL"]
    time: int
    clientOrderId: str | None = None
    updateTime: int | None = None


class MexcOrders(MexcSigned):
    """Signed calls about the orders of spot."""

    async def open_orders(self, symbols: Sequence[Symbol]) -> list[Order]:
        """The open orders of these symbols; the exchange is asked for each."""
        orders: list[Order] = []
        for symbol in symbols:
            items = await self._known(OPEN, {"symbol": to_mexc(symbol)}, list[RestOrder])
            orders += map(_order, items or [])
        return orders

    async def order(self, symbol: Symbol, order_id: str) -> Order | None:
        """An order as it is now, open or over; None when the exchange does not know it any more."""
        item = await self._known(ONE, {"symbol": to_mexc(symbol), "orderId": order_id}, RestOrder)
        return None if item is None else _order(item)

    async def _known(self, path: str, query: Mapping[str, str], kind: Any) -> Any:
        """The answer as `kind`; None where the exchange knows no such order."""
        try:
            return await self._get(path, query, kind)
        except MexcRefusal as refusal:
            if refusal.number == UNKNOWN_ORDER:
                return None
            raise


def _order(item: RestOrder) -> Order:
    try:
        filled, value = read_number(item.executedQty or "0"), read_number(item.cummulativeQuoteQty or "0")
        return Order(
            from_mexc(item.symbol),
            item.orderId,
            item.clientOrderId or None,
            STATUSES[item.status],
            item.side.lower(),
            KINDS.get(item.type, "limit"),
            read_number(item.price or "0"),
            read_number(item.origQty or "0"),
            filled,
            value / filled if filled else 0.0,
            item.updateTime or item.time,
        )
    except (*UNREADABLE, ValueError) as error:
        raise ExchangeRestError(400, f"unreadable order: {error}") from error
