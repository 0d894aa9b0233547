"""Wire frames to measure with, from the venue's own market, account and encoders."""

from __future__ import annotations

from itertools import count, cycle

from shadow.plan import MIX
from shadow.venue.account import Account
from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS, PRIVATE

__all__ = ["CONNECTIONS", "SYMBOL", "TYPES", "account_frames", "frames", "mixed_frames"]

CONNECTIONS = {"gateio": "gateio.spot.public", "mexc": "mexc.spot.public"}
TYPES = ("book", "trade", "book_ticker", "ticker")
SYMBOL = "BTC_USDT"
START_MS = 1_790_000_000_000
EVERY_MS = 20
TURNS = 20
"""So many frames hold the declared mix exactly."""


def frames(exchange: str, event_type: str, count: int, seed: int = 1) -> list[bytes]:
    """`count` consecutive frames of one type, as the exchange would write them."""
    return _frames(exchange, (event_type,), count, seed)


def mixed_frames(exchange: str, count: int, seed: int = 1) -> list[bytes]:
    """`count` frames of all types in the mix of a session, spread evenly."""
    due = sorted(
        ((n + 0.5) / (share * TURNS), kind) for kind, share in MIX.items() for n in range(round(share * TURNS))
    )
    return _frames(exchange, tuple(kind for _, kind in due), count, seed)


def _frames(exchange: str, types: tuple[str, ...], wanted: int, seed: int) -> list[bytes]:
    market = market_for(exchange, "spot", [SYMBOL], seed, START_MS)
    persona = PERSONAS[CONNECTIONS[exchange]](market)
    keys = {kind: persona.default_variant(kind, SYMBOL) for kind in types}
    made: list[bytes] = []
    for kind, at_ms in zip(cycle(types), count(START_MS, EVERY_MS), strict=False):
        if len(made) == wanted:
            break
        push = persona.encode(market.step(kind, SYMBOL, at_ms), keys[kind])
        if push is not None:
            made.append(push.payload)
    return made


def account_frames(event_type: str, wanted: int, seed: int = 1) -> list[bytes]:
    """`wanted` frames of one private type (order, balance, position, fill) of a Gate.io futures account."""
    market = market_for("gateio", "futures", [SYMBOL], seed, START_MS)
    account = Account(market, "futures", [SYMBOL], seed, START_MS)
    persona = PRIVATE["gateio.futures.private"](market)
    key = persona.default_variant(event_type, SYMBOL)
    made: list[bytes] = []
    for at_ms in count(START_MS, EVERY_MS):
        pushes = [persona.encode(event, key) for event in account.step(SYMBOL, at_ms)]
        made += [push.payload for push in pushes if push is not None]
        if len(made) >= wanted:
            break
    return made[:wanted]
