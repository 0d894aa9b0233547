"""MEXC's REST side of an account: what it has, for who missed how that changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from exchanges.integrations.mexc.signed_rest import MexcSigned
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from exchanges.structs.events import read_number
from exchanges.structs.symbols import to_mexc
from exchanges.structs.types import Balance, Fill, Symbol

__all__ = ["MexcAccount"]

ACCOUNT, FILLS = "/api/v3/account", "/api/v3/myTrades"
PAGE_FILLS = 100
"""The most that one answer holds."""


class Asset(msgspec.Struct, gc=False):
    """What is there of one asset."""

    asset: str
    free: str
    locked: str


class AccountAnswer(msgspec.Struct, gc=False):
    """An account as this call tells it; its `updateTime` is empty."""

    balances: list[Asset]


class RestFill(msgspec.Struct, gc=False):
    """An own trade; `id` is the `tradeId` of the push."""

    id: str
    orderId: str
    price: str
    qty: str
    time: int
    isBuyer: bool
    isMaker: bool
    commission: str | None = None
    commissionAsset: str | None = None


class MexcAccount(MexcSigned):
    """Signed calls about the account of spot."""

    async def balances(self) -> list[Balance]:
        """Each asset of the account, timed by the second in which the exchange answered: it tells no other time."""
        account, sent_ms = await self._get_dated(ACCOUNT, {}, AccountAnswer)
        try:
            return [
                Balance(one.asset, read_number(one.free or "0"), read_number(one.locked or "0"), sent_ms)
                for one in account.balances
            ]
        except UNREADABLE as error:
            raise ExchangeRestError(400, f"unreadable balance: {error}") from error

    async def fills(self, symbols: Sequence[Symbol], since_ms: int) -> list[Fill]:
        """The fills of these symbols from `since_ms` on; the exchange is asked for each."""
        found: list[Fill] = []
        for symbol in symbols:
            items = await self._between(to_mexc(symbol), since_ms, None)
            found += [_fill(symbol, item) for item in items]
        return found

    async def _between(self, name: str, begin_ms: int, end_ms: int | None) -> list[RestFill]:
        """Both ends included, None for now. There are no pages: where an answer is full, each half is asked for."""
        query = {"symbol": name, "startTime": str(begin_ms), "limit": str(PAGE_FILLS)}
        until = {} if end_ms is None else {"endTime": str(end_ms)}
        items: list[RestFill] = await self._get(FILLS, query | until, list[RestFill])
        if len(items) < PAGE_FILLS:
            return items
        last_ms = max(int(self._now() * 1000), *(item.time for item in items)) if end_ms is None else end_ms
        if begin_ms >= last_ms:
            raise ExchangeRestError(400, f"GET {FILLS}: {PAGE_FILLS} fills of {name} or more in one millisecond")
        middle_ms = (begin_ms + last_ms) // 2
        older = await self._between(name, begin_ms, middle_ms)
        return older + await self._between(name, middle_ms + 1, end_ms)


def _fill(symbol: Symbol, item: RestFill) -> Fill:
    try:
        return Fill(
            symbol,
            item.id,
            item.orderId,
            "buy" if item.isBuyer else "sell",
            read_number(item.price),
            read_number(item.qty),
            read_number(item.commission) if item.commission else None,
            item.commissionAsset or None,
            "maker" if item.isMaker else "taker",
            item.time,
        )
    except UNREADABLE as error:
        raise ExchangeRestError(400, f"unreadable fill: {error}") from error
