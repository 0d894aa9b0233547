"""Gate.io's addresses and channel names."""

from __future__ import annotations

from exchanges.structs.types import PublicWebsocketChannelType

__all__ = ["BOOK_DEPTH", "CHANNEL_TYPES", "REST_URL", "SPOT_CHANNELS", "SPOT_URL", "UPDATE_SPEED"]

SPOT_URL = "wss://api.gateio.ws/ws/v4/"
REST_URL = "https://api.gateio.ws/api/v4"
UPDATE_SPEED = "100ms"
# Depth of the difference stream at 100ms; the snapshot has to have the same.
BOOK_DEPTH = 100

SPOT_CHANNELS: dict[PublicWebsocketChannelType, str] = {
    PublicWebsocketChannelType.ORDERBOOK: "spot.order_book_update",
    PublicWebsocketChannelType.TRADES: "spot.trades",
    PublicWebsocketChannelType.BOOK_TICKER: "spot.book_ticker",
    PublicWebsocketChannelType.TICKER: "spot.tickers",
}
CHANNEL_TYPES: dict[str, PublicWebsocketChannelType] = {name: kind for kind, name in SPOT_CHANNELS.items()}
