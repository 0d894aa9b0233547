"""Gate.io's REST side: order books to build local books from."""

from __future__ import annotations

from exchanges.integrations.gateio import frames, futures_frames
from exchanges.integrations.gateio.endpoints import BOOK_DEPTH
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.rest_client import RestClient

__all__ = ["GateioFuturesRest", "GateioRest"]


class GateioRest:
    """Public REST calls of spot; `base_url` ends in `/api/v4`."""

    def __init__(self, base_url: str) -> None:
        self._client = RestClient(base_url)

    async def fetch_book(self, name: str) -> BookSnapshot:
        """The book of a spot pair as deep as the difference stream; ExchangeRestError when it cannot be had."""
        body = await self._fetch("/spot/order_book", "currency_pair", name)
        try:
            book = frames.decode_snapshot(body)
        except UNREADABLE as error:
            raise ExchangeRestError(400, f"unreadable order book of {name}: {error}") from error
        return BookSnapshot(version=book.id, bids=book.bids, asks=book.asks, timestamp=book.update)

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._client.close()

    async def _fetch(self, path: str, key: str, name: str) -> bytes:
        return await self._client.get(path, {key: name, "limit": str(BOOK_DEPTH), "with_id": "true"})


class GateioFuturesRest(GateioRest):
    """Public REST calls of the futures settled in USDT."""

    async def fetch_book(self, name: str) -> BookSnapshot:
        """The book of a contract as deep as the difference stream; ExchangeRestError when it cannot be had."""
        body = await self._fetch("/futures/usdt/order_book", "contract", name)
        try:
            book = futures_frames.decode_snapshot(body)
        except UNREADABLE as error:
            raise ExchangeRestError(400, f"unreadable order book of {name}: {error}") from error
        bids, asks = book.levels()
        return BookSnapshot(version=book.id, bids=bids, asks=asks, timestamp=round(book.update * 1000))
