"""Gate.io's REST side of an account: what it has, for who missed how that changed."""

from __future__ import annotations

import msgspec

from exchanges.integrations.gateio.private_events import futures_balance, spot_balance
from exchanges.integrations.gateio.private_frames import FuturesBalance, Number, SpotBalance
from exchanges.integrations.gateio.signed_rest import GateioSigned, reading
from exchanges.structs.types import Balance

__all__ = ["GateioAccount", "GateioFuturesAccount"]


class SpotAsset(msgspec.Struct, gc=False):
    """What is there of one asset."""

    currency: str
    available: Number
    locked: Number | None = None


class FuturesWallet(msgspec.Struct, gc=False):
    """What is there of the asset that contracts are settled in; `total` is what pushes call `balance`."""

    currency: str
    total: Number


class GateioAccount(GateioSigned):
    """Signed calls about the account of spot."""

    async def balances(self) -> list[Balance]:
        """Each asset of the account, timed by the second in which the exchange answered: it tells no other time."""
        assets, sent_ms = await self._get_dated("/spot/accounts", {}, list[SpotAsset])
        with reading("balance"):
            return [spot_balance(SpotBalance(one.currency, one.available, sent_ms, one.locked)) for one in assets]


class GateioFuturesAccount(GateioSigned):
    """Signed calls about the account of the futures settled in USDT."""

    async def balances(self) -> list[Balance]:
        """The balance without what open positions have won or lost, timed as on spot; what is locked is not told."""
        wallet, sent_ms = await self._get_dated("/futures/usdt/accounts", {}, FuturesWallet)
        with reading("balance"):
            return [futures_balance(FuturesBalance(wallet.currency, wallet.total, sent_ms))]
