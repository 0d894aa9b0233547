"""Spellings of a symbol: Gate.io `BTC_USDT`, MEXC `BTCUSDT`."""

from __future__ import annotations

from functools import lru_cache

from exchanges.structs.types import Symbol

__all__ = ["from_gateio", "from_mexc", "to_gateio", "to_mexc"]

# MEXC names carry no separator, so the quote is told by its ending; longest first.
_MEXC_QUOTES = ("USDT", "USDC", "USDE", "USD1", "TUSD", "EUR", "BTC", "ETH", "USD")


def to_gateio(symbol: Symbol) -> str:
    """`BTC_USDT`, for spot pairs and contracts alike."""
    return f"{symbol.base}_{symbol.quote}"


def to_mexc(symbol: Symbol) -> str:
    """`BTCUSDT`."""
    return f"{symbol.base}{symbol.quote}"


@lru_cache(maxsize=4096)
def from_gateio(name: str, is_futures: bool = False) -> Symbol:
    """Read `BASE_QUOTE`; a name without a separator raises ValueError."""
    base, separator, quote = name.partition("_")
    if not separator or not base or not quote:
        raise ValueError(f"not a Gate.io symbol: {name!r} (expected BASE_QUOTE)")
    return Symbol(base, quote, is_futures)


@lru_cache(maxsize=4096)
def from_mexc(name: str) -> Symbol:
    """Read `BASEQUOTE` by the known quote assets; an unknown quote raises ValueError."""
    for quote in _MEXC_QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return Symbol(name[: -len(quote)], quote)
    raise ValueError(f"not a MEXC symbol: {name!r} (unknown quote asset)")
