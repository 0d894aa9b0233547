"""MEXC spot, private: a listen key in the address, extended by the heartbeat."""

from __future__ import annotations

import time

from websockets.asyncio.client import ClientConnection, connect

from exchanges.structs import ConnectionContext, ExchangeCredentials, ReconnectionPolicy, WebSocketConfig
from legacy.mexc.listen_key import create_listen_key, extend_listen_key
from legacy.websocket.strategies.connection import ConnectionStrategy

__all__ = ["MexcSpotPrivateConnection"]

_PING_INTERVAL_S = 30.0
_EXTEND_EVERY_S = 1800.0


class MexcSpotPrivateConnection(ConnectionStrategy):
    """Asks for one listen key and connects with it as long as the strategy lives."""

    def __init__(self, config: WebSocketConfig, base_url: str, credentials: ExchangeCredentials) -> None:
        super().__init__()
        self.config = config
        self._base_url = base_url
        self._credentials = credentials
        self._listen_key = ""
        self._extended = 0.0

    async def connect(self) -> ClientConnection:
        """Open the socket with the listen key in its address."""
        if not self._listen_key or time.monotonic() - self._extended > 2 * _EXTEND_EVERY_S:
            self._listen_key = await create_listen_key(self._base_url, self._credentials)
            self._extended = time.monotonic()
        config = self.config
        self._websocket = await connect(
            f"{config.url}?listenKey={self._listen_key}",
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
        """The address without the key; no headers. The key is the whole authentication."""
        return ConnectionContext(self.config.url, ping_interval=_PING_INTERVAL_S, ping_timeout=self.config.ping_timeout)

    async def handle_heartbeat(self) -> None:
        """Extend the listen key each half hour; the protocol ping keeps the link."""
        if self._listen_key and time.monotonic() - self._extended >= _EXTEND_EVERY_S:
            self._extended = time.monotonic()
            await extend_listen_key(self._base_url, self._credentials, self._listen_key)
