"""What Gate.io is asked for on connect and after."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges.structs import (
    AuthenticationError,
    PrivateWebsocketChannelType,
    PublicWebsocketChannelType,
    ReconnectionPolicy,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from legacy.gateio.strategies.spot_public.connection import GateioSpotPublicConnection
from legacy.gateio.strategies.spot_public.subscription import GateioSpotPublicSubscription

SYMBOLS = [Symbol("BTC", "USDT"), Symbol("ETH", "USDT")]


@pytest.mark.parametrize("compression", [True, False])
async def test_deflate_is_asked_for_and_no_protocol_ping(exchange: Any, compression: bool) -> None:
    strategy = GateioSpotPublicConnection(WebSocketConfig(exchange.url, enable_compression=compression))
    client = await strategy.connect()
    served = await exchange.connected()
    asked = served.request.headers.get("Sec-WebSocket-Extensions", "")
    assert ("permessage-deflate" in asked) is compression
    assert client.ping_interval is None
    await strategy.disconnect()


def test_policy_and_errors() -> None:
    strategy = GateioSpotPublicConnection(WebSocketConfig("ws://127.0.0.1"))
    assert strategy.get_reconnection_policy() == ReconnectionPolicy(15, 2.0, 1.5, 30.0, False)
    named = {exc: strategy.classify_error(exc) for exc in (ConnectionRefusedError(), TimeoutError(), KeyError())}
    assert list(named.values()) == ["connection_refused", "timeout", "unknown"]
    assert strategy.should_reconnect(TimeoutError())
    assert strategy.classify_error(AuthenticationError("no")) == "authentication_failure"
    assert not strategy.should_reconnect(AuthenticationError("no"))


async def test_subscription_frames() -> None:
    create = GateioSpotPublicSubscription().create_subscription_messages
    messages = await create(SubscriptionAction.SUBSCRIBE, SYMBOLS)
    assert [(message["channel"], message["event"], message["payload"]) for message in messages] == [
        ("spot.order_book_update", "subscribe", ["BTC_USDT", "100ms"]),
        ("spot.order_book_update", "subscribe", ["ETH_USDT", "100ms"]),
        ("spot.trades", "subscribe", ["BTC_USDT", "ETH_USDT"]),
        ("spot.book_ticker", "subscribe", ["BTC_USDT", "ETH_USDT"]),
        ("spot.tickers", "subscribe", ["BTC_USDT", "ETH_USDT"]),
    ]
    assert all(type(message["time"]) is int for message in messages)


async def test_unsubscription_of_given_channels_only() -> None:
    channels = [PublicWebsocketChannelType.TICKER, PrivateWebsocketChannelType.ORDER]
    create = GateioSpotPublicSubscription().create_subscription_messages
    messages = await create(SubscriptionAction.UNSUBSCRIBE, SYMBOLS, channels)
    assert [(message["channel"], message["event"]) for message in messages] == [("spot.tickers", "unsubscribe")]
