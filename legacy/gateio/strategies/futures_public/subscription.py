"""Gate.io futures, public: subscription frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from exchanges.structs import PublicWebsocketChannelType, SubscriptionAction, Symbol
from exchanges.structs.symbols import to_gateio
from legacy.websocket.strategies.subscription import Channel, SubscriptionStrategy

__all__ = ["GateioFuturesPublicSubscription"]

_BOOK_INTERVAL, _BOOK_LEVEL = "100ms", "100"
_CHANNELS: dict[Channel, str] = {
    PublicWebsocketChannelType.ORDERBOOK: "futures.order_book_update",
    PublicWebsocketChannelType.TRADES: "futures.trades",
    PublicWebsocketChannelType.BOOK_TICKER: "futures.book_ticker",
    PublicWebsocketChannelType.TICKER: "futures.tickers",
}


class GateioFuturesPublicSubscription(SubscriptionStrategy):
    """One frame per channel, for the book one frame per contract; channels of other scopes are left out."""

    async def create_subscription_messages(
        self, action: SubscriptionAction, symbols: Sequence[Symbol], channels: Iterable[Channel] | None = None
    ) -> list[dict[str, Any]]:
        """The frames in the order of the channels given, all four without any."""
        event = "subscribe" if action is SubscriptionAction.SUBSCRIBE else "unsubscribe"
        contracts = [to_gateio(symbol) for symbol in symbols]
        messages = []
        for channel in channels or _CHANNELS:
            if channel is PublicWebsocketChannelType.ORDERBOOK:
                messages += [
                    _request(_CHANNELS[channel], event, [contract, _BOOK_INTERVAL, _BOOK_LEVEL])
                    for contract in contracts
                ]
            elif channel in _CHANNELS:
                messages.append(_request(_CHANNELS[channel], event, contracts))
        return messages


def _request(channel: str, event: str, payload: list[str]) -> dict[str, Any]:
    return {"time": int(time.time()), "channel": channel, "event": event, "payload": payload}
