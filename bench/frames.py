"""Wire frames to measure with, from the venue's own market and encoders."""

from __future__ import annotations

from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS

__all__ = ["CONNECTIONS", "SYMBOL", "TYPES", "frames"]

CONNECTIONS = {"gateio": "gateio.spot.public", "mexc": "mexc.spot.public"}
TYPES = ("book", "trade", "book_ticker", "ticker")
SYMBOL = "BTC_USDT"
START_MS = 1_790_000_000_000
EVERY_MS = 20


def frames(exchange: str, event_type: str, count: int, seed: int = 1) -> list[bytes]:
    """`count` consecutive frames of one type, as the exchange would write them."""
    market = market_for(exchange, "spot", [SYMBOL], seed, START_MS)
    persona = PERSONAS[CONNECTIONS[exchange]](market)
    key = persona.default_variant(event_type, SYMBOL)
    made: list[bytes] = []
    while len(made) < count:
        push = persona.encode(market.step(event_type, SYMBOL, START_MS + EVERY_MS * len(made)), key)
        if push is not None:
            made.append(push.payload)
    return made
