"""`python -m bench.peers`: frame to callback beside what other clients take for the same frames.

ccxt.pro is entered where its own reader enters it, with the text or bytes of a frame, and does all it does: decode,
dispatch, keep its book, its lists and its tickers. Nobody waits on its futures, which saves it a task switch. Each
round ends with a look at what it holds, so that a peer that skipped its work does not look fast.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

import ccxt.pro

from bench.contenders import Contenders
from bench.measure import Runner, rounds
from shadow.subjects.probe.doors import first_version
from shadow.subjects.probe.frames import TYPES, frames

__all__ = ["Peer", "main"]

FRAMES = 1024
SYMBOL = "BTC/USDT"
SPELT = {"gateio": "BTC_USDT", "mexc": "BTCUSDT"}
# At most this share of the peer's time; the MEXC client knows no mini ticker.
GATES = {"book": 0.25, "trade": 0.1, "book_ticker": 0.1, "ticker": 0.1}
UNKNOWN = {("mexc", "ticker")}


class Peer:
    """A ccxt.pro client that is never connected: frames are handed to its reader."""

    def __init__(self, exchange: str, event_type: str) -> None:
        self._type = event_type
        self._client = (ccxt.pro.gate if exchange == "gateio" else ccxt.pro.mexc)({})
        self._client.set_markets([self._client.safe_market_structure(_market(SPELT[exchange]))])
        self._socket = self._client.client("ws://127.0.0.1:1/")

    async def close(self) -> None:
        """Give back what the client holds."""
        await self._client.close()

    def run(self, raw_frames: list[bytes]) -> None:
        """Take every frame; raises RuntimeError when the client does not hold what was in them."""
        version = first_version(raw_frames[0])
        if version is not None:
            book = self._client.order_book({"symbol": SYMBOL})
            book["nonce"] = version - 1
            self._client.orderbooks[SYMBOL] = book
        take = self._socket.handle_text_or_binary_message
        for raw in raw_frames:
            take(raw)
        if not self._held():
            raise RuntimeError(f"ccxt.pro did not take the {self._type} frames")

    def _held(self) -> bool:
        client = self._client
        holders: dict[str, Callable[[], Any]] = {
            "book": lambda: client.orderbooks[SYMBOL]["bids"],
            "trade": lambda: client.trades[SYMBOL],
            "book_ticker": lambda: (client.bidsasks.get(SYMBOL) or client.tickers[SYMBOL])["bid"],
            "ticker": lambda: client.tickers[SYMBOL]["last"],
        }
        return bool(holders[self._type]())


def _market(spelt: str) -> dict[str, Any]:
    names = {"id": spelt, "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT"}
    return {**names, "type": "spot", "spot": True, "active": True, "precision": {"amount": 1e-6, "price": 1e-2}}


async def measure(exchange: str, event_type: str, repetitions: int) -> tuple[float, float, float]:
    """Microseconds a frame of ccxt.pro and of the new stack, and the median of the rounds' ratios."""
    contenders, peer = Contenders(exchange, event_type), Peer(exchange, event_type)
    runners: dict[str, Runner] = {"new": contenders.all()["new"], "ccxt": peer.run}
    try:
        figures = await rounds(runners, frames(exchange, event_type, FRAMES), repetitions)
    finally:
        await contenders.close()
        await peer.close()
    return figures.median_ns("ccxt") / 1000, figures.median_ns("new") / 1000, figures.ratio("new", "ccxt")


async def measure_all(repetitions: int) -> list[str]:
    """A line for each exchange and type that the peer knows."""
    lines = [f"{'exchange':>8}  {'type':>11}  {'ccxt us':>8}  {'new us':>7}  {'new/ccxt':>8}  {'goal':>5}  met"]
    for exchange in ("gateio", "mexc"):
        for event_type in TYPES:
            if (exchange, event_type) in UNKNOWN:
                continue
            peer, new, ratio = await measure(exchange, event_type, repetitions)
            goal = GATES[event_type]
            lines.append(
                f"{exchange:>8}  {event_type:>11}  {peer:8.1f}  {new:7.2f}  {ratio:8.3f}  {goal:5.2f}  {ratio <= goal}"
            )
    return lines


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    sys.stdout.write("\n".join(asyncio.run(measure_all(options.repetitions))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
