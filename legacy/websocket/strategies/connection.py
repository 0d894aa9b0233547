"""How one exchange is connected to, kept alive and retried."""

from __future__ import annotations

from abc import ABC, abstractmethod

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchanges.structs import AuthenticationError, ConnectionContext, ReconnectionPolicy

__all__ = ["ConnectionStrategy"]

_UNAUTHORISED = (401, 403)


class ConnectionStrategy(ABC):
    """One exchange's connection; holds the socket it made last."""

    def __init__(self) -> None:
        self._websocket: ClientConnection | None = None

    @abstractmethod
    async def connect(self) -> ClientConnection:
        """Open a socket and keep it; raises what the transport raises."""

    @abstractmethod
    def get_reconnection_policy(self) -> ReconnectionPolicy:
        """Attempts and delays after a failed attempt."""

    @abstractmethod
    def create_connection_context(self) -> ConnectionContext:
        """Address, headers, ping times, and whether `authenticate` is asked for."""

    async def authenticate(self) -> bool:
        """Authenticate the open socket; nothing to do on public connections."""
        return True

    @abstractmethod
    async def handle_heartbeat(self) -> None:
        """Send what the exchange wants each heartbeat interval."""

    def should_reconnect(self, exc: Exception) -> bool:
        """Whether another attempt may help after `exc`."""
        return self.classify_error(exc) != "authentication_failure"

    def classify_error(self, exc: Exception) -> str:
        """One of abnormal_closure, connection_refused, timeout, authentication_failure, unknown."""
        if isinstance(exc, ConnectionClosed):
            return "abnormal_closure"
        if isinstance(exc, ConnectionRefusedError):
            return "connection_refused"
        if isinstance(exc, TimeoutError):
            return "timeout"
        if isinstance(exc, AuthenticationError):
            return "authentication_failure"
        if isinstance(exc, InvalidStatus) and exc.response.status_code in _UNAUTHORISED:
            return "authentication_failure"
        return "unknown"

    async def disconnect(self) -> None:
        """Close the socket made last, if there is one."""
        if self._websocket is not None:
            await self._websocket.close()
            self._websocket = None

    async def cleanup(self) -> None:
        """Let go of what the strategy holds; called once, at the end of the manager's close."""
        self._websocket = None
