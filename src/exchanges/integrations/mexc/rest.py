"""MEXC's REST side: order books to build local books from."""

from __future__ import annotations

from exchanges.integrations.mexc.endpoints import BOOK_DEPTH
from exchanges.integrations.mexc.frames import decode_snapshot
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.rest_client import RestClient

__all__ = ["MexcRest"]


class MexcRest:
    """Public REST calls below `base_url`, which holds no path."""

    def __init__(self, base_url: str) -> None:
        self._client = RestClient(base_url)

    async def fetch_book(self, name: str) -> BookSnapshot:
        """The book of a spot pair; ExchangeRestError when it cannot be had."""
        body = await self._client.get("/api/v3/depth", {"symbol": name, "limit": str(BOOK_DEPTH)})
        try:
            book = decode_snapshot(body)
        except UNREADABLE as error:
            raise ExchangeRestError(400, f"unreadable order book of {name}: {error}") from error
        return BookSnapshot(version=book.lastUpdateId, bids=book.bids, asks=book.asks, timestamp=book.timestamp)

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._client.close()
