"""MEXC spot, private: one subscription frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from exchanges.structs import PrivateWebsocketChannelType, SubscriptionAction, Symbol
from legacy.websocket.strategies.subscription import Channel, SubscriptionStrategy

__all__ = ["MexcSpotPrivateSubscription"]

_CHANNELS: dict[Channel, str] = {
    PrivateWebsocketChannelType.ORDER: "spot@private.orders.v3.api.pb",
    PrivateWebsocketChannelType.TRADE: "spot@private.deals.v3.api.pb",
    PrivateWebsocketChannelType.BALANCE: "spot@private.account.v3.api.pb",
}


class MexcSpotPrivateSubscription(SubscriptionStrategy):
    """All channels in one frame; those of other scopes are left out."""

    async def create_subscription_messages(
        self, action: SubscriptionAction, symbols: Sequence[Symbol], channels: Iterable[Channel] | None = None
    ) -> list[dict[str, Any]]:
        """One frame with the channels given, all three without any."""
        method = "SUBSCRIPTION" if action is SubscriptionAction.SUBSCRIBE else "UNSUBSCRIPTION"
        params = [_CHANNELS[channel] for channel in channels or _CHANNELS if channel in _CHANNELS]
        return [{"method": method, "params": params}] if params else []
