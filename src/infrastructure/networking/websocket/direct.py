"""Door `direct`: one connection with plain typed callbacks, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence

from exchanges.structs.types import PublicWebsocketChannelType, Symbol
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler

__all__ = ["DirectConnection"]


class DirectConnection:
    """Starts, changes and closes a public connection; events go to the callbacks given to its builder."""

    def __init__(self, handler: PublicMessageHandler) -> None:
        self.handler = handler

    async def start(self, symbols: Sequence[Symbol], channels: Sequence[PublicWebsocketChannelType] = ()) -> None:
        """Connect and subscribe in the background; no channels means all four."""
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
