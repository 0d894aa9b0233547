"""A unit of the rollout, and how it is named to the flag."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["PRIVATE", "Unit", "account_name"]

PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Unit:
    """What moves as one: a channel and symbol, or with channel `private` an account with all its channels."""

    exchange: str
    market: str
    channel: str = "*"
    symbol: str = "*"
    account: str = "*"

    def __str__(self) -> str:
        """As the command line spells it."""
        if self.channel == PRIVATE:
            return f"{self.exchange}.{self.market}.{PRIVATE}"
        return f"{self.exchange}.{self.market}.{self.channel}.{self.symbol}"

    @property
    def connection(self) -> str:
        """The connection that it is part of."""
        return f"{self.exchange}.{self.market}.{PRIVATE if self.channel == PRIVATE else 'public'}"

    @property
    def targeting_key(self) -> str:
        """What percentages go by."""
        if self.channel == PRIVATE and self.account != "*":
            return f"{self}.{self.account}"
        return str(self)


def account_name(api_key: str) -> str:
    """A stable name for an account that does not give its key away: 12 hexadecimal digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:12]
