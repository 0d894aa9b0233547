"""MEXC's REST side of an account: which orders are open, and what became of one, for who missed it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from exchanges.integrations.mexc.listen_keys import sign
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from exchanges.structs.events import read_number
from exchanges.structs.symbols import from_mexc, to_mexc
from exchanges.structs.types import ExchangeCredentials, Order, Symbol
from infrastructure.networking.websocket.rest_client import RestClient

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


class Refusal(msgspec.Struct, gc=False):
    """What a call that failed is answered."""

    code: int = 0
    msg: str = ""


class MexcOrders:
    """Signed calls below `base_url`, which holds no path; `now` gives seconds since the epoch.

    Each raises ExchangeRestError: the HTTP status of a refusal, 503 without an answer, 400 for one of another kind.
    """

    def __init__(self, base_url: str, credentials: ExchangeCredentials, now: Callable[[], float] = time.time) -> None:
        self._client = RestClient(base_url)
        self._credentials = credentials
        self._now = now

    async def open_orders(self, symbols: Sequence[Symbol]) -> list[Order]:
        """The open orders of these symbols; the exchange is asked for each."""
        orders: list[Order] = []
        for symbol in symbols:
            body = await self._get(OPEN, {"symbol": to_mexc(symbol)})
            orders += [_order(item) for item in _decode(body, list[RestOrder])] if body is not None else []
        return orders

    async def order(self, symbol: Symbol, order_id: str) -> Order | None:
        """An order as it is now, open or over; None when the exchange does not know it any more."""
        body = await self._get(ONE, {"symbol": to_mexc(symbol), "orderId": order_id})
        return None if body is None else _order(_decode(body, RestOrder))

    async def close(self) -> None:
        """Hang up on calls under way."""
        await self._client.close()

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """The body; None where the exchange knows no such order."""
        signed = {**query, "timestamp": str(int(self._now() * 1000))}
        signed["signature"] = sign(self._credentials.secret_key, urlencode(signed))
        status, body = await self._client.send("GET", path, signed, {"X-MEXC-APIKEY": self._credentials.api_key})
        if status < 300:
            return body
        refusal = _decode(body, Refusal)
        if refusal.code == UNKNOWN_ORDER:
            return None
        raise ExchangeRestError(status, f"GET {path}: {refusal.code} {self._credentials.conceal(refusal.msg)[:200]}")


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise ExchangeRestError(400, f"unreadable answer about orders: {error}") from error


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
