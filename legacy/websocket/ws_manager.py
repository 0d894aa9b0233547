"""The legacy WebSocketManager: reader, one bounded queue, one processing task.

Its behaviour is fixed by its callers and by the characterisation tests beside it; it is the baseline of every
comparison. Do not mend it here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from exchanges.structs import (
    AuthenticationError,
    ConnectionState,
    ExchangeRestError,
    MessageType,
    ParsedMessage,
    PerformanceMetrics,
    ReconnectionPolicy,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
    WebSocketManagerConfig,
)
from legacy.websocket.metrics import record_processing, snapshot
from legacy.websocket.strategies.strategy_set import WebSocketStrategySet
from legacy.websocket.strategies.subscription import Channel

__all__ = ["ConnectionHandler", "MessageHandler", "WebSocketManager"]

MessageHandler = Callable[[ParsedMessage], Awaitable[None]]
ConnectionHandler = Callable[[ConnectionState], Awaitable[None]]

_NOT_OPEN_POLL_S = 0.1
_NOT_HANDED_ON = (MessageType.HEARTBEAT, MessageType.OTHER, MessageType.UNKNOWN)


class WebSocketManager:
    """One connection of one exchange; see LOGGING.md for its log lines, states and delivered messages."""

    def __init__(
        self,
        config: WebSocketConfig,
        strategies: WebSocketStrategySet,
        message_handler: MessageHandler | None,
        connection_handler: ConnectionHandler | None = None,
        manager_config: WebSocketManagerConfig | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self.config = config
        self.strategies = strategies
        self.message_handler = message_handler
        self.connection_handler = connection_handler
        self.manager_config = manager_config or WebSocketManagerConfig()
        self.logger = logger or logging.getLogger("websocket.manager")
        self.connection_state = ConnectionState.DISCONNECTED
        self.metrics = PerformanceMetrics()
        self.start_time = 0.0
        self._websocket: ClientConnection | None = None
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue(self.manager_config.max_pending_messages)
        self._active_symbols: dict[Symbol, None] = {}
        self._channels: list[Channel] | None = None
        self._connection_task: asyncio.Task[None] | None = None
        self._reader_task: asyncio.Task[None] | None = None
        self._processing_task: asyncio.Task[None] | None = None
        self._heartbeat_task: asyncio.Task[None] | None = None

    async def initialize(
        self, symbols: Sequence[Symbol] | None = None, default_channels: Iterable[Channel] | None = None
    ) -> None:
        """Record symbols and channels and start the tasks; returns before the connection is made."""
        self._active_symbols = dict.fromkeys(symbols or ())
        self._channels = list(default_channels) if default_channels else None
        self.start_time = time.perf_counter()
        self.logger.info(
            "Initializing WebSocket manager: %d symbols, %d channels",
            len(self._active_symbols),
            len(self._channels or ()),
        )
        self._connection_task = asyncio.create_task(self._connection_loop())
        self._processing_task = asyncio.create_task(self._process_messages())
        if self.config.has_heartbeat:
            self._heartbeat_task = asyncio.create_task(self._heartbeat_loop())

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Ask for more symbols; ExchangeRestError 503 when not connected, 400 when sending failed."""
        if not self.is_connected():
            raise ExchangeRestError(503, "WebSocket not connected")
        try:
            await self._send_subscription(SubscriptionAction.SUBSCRIBE, symbols)
        except Exception as exc:
            raise ExchangeRestError(400, f"Subscription failed: {exc}") from exc
        self._active_symbols.update(dict.fromkeys(symbols))
        self.logger.info("Subscribed to %d symbols", len(symbols))

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Stop asking for symbols; does nothing when not connected, and only logs a failure."""
        if not self.is_connected():
            return
        try:
            await self._send_subscription(SubscriptionAction.UNSUBSCRIBE, symbols)
        except Exception as exc:  # noqa: BLE001 - callers rely on no exception from here
            self.logger.error("Unsubscribe failed: %s", exc)
            return
        for symbol in symbols:
            self._active_symbols.pop(symbol, None)
        self.logger.info("Unsubscribed from %d symbols", len(symbols))

    async def send_message(self, message: dict[str, Any]) -> None:
        """Send one JSON text frame; ExchangeRestError 503 when not connected, 400 when sending failed."""
        if not self.is_connected() or self._websocket is None:
            raise ExchangeRestError(503, "WebSocket not connected")
        try:
            await self._send_json(message)
        except Exception as exc:
            raise ExchangeRestError(400, f"Send failed: {exc}") from exc

    def is_connected(self) -> bool:
        """Whether the state is CONNECTED and the socket is open."""
        return (
            self.connection_state is ConnectionState.CONNECTED
            and self._websocket is not None
            and self._websocket.state is State.OPEN
        )

    def get_performance_metrics(self) -> dict[str, Any]:
        """The counters since `initialize`; connection_state is the name of the state."""
        uptime = time.perf_counter() - self.start_time if self.start_time else 0.0
        return snapshot(self.metrics, uptime, self.connection_state)

    async def close(self) -> None:
        """End all tasks, close the socket, clean the strategy up; never raises. The backlog is discarded."""
        if self.connection_state is ConnectionState.CLOSED:
            return
        await self._set_state(ConnectionState.CLOSING)
        await self._cancel_tasks()
        try:
            if self._websocket is not None:
                await self._websocket.close()
            await self.strategies.connection_strategy.cleanup()
        except Exception as exc:  # noqa: BLE001 - close never raises
            self.logger.warning("Close failed: %s", exc)
        self._websocket = None
        await self._set_state(ConnectionState.CLOSED)
        self.logger.info("WebSocket closed")

    async def _cancel_tasks(self) -> None:
        tasks = (self._processing_task, self._heartbeat_task, self._connection_task, self._reader_task)
        # close() may be called from the message handler, which runs in the processing task.
        others = [task for task in tasks if task is not None and task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection_loop(self) -> None:
        strategy = self.strategies.connection_strategy
        policy = strategy.get_reconnection_policy()
        attempt = 0
        await self._set_state(ConnectionState.CONNECTING)
        while True:
            try:
                await self._connect()
                attempt = 0
                await self._read_until_closed()
                await self._set_state(ConnectionState.DISCONNECTED)
                await self._set_state(ConnectionState.RECONNECTING)
            except Exception as exc:  # noqa: BLE001 - the strategy decides what may be retried
                self.metrics.error_count += 1
                self.logger.error("Connection failed (%s): %s", strategy.classify_error(exc), exc)
                await self._set_state(ConnectionState.ERROR)
                if _is_1005(exc) and policy.reset_on_1005:
                    attempt = 0
                attempt += 1
                if attempt > policy.max_attempts or not strategy.should_reconnect(exc):
                    self.logger.error("Connection given up after %d attempts", attempt)
                    return
                await strategy.disconnect()
                await self._set_state(ConnectionState.RECONNECTING)
                await self._wait_before_attempt(attempt, policy)

    async def _wait_before_attempt(self, attempt: int, policy: ReconnectionPolicy) -> None:
        delay = min(policy.initial_delay * policy.backoff_factor ** (attempt - 1), policy.max_delay)
        self.logger.info("Reconnecting in %.1f s (attempt %d of %d)", delay, attempt, policy.max_attempts)
        await asyncio.sleep(delay)

    async def _connect(self) -> None:
        strategy = self.strategies.connection_strategy
        self._websocket = await strategy.connect()
        context = strategy.create_connection_context()
        if context.auth_required and not await strategy.authenticate():
            raise AuthenticationError("authentication failed")
        await self._set_state(ConnectionState.CONNECTED)
        self.logger.info("WebSocket connected: %s", context.url.partition("?")[0])
        if self._active_symbols:
            symbols = list(self._active_symbols)
            await self._send_subscription(SubscriptionAction.SUBSCRIBE, symbols)
            self.logger.info("Subscribed to %d symbols", len(symbols))

    async def _read_until_closed(self) -> None:
        self._reader_task = asyncio.create_task(self._message_reader())
        await self._reader_task

    async def _message_reader(self) -> None:
        websocket = self._websocket
        assert websocket is not None
        try:
            while True:
                if websocket.state is State.OPEN:
                    self._on_raw_message(await websocket.recv())
                else:
                    await asyncio.sleep(_NOT_OPEN_POLL_S)
        except ConnectionClosed as exc:
            self.logger.warning("WebSocket disconnected: code %d", exc.rcvd.code if exc.rcvd else 1006)

    def _on_raw_message(self, raw_message: str | bytes) -> None:
        """Queue one frame; when the queue is full the oldest frame makes room."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(raw_message)
        self.metrics.messages_processed += 1

    async def _process_messages(self) -> None:
        parser = self.strategies.message_parser
        while self.connection_state not in (ConnectionState.CLOSING, ConnectionState.CLOSED):
            raw_message = await self._queue.get()
            started = time.perf_counter()
            try:
                parsed = await parser.parse_message(raw_message)
                if parsed is not None:
                    if parsed.message_type is MessageType.ORDERBOOK:
                        self.metrics.orderbook_updates += 1
                    elif parsed.message_type is MessageType.ERROR:
                        self.metrics.error_count += 1
                    if parsed.message_type not in _NOT_HANDED_ON and self.message_handler is not None:
                        await self.message_handler(parsed)
            except Exception as exc:  # noqa: BLE001 - one bad message must not end the task
                self.metrics.error_count += 1
                self.logger.error("Message processing failed: %s", exc)
            record_processing(self.metrics, started, time.perf_counter())

    async def _heartbeat_loop(self) -> None:
        interval = self.config.heartbeat_interval or 0.0
        while True:
            await asyncio.sleep(interval)
            if not self.is_connected():
                continue
            try:
                await self.strategies.connection_strategy.handle_heartbeat()
            except Exception as exc:  # noqa: BLE001 - the reader finds out about a dead socket
                self.logger.warning("Heartbeat failed: %s", exc)

    async def _send_subscription(self, action: SubscriptionAction, symbols: Sequence[Symbol]) -> None:
        strategy = self.strategies.subscription_strategy
        for message in await strategy.create_subscription_messages(action, symbols, self._channels):
            await self._send_json(message)

    async def _send_json(self, message: dict[str, Any]) -> None:
        assert self._websocket is not None
        await self._websocket.send(orjson.dumps(message).decode(self.config.text_encoding))

    async def _set_state(self, state: ConnectionState) -> None:
        if state is self.connection_state:
            return
        self.logger.debug("Connection state: %s -> %s", self.connection_state.name, state.name)
        self.connection_state = state
        if self.connection_handler is None:
            return
        try:
            await self.connection_handler(state)
        except Exception as exc:  # noqa: BLE001 - a caller's handler must not end the connection
            self.logger.error("Connection handler failed: %s", exc)


def _is_1005(exc: Exception) -> bool:
    return isinstance(exc, ConnectionClosed) and exc.rcvd is not None and exc.rcvd.code == 1005
