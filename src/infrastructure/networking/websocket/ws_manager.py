"""WebSocketManager: the public API that callers know, over one handler of the new architecture."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from exchanges.structs.types import (
    ConnectionState,
    PerformanceMetrics,
    PrivateWebsocketChannelType,
    PublicWebsocketChannelType,
    Symbol,
    WebSocketConfig,
    WebSocketManagerConfig,
)
from infrastructure.networking.websocket.base_interface import ConnectionHandler, MessageHandler
from infrastructure.networking.websocket.handlers.consumer_message_handler import ConsumerMessageHandler

__all__ = ["ARCHITECTURE_VERSION", "WebSocketManager"]

ARCHITECTURE_VERSION = "2.0"


class WebSocketManager:
    """Delegates everything to its handler; `strategies` is the handler, which plays that part now."""

    architecture_version = ARCHITECTURE_VERSION

    def __init__(
        self,
        config: WebSocketConfig,
        strategies: ConsumerMessageHandler[Any],
        message_handler: MessageHandler | None,
        connection_handler: ConnectionHandler | None = None,
        manager_config: WebSocketManagerConfig | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self.config = config
        self.strategies = strategies
        self.message_handler = message_handler
        self.connection_handler = connection_handler
        self.manager_config = manager_config or strategies.manager_config
        self.logger = logger or strategies.logger
        self.start_time = time.time()

    @property
    def handler(self) -> ConsumerMessageHandler[Any]:
        """The handler of the new architecture."""
        return self.strategies

    @property
    def recv_ns(self) -> int | None:
        """When the frame of the message that is being delivered was read."""
        return self.handler.recv_ns

    @property
    def connection_state(self) -> ConnectionState:
        """Where the connection stands."""
        return self.handler.connection_state

    async def initialize(
        self,
        symbols: Sequence[Symbol] | None = None,
        default_channels: Sequence[PublicWebsocketChannelType | PrivateWebsocketChannelType] | None = None,
    ) -> None:
        """Record symbols and channels (default: all) and start the tasks; returns before connected."""
        channels = list(default_channels or self.handler.default_channels())
        self.logger.info("Initializing WebSocket manager: %d symbols, %d channels", len(symbols or ()), len(channels))
        self.start_time = time.time()
        await self.handler.initialize(list(symbols or ()), channels)

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Ask for more symbols; ExchangeRestError 503 offline, 400 when it could not be sent."""
        await self.handler.subscribe(symbols)

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Give symbols up; offline it holds for the next connection."""
        await self.handler.unsubscribe(symbols)

    async def send_message(self, message: dict[str, Any]) -> None:
        """Send a JSON text frame; ExchangeRestError 503 offline, 400 when the send failed."""
        await self.handler.send_message(message)

    def is_connected(self) -> bool:
        """State CONNECTED and an open socket."""
        return self.handler.is_connected()

    async def close(self) -> None:
        """Deliver the backlog, close the socket, end the tasks; never raises."""
        await self.handler.close()

    @property
    def metrics(self) -> PerformanceMetrics:
        """The counters as the struct that callers know, made now; each message counts once.

        Processing times are those of all messages of a coroutine consumer; violations, of the handler's timed frames.
        """
        handler, delivery = self.handler, self.handler.delivery
        count = delivery.count if self.message_handler is not None else handler.frames_received()
        uptime = self._uptime()
        return PerformanceMetrics(
            messages_processed=count,
            messages_per_second=count / max(time.time() - self.start_time, 1e-9),
            avg_processing_time_ms=delivery.mean_ns / 1e6,
            max_processing_time_ms=delivery.max_ns / 1e6,
            connection_uptime=uptime,
            reconnection_count=handler.reconnection_count,
            error_count=handler.error_count,
            sub_1ms_messages=delivery.count_below(1_000_000),
            orderbook_updates=handler.frame_counts[PublicWebsocketChannelType.ORDERBOOK],
            latency_violations=handler.latency_violations,
        )

    def get_performance_metrics(self) -> dict[str, Any]:
        """The known keys, then `architecture_version` and the figures of both levels, `interface` and `handler`."""
        metrics = self.metrics
        return {
            "messages_processed": metrics.messages_processed,
            "messages_per_second": metrics.messages_per_second,
            "avg_processing_time_ms": metrics.avg_processing_time_ms,
            "max_processing_time_ms": metrics.max_processing_time_ms,
            "connection_uptime_seconds": metrics.connection_uptime,
            "reconnection_count": metrics.reconnection_count,
            "error_count": metrics.error_count,
            "connection_state": self.connection_state.name,
            "architecture_version": self.architecture_version,
            "interface": self.handler.interface_metrics(),
            "handler": self.handler.handler_metrics(),
        }

    def _uptime(self) -> float:
        since = self.handler.connected_at
        return 0.0 if since is None else asyncio.get_running_loop().time() - since
