"""Units of a rollout: what one flip moves from one stack to the other, spelt as a person types them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from shadow.errors import UsageError

__all__ = ["ANY", "EVERYTHING", "NOBODY", "PRIVATE", "PUBLIC_CHANNELS", "Unit", "parse_unit", "representatives"]

ANY: Final = "*"
PRIVATE: Final = "private"
PUBLIC_CHANNELS: Final = ("book", "trade", "book_ticker", "ticker")
NOBODY: Final = "(other)"
"""A part that no unit names: it stands for all that only `*` covers."""

Scope = Literal["all", "public", "private"]
_NAME = re.compile(r"[a-z0-9_]+|\*")
_LAST = re.compile(r"[A-Za-z0-9_-]+|\*")
_WAY_OUT = "write gateio.spot.book.BTC_USDT, gateio.spot.private, or * for any part"


@dataclass(frozen=True, order=True)
class Unit:
    """A unit or a pattern of units. `name` is the symbol of a public unit, the account of a private one."""

    exchange: str = ANY
    market: str = ANY
    scope: Scope = "all"
    channel: str = ANY
    name: str = ANY

    def __str__(self) -> str:
        if self.scope == "public":
            return ".".join((self.exchange, self.market, self.channel, self.name))
        if self.scope == "private":
            return ".".join((self.exchange, self.market, PRIVATE, *(() if self.name == ANY else (self.name,))))
        if self.market != ANY:
            return f"{self.exchange}.{self.market}"
        return self.exchange

    @property
    def is_single(self) -> bool:
        """Whether it names one unit; an account need not be named."""
        named = (self.exchange, self.market, self.channel if self.scope == "public" else "")
        return self.scope != "all" and ANY not in named and (self.scope == "private" or self.name != ANY)

    def covers(self, other: Unit) -> bool:
        """Whether each unit of the other one is one of this."""
        return self.common(other) == other

    def common(self, other: Unit) -> Unit | None:
        """The units of both as a pattern; None where there are none."""
        if self.scope != other.scope and "all" not in (self.scope, other.scope):
            return None
        parts = [
            _narrower(mine, others)
            for mine, others in zip(
                (self.exchange, self.market, self.channel, self.name),
                (other.exchange, other.market, other.channel, other.name),
                strict=True,
            )
        ]
        if None in parts:
            return None
        scope = other.scope if self.scope == "all" else self.scope
        exchange, market, channel, name = (part or ANY for part in parts)
        return Unit(exchange, market, scope, channel, name)

    def context(self) -> dict[str, str]:
        """What the flag is asked with for a single unit: exchange, market, channel, symbol and account."""
        private = self.scope == "private"
        return {
            "exchange": self.exchange,
            "market": self.market,
            "channel": PRIVATE if private else self.channel,
            "symbol": ANY if private else self.name,
            "account": self.name if private else ANY,
        }

    @property
    def targeting_key(self) -> str:
        """What decides on which side of a percentage the unit falls."""
        return str(self)


EVERYTHING: Final = Unit()


def parse_unit(text: str) -> Unit:
    """A unit as typed; `mexc` and `mexc.spot` mean all of it. UsageError says how to write one."""
    parts = text.split(".")
    names, last = (parts[:-1], parts[-1:]) if len(parts) == 4 else (parts, [])
    if not all(_NAME.fullmatch(name) for name in names) or not all(_LAST.fullmatch(name) for name in last):
        raise UsageError(f"{text!r} is no unit; {_WAY_OUT}")
    if len(parts) == 1:
        return Unit(parts[0])
    if len(parts) == 2:
        return Unit(parts[0], parts[1])
    if len(parts) in (3, 4) and parts[2] == PRIVATE:
        return Unit(parts[0], parts[1], "private", ANY, *last)
    if len(parts) == 4 and parts[2] in (ANY, *PUBLIC_CHANNELS):
        return Unit(parts[0], parts[1], "public", parts[2], parts[3])
    raise UsageError(f"{text!r} is no unit; {_WAY_OUT}; channels are {', '.join(PUBLIC_CHANNELS)}")


def representatives(patterns: Iterable[Unit]) -> list[Unit]:
    """Single units such that any two that the patterns tell apart are among them."""
    patterns = list(patterns)
    named: list[list[str]] = []
    for part in ("exchange", "market", "channel", "name"):
        found = {str(getattr(pattern, part)) for pattern in patterns} - {ANY}
        named.append([*sorted(found), NOBODY])
    exchanges, markets, channels, names = named
    public = [Unit(e, m, "public", c, n) for e, m, c, n in product(exchanges, markets, channels, names)]
    private = [Unit(e, m, "private", ANY, n) for e, m, n in product(exchanges, markets, names)]
    return public + private


def _narrower(mine: str, others: str) -> str | None:
    if mine == ANY:
        return others
    return mine if others in (ANY, mine) else None
