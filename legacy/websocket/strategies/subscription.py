"""How one exchange is asked for channels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from exchanges.structs import PrivateWebsocketChannelType, PublicWebsocketChannelType, SubscriptionAction, Symbol

__all__ = ["Channel", "SubscriptionStrategy"]

Channel = PublicWebsocketChannelType | PrivateWebsocketChannelType


class SubscriptionStrategy(ABC):
    """Writes subscription frames."""

    @abstractmethod
    async def create_subscription_messages(
        self, action: SubscriptionAction, symbols: Sequence[Symbol], channels: Iterable[Channel] | None = None
    ) -> list[dict[str, Any]]:
        """The JSON objects to send, in order; without channels, all of the connection's scope."""
