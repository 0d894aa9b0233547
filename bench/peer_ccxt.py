"""ccxt.pro as a peer: entered where its own reader enters it, with the text or bytes of a frame.

It does all it does: decode, dispatch, keep its book, its lists and its tickers. Nobody waits on its futures, which
saves it a task switch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt.pro

from shadow.subjects.probe.doors import first_version

__all__ = ["CcxtPeer"]

SYMBOL = "BTC/USDT"
SPELT = {"gateio": "BTC_USDT", "mexc": "BTCUSDT"}


class CcxtPeer:
    """A ccxt.pro client that is never connected: frames are handed to its reader."""

    KNOWS = frozenset(
        {("gateio", one) for one in ("book", "trade", "book_ticker", "ticker")}
        | {("mexc", one) for one in ("book", "trade", "book_ticker")}
    )
    """Exchange and event type; its MEXC client knows no mini ticker."""

    def __init__(self, exchange: str, event_type: str) -> None:
        self._type = event_type
        self._client = (ccxt.pro.gate if exchange == "gateio" else ccxt.pro.mexc)({})
        self._client.set_markets([self._client.safe_market_structure(_market(SPELT[exchange]))])
        self._socket = self._client.client("ws://127.0.0.1:1/")

    async def close(self) -> None:
        """Give back what the client holds."""
        await self._client.close()

    async def run(self, raw_frames: list[bytes]) -> None:
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
