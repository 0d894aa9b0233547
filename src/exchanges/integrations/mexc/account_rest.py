"""MEXC's REST side of an account: what it has, for who missed how that changed."""

from __future__ import annotations

import msgspec

from exchanges.integrations.mexc.signed_rest import MexcSigned
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from exchanges.structs.events import read_number
from exchanges.structs.types import Balance

__all__ = ["MexcAccount"]

ACCOUNT = "/api/v3/account"


class Asset(msgspec.Struct, gc=False):
    """What is there of one asset."""

    asset: str
    free: str
    locked: str


class AccountAnswer(msgspec.Struct, gc=False):
    """An account as this call tells it; its `updateTime` is empty."""

    balances: list[Asset]


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
