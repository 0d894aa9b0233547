"""Gate.io's REST side of an account: what it has, for who missed how that changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from exchanges.integrations.gateio.private_events import (
    futures_balance,
    futures_fill,
    futures_position,
    spot_balance,
    spot_fill,
)
from exchanges.integrations.gateio.private_frames import (
    FuturesBalance,
    FuturesFill,
    FuturesPosition,
    Number,
    SpotBalance,
    SpotFill,
)
from exchanges.integrations.gateio.signed_rest import GateioSigned, every_page, reading
from exchanges.structs.types import Balance, Fill, Position, Symbol

__all__ = ["GateioAccount", "GateioFuturesAccount"]

PAGE_ITEMS = 100
"""The most that is asked for at once; every list gives so many."""


class SpotAsset(msgspec.Struct, gc=False):
    """What is there of one asset."""

    currency: str
    available: Number
    locked: Number | None = None


class FuturesWallet(msgspec.Struct, gc=False):
    """What is there of the asset that contracts are settled in; `total` is what pushes call `balance`."""

    currency: str
    total: Number


class RestPosition(msgspec.Struct, gc=False):
    """A position; it tells the second of its last change, where a push tells the millisecond."""

    contract: str
    size: Number
    mode: Literal["single", "dual_long", "dual_short"]
    update_time: int
    entry_price: Number | None = None
    leverage: Number | None = None
    margin: Number | None = None
    realised_pnl: Number | None = None


class RestFuturesFill(msgspec.Struct, gc=False):
    """An own trade; other than on the socket its time is in seconds with a fraction."""

    trade_id: str | int
    order_id: str | int
    contract: str
    size: Number
    price: Number
    role: Literal["maker", "taker"]
    create_time: Number
    fee: Number | None = None


class FillPages(GateioSigned, ABC):
    """Own trades, of every symbol and in pages."""

    FILLS: str

    async def fills(self, symbols: Sequence[Symbol], since_ms: int) -> list[Fill]:
        """The fills of the whole account from the second of `since_ms` on; `symbols` are those it is about at least."""
        since = {"from": str(since_ms // 1000), "limit": str(PAGE_ITEMS)}
        return await every_page(
            self.FILLS,
            PAGE_ITEMS,
            lambda page: self._fills({**since, **self._place(page)}),
            lambda one: (one.symbol, one.id),
        )

    @abstractmethod
    async def _fills(self, query: Mapping[str, str]) -> list[Fill]:
        """A page."""

    @abstractmethod
    def _place(self, page: int) -> dict[str, str]:
        """How a page is asked for; they are counted from 0 on."""


class GateioAccount(FillPages):
    """Signed calls about the account of spot."""

    FILLS = "/spot/my_trades"

    async def balances(self) -> list[Balance]:
        """Each asset of the account, timed by the second in which the exchange answered: it tells no other time."""
        assets, sent_ms = await self._get_dated("/spot/accounts", {}, list[SpotAsset])
        with reading("balance"):
            return [spot_balance(SpotBalance(one.currency, one.available, sent_ms, one.locked)) for one in assets]

    async def _fills(self, query: Mapping[str, str]) -> list[Fill]:
        items = await self._get(self.FILLS, query, list[SpotFill])
        with reading("fill"):
            return [spot_fill(item) for item in items]

    def _place(self, page: int) -> dict[str, str]:
        return {"page": str(page + 1)}


class GateioFuturesAccount(FillPages):
    """Signed calls about the account of the futures settled in USDT."""

    FILLS = "/futures/usdt/my_trades_timerange"
    POSITIONS = "/futures/usdt/positions"

    async def balances(self) -> list[Balance]:
        """The balance without what open positions have won or lost, timed as on spot; what is locked is not told."""
        wallet, sent_ms = await self._get_dated("/futures/usdt/accounts", {}, FuturesWallet)
        with reading("balance"):
            return [futures_balance(FuturesBalance(wallet.currency, wallet.total, sent_ms))]

    async def positions(self) -> list[Position]:
        """Each position that the account ever had, timed by the second of its last change."""
        return await every_page(self.POSITIONS, PAGE_ITEMS, self._positions, lambda one: (one.symbol, one.mode))

    async def _positions(self, page: int) -> list[Position]:
        query = {"limit": str(PAGE_ITEMS), **self._place(page)}
        items = await self._get(self.POSITIONS, query, list[RestPosition])
        with reading("position"):
            return [futures_position(_pushed(item)) for item in items]

    async def _fills(self, query: Mapping[str, str]) -> list[Fill]:
        items = await self._get(self.FILLS, query, list[RestFuturesFill])
        with reading("fill"):
            return [futures_fill(_pushed_fill(item)) for item in items]

    def _place(self, page: int) -> dict[str, str]:
        return {"offset": str(page * PAGE_ITEMS)}


def _pushed(item: RestPosition) -> FuturesPosition:
    """As a push would tell it."""
    return FuturesPosition(
        contract=item.contract,
        size=item.size,
        mode=item.mode,
        time_ms=item.update_time * 1000,
        entry_price=item.entry_price,
        leverage=item.leverage,
        margin=item.margin,
        realised_pnl=item.realised_pnl,
    )


def _pushed_fill(item: RestFuturesFill) -> FuturesFill:
    """As a push would tell it."""
    return FuturesFill(
        id=item.trade_id,
        order_id=item.order_id,
        contract=item.contract,
        size=item.size,
        price=item.price,
        role=item.role,
        create_time_ms=int(Decimal(str(item.create_time)) * 1000),
        fee=item.fee,
    )
