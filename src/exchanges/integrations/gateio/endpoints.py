"""Gate.io's addresses and channel names."""

from __future__ import annotations

from exchanges.structs.types import PrivateWebsocketChannelType, PublicWebsocketChannelType

__all__ = [
    "BOOK_DEPTH",
    "FUTURES_BOOK_OPTIONS",
    "FUTURES_CHANNELS",
    "FUTURES_PRIVATE_CHANNELS",
    "FUTURES_URL",
    "REST_URL",
    "SPOT_BOOK_OPTIONS",
    "SPOT_CHANNELS",
    "SPOT_PRIVATE_CHANNELS",
    "SPOT_URL",
]

SPOT_URL = "wss://api.gateio.ws/ws/v4/"
FUTURES_URL = "wss://fx-ws.gateio.ws/v4/ws/usdt"
REST_URL = "https://api.gateio.ws/api/v4"
# Depth of the difference streams at 100ms; the snapshot has to have the same.
BOOK_DEPTH = 100

SPOT_CHANNELS: dict[PublicWebsocketChannelType, str] = {
    PublicWebsocketChannelType.ORDERBOOK: "spot.order_book_update",
    PublicWebsocketChannelType.TRADES: "spot.trades",
    PublicWebsocketChannelType.BOOK_TICKER: "spot.book_ticker",
    PublicWebsocketChannelType.TICKER: "spot.tickers",
}
SPOT_BOOK_OPTIONS = ("100ms",)
FUTURES_CHANNELS: dict[PublicWebsocketChannelType, str] = {
    PublicWebsocketChannelType.ORDERBOOK: "futures.order_book_update",
    PublicWebsocketChannelType.TRADES: "futures.trades",
    PublicWebsocketChannelType.BOOK_TICKER: "futures.book_ticker",
    PublicWebsocketChannelType.TICKER: "futures.tickers",
}
FUTURES_BOOK_OPTIONS = ("100ms", str(BOOK_DEPTH))

SPOT_PRIVATE_CHANNELS: dict[PrivateWebsocketChannelType, str] = {
    PrivateWebsocketChannelType.ORDER: "spot.orders",
    PrivateWebsocketChannelType.TRADE: "spot.usertrades",
    PrivateWebsocketChannelType.BALANCE: "spot.balances",
}
FUTURES_PRIVATE_CHANNELS: dict[PrivateWebsocketChannelType, str] = {
    PrivateWebsocketChannelType.ORDER: "futures.orders",
    PrivateWebsocketChannelType.TRADE: "futures.usertrades",
    PrivateWebsocketChannelType.BALANCE: "futures.balances",
    PrivateWebsocketChannelType.POSITION: "futures.positions",
}
