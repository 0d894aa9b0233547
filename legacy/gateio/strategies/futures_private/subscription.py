"""Gate.io futures, private: signed subscription frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from exchanges.structs import ExchangeCredentials, PrivateWebsocketChannelType, SubscriptionAction, Symbol
from legacy.gateio.signing import channel_auth
from legacy.websocket.strategies.subscription import Channel, SubscriptionStrategy

__all__ = ["GateioFuturesPrivateSubscription"]

# The login's answer, which names the user, is never read.
_USER = "0"
_CHANNELS: dict[Channel, str] = {
    PrivateWebsocketChannelType.ORDER: "futures.orders",
    PrivateWebsocketChannelType.TRADE: "futures.usertrades",
    PrivateWebsocketChannelType.BALANCE: "futures.balances",
    PrivateWebsocketChannelType.POSITION: "futures.positions",
}


class GateioFuturesPrivateSubscription(SubscriptionStrategy):
    """One frame per channel for all symbols; channels of other scopes are left out."""

    def __init__(self, credentials: ExchangeCredentials) -> None:
        self._credentials = credentials

    async def create_subscription_messages(
        self, action: SubscriptionAction, symbols: Sequence[Symbol], channels: Iterable[Channel] | None = None
    ) -> list[dict[str, Any]]:
        """The frames in the order of the channels given, all without any."""
        event = "subscribe" if action is SubscriptionAction.SUBSCRIBE else "unsubscribe"
        return [self._request(channel, event) for channel in channels or _CHANNELS if channel in _CHANNELS]

    def _request(self, channel: Channel, event: str) -> dict[str, Any]:
        name, seconds = _CHANNELS[channel], int(time.time())
        auth = channel_auth(self._credentials, name, event, seconds)
        payload = [_USER] if channel is PrivateWebsocketChannelType.BALANCE else [_USER, "!all"]
        frame = {"time": seconds, "channel": name, "event": event, "auth": auth}
        return {**frame, "payload": payload}
