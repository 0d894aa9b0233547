"""How each exchange wants to be connected to: headers, compression, pings, reconnection, errors."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

import orjson

from exchanges.structs.errors import AuthenticationError, ConfigurationError, ExchangeError
from exchanges.structs.types import ConnectionContext, ReconnectionPolicy, WebSocketConfig
from infrastructure.networking.websocket.transport import (
    ConnectFailed,
    ConnectionEnded,
    Opener,
    Transport,
    TransportSettings,
)

__all__ = ["ConnectionMixin", "GateioConnectionMixin", "MexcConnectionMixin"]


class ConnectionMixin:
    """Connection behaviour that an exchange's mixin narrows; sits before the interface in the bases."""

    config: WebSocketConfig
    _open_transport: Opener

    POLICY: ClassVar[ReconnectionPolicy] = ReconnectionPolicy(10, 1.0, 2.0, 60.0)
    HEADERS: ClassVar[dict[str, str]] = {}
    ALLOWS_COMPRESSION: ClassVar[bool] = False

    async def connect(self) -> Transport:
        """Open the socket as this exchange wants it; raises ConnectFailed."""
        return await self._open_transport(self.transport_settings())

    def transport_settings(self) -> TransportSettings:
        """Headers, compression and limits of the handshake."""
        config = self.config
        return TransportSettings(
            url=config.url,
            headers=self.create_connection_context().headers,
            user_agent=None,
            compression=self.ALLOWS_COMPRESSION and config.enable_compression,
            connect_timeout=config.connect_timeout,
            close_timeout=config.close_timeout,
            max_message_size=config.max_message_size,
            max_waiting=config.max_queue_size,
        )

    def create_connection_context(self) -> ConnectionContext:
        """What a connection needs besides its address."""
        policy = self.get_reconnection_policy()
        return ConnectionContext(
            url=self.config.url,
            headers=dict(self.HEADERS),
            ping_interval=self.heartbeat_interval() or 0.0,
            ping_timeout=self.config.ping_timeout,
            max_reconnect_attempts=policy.max_attempts,
            reconnect_delay=policy.initial_delay,
            ping_message=self.create_heartbeat_message(),
        )

    def get_reconnection_policy(self) -> ReconnectionPolicy:
        """The exchange's policy."""
        return self.POLICY

    def should_reconnect(self, error: Exception) -> bool:
        """Whether another attempt can help: not after refused credentials or a caller's mistake."""
        if isinstance(error, AuthenticationError):
            return error.reconnect_helps
        return not isinstance(error, ConfigurationError)

    def classify_error(self, error: Exception) -> str:
        """abnormal_closure, connection_refused, timeout, authentication_failure or unknown."""
        if isinstance(error, ConnectFailed):
            return error.cause
        if isinstance(error, AuthenticationError):
            return "authentication_failure"
        if isinstance(error, ConnectionEnded):
            return "abnormal_closure" if error.code in (1005, 1006) else "unknown"
        if isinstance(error, ConnectionRefusedError):
            return "connection_refused"
        if isinstance(error, TimeoutError | asyncio.TimeoutError):
            return "timeout"
        return "unknown"

    def heartbeat_interval(self) -> float | None:
        """Seconds between pings; None switches the keep-alive off."""
        return self.config.heartbeat_interval if self.config.has_heartbeat else None

    def create_heartbeat_message(self) -> str | None:
        """The application ping; None means a protocol ping."""
        return None


class MexcConnectionMixin(ConnectionMixin):
    """MEXC: no extra headers (it blocks them), no compression, protocol ping each 30 s."""

    POLICY = ReconnectionPolicy(max_attempts=10, initial_delay=1.0, backoff_factor=2.0, max_delay=60.0)
    PING_INTERVAL_S: ClassVar[float] = 30.0

    def heartbeat_interval(self) -> float | None:
        """Fixed by the exchange."""
        return self.PING_INTERVAL_S

    def classify_error(self, error: Exception) -> str:
        """As everywhere; MEXC answers a blocked or unknown client with a policy close."""
        if isinstance(error, ConnectionEnded) and error.code == 1008:
            return "authentication_failure"
        return super().classify_error(error)


class GateioConnectionMixin(ConnectionMixin):
    """Gate.io: deflate where configured, application ping on the market's own channel."""

    POLICY = ReconnectionPolicy(15, 2.0, 1.5, 30.0, reset_on_1005=False)
    ALLOWS_COMPRESSION = True
    PING_CHANNEL: ClassVar[str] = "spot.ping"

    def create_heartbeat_message(self) -> str | None:
        """`spot.ping` or `futures.ping` with the time in seconds."""
        return orjson.dumps({"time": int(time.time()), "channel": self.PING_CHANNEL}).decode()

    def should_reconnect(self, error: Exception) -> bool:
        """Gate.io's notices and closes are all temporary; only its refusals (error code 4) are not."""
        return super().should_reconnect(error) and not (
            isinstance(error, ExchangeError) and getattr(error, "code", None) == 4
        )
