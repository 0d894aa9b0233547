"""What MEXC is asked for on connect and after."""

from __future__ import annotations

from typing import Any

from exchanges.structs import (
    PublicWebsocketChannelType,
    ReconnectionPolicy,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from legacy.mexc.strategies.spot_public.connection import MexcSpotPublicConnection
from legacy.mexc.strategies.spot_public.subscription import MexcSpotPublicSubscription

SYMBOLS = [Symbol("BTC", "USDT"), Symbol("ETH", "USDT")]
HANDSHAKE = {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"}


async def test_the_handshake_carries_nothing_extra(exchange: Any) -> None:
    strategy = MexcSpotPublicConnection(WebSocketConfig(exchange.url))
    client = await strategy.connect()
    served = await exchange.connected()
    assert {name.lower() for name in served.request.headers} == HANDSHAKE
    assert client.ping_interval == 30.0
    await strategy.handle_heartbeat()
    await strategy.disconnect()
    assert exchange.requests == [[]]


def test_policy() -> None:
    strategy = MexcSpotPublicConnection(WebSocketConfig("ws://127.0.0.1"))
    assert strategy.get_reconnection_policy() == ReconnectionPolicy(10, 1.0, 2.0, 60.0, True)


async def test_subscription_frames() -> None:
    create = MexcSpotPublicSubscription().create_subscription_messages
    (message,) = await create(SubscriptionAction.SUBSCRIBE, SYMBOLS[:1])
    assert message == {
        "method": "SUBSCRIPTION",
        "params": [
            "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT",
            "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT",
            "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT",
            "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8",
        ],
    }


async def test_unsubscription_of_given_channels_only() -> None:
    create = MexcSpotPublicSubscription().create_subscription_messages
    (message,) = await create(SubscriptionAction.UNSUBSCRIBE, SYMBOLS, [PublicWebsocketChannelType.TICKER])
    assert message["method"] == "UNSUBSCRIPTION"
    assert message["params"] == [
        "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8",
        "spot@public.miniTicker.v3.api.pb@ETHUSDT@UTC+8",
    ]
    assert await create(SubscriptionAction.SUBSCRIBE, []) == []
