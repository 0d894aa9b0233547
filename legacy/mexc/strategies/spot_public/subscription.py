"""MEXC spot, public: subscription frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from exchanges.structs import PublicWebsocketChannelType, SubscriptionAction, Symbol
from exchanges.structs.symbols import to_mexc
from legacy.websocket.strategies.subscription import Channel, SubscriptionStrategy

__all__ = ["MexcSpotPublicSubscription"]

_CHANNELS: dict[Channel, str] = {
    PublicWebsocketChannelType.ORDERBOOK: "spot@public.aggre.depth.v3.api.pb@100ms@{}",
    PublicWebsocketChannelType.TRADES: "spot@public.aggre.deals.v3.api.pb@100ms@{}",
    PublicWebsocketChannelType.BOOK_TICKER: "spot@public.aggre.bookTicker.v3.api.pb@100ms@{}",
    PublicWebsocketChannelType.TICKER: "spot@public.miniTicker.v3.api.pb@{}@UTC+8",
}


class MexcSpotPublicSubscription(SubscriptionStrategy):
    """One frame with all channel strings; channels of other scopes are left out."""

    async def create_subscription_messages(
        self, action: SubscriptionAction, symbols: Sequence[Symbol], channels: Iterable[Channel] | None = None
    ) -> list[dict[str, Any]]:
        """One frame, or none where nothing is asked; all four channels without any given."""
        method = "SUBSCRIPTION" if action is SubscriptionAction.SUBSCRIBE else "UNSUBSCRIPTION"
        wanted = [_CHANNELS[channel] for channel in channels or _CHANNELS if channel in _CHANNELS]
        params = [template.format(to_mexc(symbol)) for template in wanted for symbol in symbols]
        return [{"method": method, "params": params}] if params else []
