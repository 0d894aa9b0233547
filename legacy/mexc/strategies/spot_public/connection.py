"""MEXC spot, public: protocol ping, no compression, no extra headers."""

from __future__ import annotations

from websockets.asyncio.client import ClientConnection, connect

from exchanges.structs import ConnectionContext, ReconnectionPolicy, WebSocketConfig
from legacy.websocket.strategies.connection import ConnectionStrategy

__all__ = ["MexcSpotPublicConnection"]

_PING_INTERVAL_S = 30.0


class MexcSpotPublicConnection(ConnectionStrategy):
    """Connects without credentials; the transport's own ping keeps the link."""

    def __init__(self, config: WebSocketConfig) -> None:
        super().__init__()
        self.config = config

    async def connect(self) -> ClientConnection:
        """Open the socket with the handshake headers alone."""
        config = self.config
        self._websocket = await connect(
            config.url,
            compression=None,
            user_agent_header=None,
            open_timeout=config.connect_timeout,
            ping_interval=_PING_INTERVAL_S,
            ping_timeout=config.ping_timeout,
            close_timeout=config.close_timeout,
            max_size=config.max_message_size,
            max_queue=config.max_queue_size,
            proxy=None,
        )
        return self._websocket

    def get_reconnection_policy(self) -> ReconnectionPolicy:
        """10 attempts from 1 s, factor 2, capped at 60 s; code 1005 resets."""
        return ReconnectionPolicy(10, 1.0, 2.0, 60.0, reset_on_1005=True)

    def create_connection_context(self) -> ConnectionContext:
        """The address; no headers, no authentication."""
        return ConnectionContext(self.config.url, ping_interval=_PING_INTERVAL_S, ping_timeout=self.config.ping_timeout)

    async def handle_heartbeat(self) -> None:
        """Nothing: the protocol ping does it."""
