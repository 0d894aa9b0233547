"""The connection's life and the hand-over of frames: connect, read, hand on, keep alive, reconnect, close.

One instance is one connection. Four tasks, all owned here: connection, reader, heartbeat, and processing where the
consumer is a coroutine; an exchange whose connections end by plan adds one that renews them (RenewalMixin). A frame
goes from the reader to plain callbacks within one call stack.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any

import orjson

from exchanges.structs.errors import AuthenticationError, ExchangeRestError, TransportError
from exchanges.structs.types import (
    ConnectionState,
    ParsedMessage,
    Symbol,
    WebSocketConfig,
    WebSocketManagerConfig,
)
from infrastructure.networking.websocket.backlog import READ_BURST, Backlog
from infrastructure.networking.websocket.hooks import ConnectionHooks
from infrastructure.networking.websocket.keep_alive import KeepAlive
from infrastructure.networking.websocket.metrics import LatencyHistogram
from infrastructure.networking.websocket.reconnection import ReconnectionPlan
from infrastructure.networking.websocket.transport import ConnectionEnded, Opener, Transport, resolve_transport

__all__ = ["BaseWebSocketInterface", "ConnectionHandler", "MessageHandler"]

MessageHandler = Callable[[ParsedMessage], Awaitable[None]]
ConnectionHandler = Callable[[ConnectionState], Awaitable[None]]


class BaseWebSocketInterface(ConnectionHooks):
    """Connection lifecycle and message hand-over; what differs by exchange comes from the mixins.

    `message_handler` is a coroutine function and is served by one task over a bounded deque; without it no such task
    exists and the handler's plain callbacks are all there is.
    """

    def __init__(
        self,
        config: WebSocketConfig,
        *,
        message_handler: MessageHandler | None = None,
        connection_handler: ConnectionHandler | None = None,
        manager_config: WebSocketManagerConfig | None = None,
        logger: logging.Logger | None = None,
        transport: str | Opener | None = None,
        random_source: random.Random | None = None,
    ) -> None:
        self.config = config
        self.message_handler = message_handler
        self.connection_handler = connection_handler
        self.manager_config = manager_config or WebSocketManagerConfig()
        self.logger = logger or logging.getLogger("websocket.manager")
        self.connection_state = ConnectionState.DISCONNECTED
        self.delivery = LatencyHistogram()
        self.error_count = 0
        self.reconnection_count = 0
        self.renewal_count = 0
        self.connected_at: float | None = None
        self._open_transport = resolve_transport(transport)
        self._websocket: Transport | None = None
        self._reconnection = ReconnectionPlan(self.get_reconnection_policy(), random_source)
        self._backlog: Backlog | None = Backlog(self.manager_config.max_pending_messages) if message_handler else None
        self._connection_task: asyncio.Task[None] | None = None
        self._reader_task: asyncio.Task[TransportError] | None = None
        self._processing_task: asyncio.Task[None] | None = None
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_confirmed = False
        self._keep_alive = KeepAlive(self.create_heartbeat_message, self.frames_received)
        self._failure: TransportError | None = None

    def _on_error(self, kind: str, error: BaseException) -> None:
        """Count an error; kind is connect, auth, subscribe, decode, callback or internal."""
        self.error_count += 1

    # Public

    async def initialize(self, symbols: list[Symbol] | None = None, channels: list[Any] | None = None) -> None:
        """Record what to subscribe and start the tasks; returns before the connection is there."""
        self.set_subscriptions(symbols or [], channels or [])
        if self._backlog is not None:
            self._processing_task = asyncio.create_task(self._process_messages(self._backlog))
        self._connection_task = asyncio.create_task(self._connection_loop())

    def is_connected(self) -> bool:
        """State CONNECTED and an open socket."""
        websocket = self._websocket
        return self.connection_state is ConnectionState.CONNECTED and websocket is not None and websocket.is_open

    async def send_message(self, message: dict[str, Any]) -> None:
        """Send a JSON text frame; ExchangeRestError 503 offline, 400 when the send fails."""
        if not self.is_connected():
            raise ExchangeRestError(503, "WebSocket not connected")
        try:
            await self._send(orjson.dumps(message).decode())
        except (TransportError, TypeError) as error:
            raise ExchangeRestError(400, f"send failed: {error}") from error

    async def close(self) -> None:
        """Hand on everything received, close the socket, end the tasks. Never raises; at most thrice close_timeout,
        once more in the midst of a renewal.

        May be called from the consumer's own coroutine: what waits behind that message is still delivered.
        """
        if self._is_closing:
            return
        self._is_closing = True
        await self._set_state(ConnectionState.CLOSING)
        await self._wind_up()
        await self._end(self._heartbeat_task)
        await self._end(self._connection_task)
        await self._close_socket()
        await self._finish_processing()
        await self._guard_close(self._release())
        await self._set_state(ConnectionState.CLOSED)
        self.logger.info("WebSocket closed")

    @property
    def recv_ns(self) -> int | None:
        """When the frame was read whose message the coroutine consumer is being given; None before the first."""
        return (self._backlog.taken_ns or None) if self._backlog is not None else None

    def interface_metrics(self) -> dict[str, Any]:
        """The interface's level: what reached the coroutine consumer and how long it took from the socket on."""
        backlog = self._backlog
        return {
            "delivered": self.delivery.summary(),
            "pending": len(backlog.entries) if backlog is not None else 0,
            "reconnections": self.reconnection_count,
            "renewals": self.renewal_count,
            "errors": self.error_count,
        }

    # Connection

    async def _connection_loop(self) -> None:
        await self._set_state(ConnectionState.CONNECTING)
        while not self._is_closing:
            error = await self._run_connection()
            if self._is_closing:
                return
            code = error.code if isinstance(error, ConnectionEnded) else None
            now = asyncio.get_running_loop().time()
            delay = self._reconnection.next_delay(now, was_confirmed=self._is_confirmed, code=code)
            if delay is None or not self.should_reconnect(error):
                self.logger.error("Connection given up after %d attempts", self._reconnection.attempt)
                await self._set_state(ConnectionState.ERROR)
                return
            await self._set_state(ConnectionState.RECONNECTING)
            if delay:
                attempt, most = self._reconnection.attempt, self._reconnection.policy.max_attempts
                self.logger.info("Reconnecting in %.1f s (attempt %d of %d)", delay, attempt, most)
                await asyncio.sleep(delay)
            self.reconnection_count += 1

    async def _run_connection(self) -> Exception:
        """One connection from opening to its end; returns why it ended."""
        self._is_confirmed = False
        self._failure = None
        try:
            await self._establish()
        except Exception as error:  # noqa: BLE001 - whatever a mixin raises is a failed attempt, with backoff
            if self._is_closing:
                return error
            await self._drop()
            self.logger.error("Connection failed (%s): %s", self.classify_error(error), error)
            self._on_error("auth" if isinstance(error, AuthenticationError) else "connect", error)
            await self._set_state(ConnectionState.ERROR)
            return error
        ended = await self._until_ended()
        if not self._is_closing:
            await self._drop()
            self.logger.warning("WebSocket disconnected: code %s", getattr(ended, "code", 1006))
            await self._set_state(ConnectionState.DISCONNECTED)
        return self._failure or ended

    async def _establish(self) -> None:
        websocket = self._websocket = await self.connect()
        self._reader_task = asyncio.create_task(self._message_reader(websocket))
        if self.requires_authentication() and not await self.authenticate():
            raise AuthenticationError("the exchange did not confirm who we are")
        self.connected_at = asyncio.get_running_loop().time()
        await self._set_state(ConnectionState.CONNECTED)
        self.logger.info("WebSocket connected: %s", self.config.url.partition("?")[0])
        await self._restore_subscriptions()
        self._start_heartbeat(websocket)

    async def _until_ended(self) -> Exception:
        """Why the connection ended; everything buffered was read by then."""
        assert self._reader_task is not None
        return await asyncio.shield(self._reader_task)

    def _start_heartbeat(self, websocket: Transport) -> None:
        """Keep this connection alive, and no other."""
        if self._heartbeat_task is not None:
            self._heartbeat_task.cancel()
        interval = self.heartbeat_interval()
        if interval:
            self._heartbeat_task = asyncio.create_task(self._heartbeat_loop(websocket, interval))

    async def _heartbeat_loop(self, websocket: Transport, interval: float) -> None:
        """Ping until the link is dead; then drop it, which the reader sees as its end."""
        try:
            await self._keep_alive.run(websocket, interval, self.config.ping_timeout)
        except TransportError as error:
            self._failure = error
            self.logger.warning("Heartbeat failed: %s", error)
            self._on_error("connect", error)
            websocket.abort()

    async def _drop(self) -> None:
        """Leave nothing of a connection that ended or failed."""
        if self._heartbeat_task is not None:
            self._heartbeat_task.cancel()
        websocket, self._websocket = self._websocket, None
        if websocket is not None:
            websocket.abort()
        if self._reader_task is not None and not self._reader_task.done():
            await self._end(self._reader_task)
        self.connected_at = None
        self._on_disconnected()

    # Frames

    async def _message_reader(self, websocket: Transport) -> TransportError:
        """Hand on each frame until the connection ends, which shows only when everything buffered was read."""
        try:
            await websocket.pump(self._on_raw_message if self._backlog is None else self._bind_hand_over(self._backlog))
            return TransportError("the transport stopped reading")
        except TransportError as ended:
            return ended
        except Exception as error:  # noqa: BLE001 - a library's own error ends this connection, not the loop
            self._on_error("internal", error)
            return TransportError(f"{type(error).__name__}: {error}")

    def _bind_hand_over(self, backlog: Backlog) -> Callable[[bytes], Awaitable[None] | None]:
        """As `_on_raw_message`, with the pause that a coroutine consumer behind its backlog asks for."""
        handle, entries, high, make_room = self._on_raw_message, backlog.entries, backlog.high, backlog.make_room

        def hand_over(raw_message: bytes) -> Awaitable[None] | None:
            backlog.read_ns = perf_counter_ns()
            handle(raw_message)
            backlog.read_ns = 0
            waiting = len(entries)
            if waiting >= high or (waiting and not waiting % READ_BURST):
                return make_room()
            return None

        return hand_over

    def _on_raw_message(self, raw_message: bytes | str) -> None:
        """Frame to callback, synchronously; also the entry for benches."""
        try:
            self._handle_message(raw_message)
        except Exception as error:  # noqa: BLE001 - one frame never ends the connection loop
            self._on_error("internal", error)
            self.logger.error("Message processing failed: %s", error)

    async def _process_messages(self, backlog: Backlog) -> None:
        """Serve the coroutine consumer, in order, until closed and empty."""
        assert self.message_handler is not None
        consume, record, entries = self.message_handler, self.delivery.record, backlog.entries
        while await backlog.wait_arrival():
            while entries:
                backlog.taken_ns, message = entries.popleft()
                try:
                    await consume(message)
                except Exception as error:  # noqa: BLE001 - the consumer's error is counted, never swallowed nor fatal
                    self._on_error("callback", error)
                    self.logger.error("Message processing failed: %s", error)
                record(perf_counter_ns() - backlog.taken_ns)
                if backlog.is_paused:
                    backlog.note_taken()

    # Helpers

    async def _send(self, text: str) -> None:
        websocket = self._websocket
        if websocket is None:
            raise ConnectionEnded(1006)
        await websocket.send(text)

    async def _set_state(self, state: ConnectionState) -> None:
        # A connection that ended just before the close may still be cleaning up when the close has begun.
        is_behind_close = self._is_closing and state not in (ConnectionState.CLOSING, ConnectionState.CLOSED)
        if state is self.connection_state or is_behind_close:
            return
        self.logger.debug("Connection state: %s -> %s", self.connection_state.name, state.name)
        self.connection_state = state
        try:
            self._on_state(state)
            if self.connection_handler is not None:
                await self.connection_handler(state)
        except Exception as error:  # noqa: BLE001 - the consumer's error never stops the connection
            self._on_error("callback", error)
            self.logger.error("Connection handler failed: %s", error)

    async def _close_socket(self) -> None:
        """Close in order while the reader goes on to the last buffered frame."""
        websocket = self._websocket
        if self._backlog is not None:
            self._backlog.drain()
        if websocket is not None:
            await self._guard_close(websocket.close())
            if self._reader_task is not None and not await self._settled(self._reader_task):
                websocket.abort()
        await self._end(self._reader_task)
        self._websocket = None
        self._on_disconnected()

    async def _finish_processing(self) -> None:
        task = self._processing_task
        if self._backlog is None or task is None:
            return
        self._backlog.finish()
        if task is asyncio.current_task():
            return
        if not await self._settled(task):
            self.logger.warning("Close failed: %s", f"consumer still busy, {len(self._backlog.entries)} left")
            await self._end(task)

    async def _settled(self, task: asyncio.Task[Any]) -> bool:
        done, _ = await asyncio.wait({task}, timeout=self.config.close_timeout)
        return bool(done)

    async def _guard_close(self, step: Awaitable[None], limit_s: float | None = None) -> None:
        try:
            async with asyncio.timeout(self.config.close_timeout if limit_s is None else limit_s):
                await step
        except Exception as error:  # noqa: BLE001 - close never raises
            self.logger.warning("Close failed: %s", str(error) or "timeout")

    async def _end(self, task: asyncio.Task[Any] | None) -> None:
        """Cancel a task and wait for it; the current one is left to end by itself."""
        if task is None or task.done() or task is asyncio.current_task():
            return
        task.cancel()
        await asyncio.wait({task})
