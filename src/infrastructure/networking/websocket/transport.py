"""The one seam to a WebSocket library.

A transport is chosen by name. `TRANSPORTS` maps a name to the import path of an async `open_transport(settings)`;
a faster library goes in by adding a line, or by giving such a coroutine instead of a name.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.protocol import State

from exchanges.structs.errors import ConfigurationError, TransportError
from infrastructure.networking.websocket.delivery import Deliver
from infrastructure.networking.websocket.framed_connection import FramedConnection

__all__ = [
    "TRANSPORTS",
    "ConnectFailed",
    "ConnectionEnded",
    "Deliver",
    "Opener",
    "Transport",
    "TransportSettings",
    "open_websockets",
    "resolve_transport",
]

LOOPBACK = {"127.0.0.1", "::1", "localhost"}

# The library's log. At DEBUG it tells addresses and frames, and these hold listen keys, API keys and signatures.
library_logger = logging.getLogger("websocket.library")
library_logger.setLevel(logging.INFO)


class ConnectionEnded(TransportError):
    """An open connection ended with this close code; everything received before was handed out already."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"connection closed: code {code}" + (f" ({reason})" if reason else ""))
        self.code = code


class ConnectFailed(TransportError):
    """No connection was made; `cause` is connection_refused, timeout, authentication_failure or unknown."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class TransportSettings(msgspec.Struct, frozen=True):
    """How to open one connection; seconds and bytes. `user_agent` None sends no such header.

    With `max_waiting` messages that nobody took yet nothing more is read from the socket.
    """

    url: str
    headers: Mapping[str, str] = {}
    user_agent: str | None = None
    compression: bool = False
    connect_timeout: float = 10.0
    close_timeout: float = 5.0
    max_message_size: int | None = 1024 * 1024
    max_waiting: int | None = 1000


class Transport(Protocol):
    """One open connection."""

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""

    async def pump(self, deliver: Deliver) -> None:
        """Hand on each message as bytes, then raise ConnectionEnded; wait for what `deliver` returns, if anything.

        What was received before the end comes first. A transport may call `deliver` straight from its socket.
        """

    async def send(self, text: str) -> None:
        """Send a text frame, or raise ConnectionEnded."""

    async def ping(self) -> Awaitable[object]:
        """Send a protocol ping; the awaitable is done when its pong came."""

    async def close(self) -> None:
        """Close in order, within the close timeout; frames that arrive meanwhile can still be received."""

    def abort(self) -> None:
        """Drop the connection at once."""


Opener = Callable[[TransportSettings], Awaitable[Transport]]

TRANSPORTS: dict[str, str] = {
    "websockets": "infrastructure.networking.websocket.transport:open_websockets",
    "picows": "infrastructure.networking.websocket.transport_picows:open_picows",
}


def resolve_transport(choice: str | Opener | None) -> Opener:
    """The opener of a name (default `websockets`); ConfigurationError for an unknown or missing one."""
    if choice is not None and not isinstance(choice, str):
        return choice
    name = choice or "websockets"
    if name == "websockets":
        return open_websockets
    path = TRANSPORTS.get(name)
    if path is None:
        raise ConfigurationError(f"unknown transport {name!r}; known: {', '.join(sorted(TRANSPORTS))}")
    module, _, attribute = path.partition(":")
    try:
        opener: Opener = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ConfigurationError(
            f"transport {name!r} is not installed ({error}); it comes with the extra `fast`"
        ) from error
    return opener


class _WebsocketsTransport:
    """A connection of the `websockets` library."""

    __slots__ = ("_connection",)

    def __init__(self, connection: FramedConnection) -> None:
        self._connection = connection

    @property
    def is_open(self) -> bool:
        return self._connection.state is State.OPEN

    async def pump(self, deliver: Deliver) -> None:
        try:
            await self._connection.pump(deliver)
        except ConnectionClosed as closed:
            raise self._ended(closed) from closed

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise self._ended(closed) from closed

    async def ping(self) -> Awaitable[object]:
        try:
            return await self._connection.ping()
        except ConnectionClosed as closed:
            raise self._ended(closed) from closed

    async def close(self) -> None:
        self._connection.drain_messages()
        await self._connection.close()

    def abort(self) -> None:
        self._connection.transport.abort()

    def _ended(self, closed: ConnectionClosed) -> ConnectionEnded:
        frame = closed.rcvd or (None if self._connection.protocol.close_rcvd else closed.sent)
        if frame is None:
            return ConnectionEnded(1006, str(self._connection.protocol.close_exc.__cause__ or ""))
        return ConnectionEnded(int(frame.code), frame.reason)


async def open_websockets(settings: TransportSettings) -> Transport:
    """Connect with the `websockets` library. No proxy on loopback; keep-alive is ours, not the library's."""
    options: dict[str, Any] = {}
    limits = {"max_message_size": settings.max_message_size, "max_waiting": settings.max_waiting}
    if urlsplit(settings.url).hostname in LOOPBACK:
        options["proxy"] = None
    try:
        connection = await connect(
            settings.url,
            additional_headers=dict(settings.headers) or None,
            user_agent_header=settings.user_agent,
            compression="deflate" if settings.compression else None,
            open_timeout=settings.connect_timeout,
            close_timeout=settings.close_timeout,
            ping_interval=None,
            max_size=settings.max_message_size,
            logger=library_logger,
            create_connection=partial(FramedConnection, **limits),  # type: ignore[arg-type]  # any wrapper will do
            **options,
        )
    except TimeoutError as error:
        raise ConnectFailed("timeout", f"no connection within {settings.connect_timeout:g} s") from error
    except ConnectionRefusedError as error:
        raise ConnectFailed("connection_refused", str(error)) from error
    except InvalidStatus as error:
        refused = error.response.status_code in (401, 403)
        raise ConnectFailed("authentication_failure" if refused else "unknown", str(error)) from error
    except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed, EOFError) as error:
        raise ConnectFailed("unknown", str(error) or type(error).__name__) from error
    return _WebsocketsTransport(cast(FramedConnection, connection))
