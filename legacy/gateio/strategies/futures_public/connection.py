"""Gate.io futures, public: deflate asked for, application ping, no protocol ping."""

from __future__ import annotations

import time

import orjson
from websockets.asyncio.client import ClientConnection, connect

from exchanges.structs import ConnectionContext, ReconnectionPolicy, WebSocketConfig
from legacy.websocket.strategies.connection import ConnectionStrategy

__all__ = ["GateioFuturesPublicConnection"]


class GateioFuturesPublicConnection(ConnectionStrategy):
    """Connects without credentials; pongs are not tracked."""

    def __init__(self, config: WebSocketConfig) -> None:
        super().__init__()
        self.config = config

    async def connect(self) -> ClientConnection:
        """Open the socket; deflate is asked for where the configuration allows compression."""
        config = self.config
        self._websocket = await connect(
            config.url,
            compression="deflate" if config.enable_compression else None,
            open_timeout=config.connect_timeout,
            ping_interval=None,
            close_timeout=config.close_timeout,
            max_size=config.max_message_size,
            max_queue=config.max_queue_size,
            proxy=None,
        )
        return self._websocket

    def get_reconnection_policy(self) -> ReconnectionPolicy:
        """15 attempts from 2 s, factor 1.5, capped at 30 s; code 1005 does not reset."""
        return ReconnectionPolicy(15, 2.0, 1.5, 30.0, reset_on_1005=False)

    def create_connection_context(self) -> ConnectionContext:
        """The address; no headers, no authentication."""
        return ConnectionContext(self.config.url, ping_message="futures.ping")

    async def handle_heartbeat(self) -> None:
        """Send the application ping."""
        if self._websocket is not None:
            ping = {"time": int(time.time()), "channel": "futures.ping"}
            await self._websocket.send(orjson.dumps(ping).decode())
