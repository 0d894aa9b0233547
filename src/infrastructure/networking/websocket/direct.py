"""Door `direct`: one connection with plain typed callbacks, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exchanges.structs.types import PrivateWebsocketChannelType, PublicWebsocketChannelType, Symbol
from infrastructure.networking.websocket.handlers.consumer_message_handler import ConsumerMessageHandler

__all__ = ["DirectConnection"]


class DirectConnection:
    """Starts, changes and closes a connection, public or private; events go to the callbacks given to its builder."""

    def __init__(self, handler: ConsumerMessageHandler[Any]) -> None:
        self.handler = handler

    async def start(
        self,
        symbols: Sequence[Symbol],
        channels: Sequence[PublicWebsocketChannelType | PrivateWebsocketChannelType] = (),
    ) -> None:
        """Connect and subscribe in the background; no channels means all. A private one covers every symbol."""
        await self.handler.initialize(list(symbols), list(channels))

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """As WebSocketManager.subscribe."""
        await self.handler.subscribe(symbols)

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """As WebSocketManager.unsubscribe."""
        await self.handler.unsubscribe(symbols)

    async def close(self) -> None:
        """Close the socket and end the tasks; never raises."""
        await self.handler.close()
