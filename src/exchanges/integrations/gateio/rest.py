"""Gate.io's REST side: order books to build local books from."""

from __future__ import annotations

from exchanges.integrations.gateio.endpoints import BOOK_DEPTH
from exchanges.integrations.gateio.frames import decode_snapshot
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.rest_client import RestClient

__all__ = ["GateioRest"]


class GateioRest:
    """Public REST calls; `base_url` ends in `/api/v4`."""

    def __init__(self, base_url: str) -> None:
        self._client = RestClient(base_url)

    async def fetch_book(self, name: str) -> BookSnapshot:
        """The book of a spot pair as deep as the difference stream; ExchangeRestError when it cannot be had."""
        body = await self._client.get(
            "/spot/order_book", {"currency_pair": name, "limit": str(BOOK_DEPTH), "with_id": "true"}
        )
        try:
            book = decode_snapshot(body)
        except UNREADABLE as error:
            raise ExchangeRestError(400, f"unreadable order book of {name}: {error}") from error
        return BookSnapshot(version=book.id, bids=book.bids, asks=book.asks, timestamp=book.update)

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._client.close()
