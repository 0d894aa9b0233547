"""Gate.io's REST side of an account: what it has, for who missed how that changed."""

from __future__ import annotations

from typing import Literal

import msgspec

from exchanges.integrations.gateio.private_events import futures_balance, futures_position, spot_balance
from exchanges.integrations.gateio.private_frames import FuturesBalance, FuturesPosition, Number, SpotBalance
from exchanges.integrations.gateio.signed_rest import GateioSigned, every_page, reading
from exchanges.structs.types import Balance, Position

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


class GateioAccount(GateioSigned):
    """Signed calls about the account of spot."""

    async def balances(self) -> list[Balance]:
        """Each asset of the account, timed by the second in which the exchange answered: it tells no other time."""
        assets, sent_ms = await self._get_dated("/spot/accounts", {}, list[SpotAsset])
        with reading("balance"):
            return [spot_balance(SpotBalance(one.currency, one.available, sent_ms, one.locked)) for one in assets]


class GateioFuturesAccount(GateioSigned):
    """Signed calls about the account of the futures settled in USDT."""

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
        query = {"limit": str(PAGE_ITEMS), "offset": str(page * PAGE_ITEMS)}
        items = await self._get(self.POSITIONS, query, list[RestPosition])
        with reading("position"):
            return [futures_position(_pushed(item)) for item in items]


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
