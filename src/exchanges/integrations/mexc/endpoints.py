"""MEXC's addresses and channel strings."""

from __future__ import annotations

from exchanges.structs.types import PrivateWebsocketChannelType, PublicWebsocketChannelType

__all__ = ["BOOK_DEPTH", "PRIVATE_CHANNELS", "REST_URL", "SPOT_CHANNELS", "SPOT_URL"]

SPOT_URL = "wss://wbs-api.mexc.com/ws"
REST_URL = "https://api.mexc.com"
BOOK_DEPTH = 1000

SPOT_CHANNELS: dict[PublicWebsocketChannelType, str] = {
    PublicWebsocketChannelType.ORDERBOOK: "spot@public.aggre.depth.v3.api.pb@100ms@{}",
    PublicWebsocketChannelType.TRADES: "spot@public.aggre.deals.v3.api.pb@100ms@{}",
    PublicWebsocketChannelType.BOOK_TICKER: "spot@public.aggre.bookTicker.v3.api.pb@100ms@{}",
    PublicWebsocketChannelType.TICKER: "spot@public.miniTicker.v3.api.pb@{}@UTC+8",
}

PRIVATE_CHANNELS: dict[PrivateWebsocketChannelType, str] = {
    PrivateWebsocketChannelType.ORDER: "spot@private.orders.v3.api.pb",
    PrivateWebsocketChannelType.TRADE: "spot@private.deals.v3.api.pb",
    PrivateWebsocketChannelType.BALANCE: "spot@private.account.v3.api.pb",
}
