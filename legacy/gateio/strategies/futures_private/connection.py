"""Gate.io futures, private: a login whose answer nobody waits for."""

from __future__ import annotations

import asyncio
import time

import orjson
from websockets.asyncio.client import ClientConnection, connect

from exchanges.structs import ConnectionContext, ExchangeCredentials, ReconnectionPolicy, WebSocketConfig
from legacy.gateio.signing import login_message
from legacy.websocket.strategies.connection import ConnectionStrategy

__all__ = ["GateioFuturesPrivateConnection"]

_AUTH_WAIT_S = 0.1


class GateioFuturesPrivateConnection(ConnectionStrategy):
    """Connects and logs in; pongs are not tracked."""

    def __init__(self, config: WebSocketConfig, credentials: ExchangeCredentials) -> None:
        super().__init__()
        self.config = config
        self._credentials = credentials

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

    async def authenticate(self) -> bool:
        """Send the login, wait a fixed time, and take it for accepted."""
        if self._websocket is not None:
            await self._websocket.send(orjson.dumps(login_message(self._credentials, "futures.login")).decode())
            await asyncio.sleep(_AUTH_WAIT_S)
        return True

    def get_reconnection_policy(self) -> ReconnectionPolicy:
        """10 attempts from 3 s, factor 2, capped at 60 s; code 1005 resets."""
        return ReconnectionPolicy(10, 3.0, 2.0, 60.0, reset_on_1005=True)

    def create_connection_context(self) -> ConnectionContext:
        """The address; authentication is asked for."""
        return ConnectionContext(self.config.url, auth_required=True, ping_message="futures.ping")

    async def handle_heartbeat(self) -> None:
        """Send the application ping."""
        if self._websocket is not None:
            ping = {"time": int(time.time()), "channel": "futures.ping"}
            await self._websocket.send(orjson.dumps(ping).decode())
