"""The connections, channels and symbols that there are: each wrong name is one line with the way out."""

from __future__ import annotations

import re

from shadow.errors import UsageError
from shadow.network.credentials import read_credentials
from shadow.upstream import read_upstream

__all__ = [
    "CHANNELS",
    "CONNECTIONS",
    "DEFAULT_SYMBOLS",
    "LIVE_CONNECTIONS",
    "SCOPES",
    "all_channels",
    "channels_of",
    "check_connections",
    "check_live",
    "check_symbols",
]

CONNECTIONS = (
    "gateio.spot.public",
    "gateio.spot.private",
    "gateio.futures.public",
    "gateio.futures.private",
    "mexc.spot.public",
    "mexc.spot.private",
)
SCOPES = {"public": ("book", "trade", "book_ticker", "ticker"), "private": ("order", "fill", "balance", "position")}
CHANNELS = SCOPES["public"] + SCOPES["private"]
DEFAULT_SYMBOLS = ("BTC_USDT", "ETH_USDT")
LIVE_CONNECTIONS = tuple(name for name in CONNECTIONS if name.endswith(".public"))
MADE_FAULTS = ("burst", "burst-close", "fill-first", "stale-rest")
"""Faults for which the venue makes frames or books of its own."""


def check_connections(connections: tuple[str, ...]) -> None:
    """UsageError for a connection that is unknown, or named twice."""
    if len(set(connections)) < len(connections):
        raise UsageError(f"--connections {','.join(connections)}: name each once")
    for connection in connections:
        if connection not in CONNECTIONS:
            raise UsageError(f"unknown connection {connection!r}; built are {', '.join(CONNECTIONS)}")


def channels_of(connection: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The channels asked for that a connection has: those of its scope, positions on futures only."""
    _, market, scope = connection.split(".")
    return tuple(name for name in SCOPES[scope] if name in asked and (name != "position" or market == "futures"))


def check_symbols(symbols: tuple[str, ...]) -> None:
    """UsageError for a symbol that the synthetic market does not have."""
    from shadow.venue.symbol_market import KNOWN_SYMBOLS

    for symbol in symbols:
        if symbol not in KNOWN_SYMBOLS:
            raise UsageError(f"unknown symbol {symbol!r}; the synthetic market has {', '.join(KNOWN_SYMBOLS)}")


def check_live(connections: tuple[str, ...], symbols: tuple[str, ...], faults: tuple[str, ...] = ()) -> None:
    """UsageError for what the live feed does not have."""
    read_credentials(read_upstream(), connections)
    for symbol in symbols:
        if not re.fullmatch(r"[^_\W]+_[^_\W]+", symbol):
            raise UsageError(f"symbol {symbol!r} is not spelt like BTC_USDT")
    for fault in faults:
        if fault.partition("@")[0] in MADE_FAULTS:
            raise UsageError(f"--fault {fault} does not go with --feed live: it takes the synthetic market")


def all_channels(connection: str) -> str:
    """The channels that a connection has, as they are told."""
    return ", ".join(channels_of(connection, CHANNELS))
