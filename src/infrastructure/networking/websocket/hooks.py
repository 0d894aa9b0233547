"""What an exchange, a scope or a consumer decides about a connection; the mixins and handlers fill it in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from exchanges.structs.types import ConnectionState, ReconnectionPolicy, Symbol
from infrastructure.networking.websocket.transport import Transport

__all__ = ["ConnectionHooks"]


class ConnectionHooks(ABC):
    """The open places of BaseWebSocketInterface; the abstract ones have to be filled."""

    @abstractmethod
    def _handle_message(self, raw_message: Any) -> None:
        """Take one frame, synchronously. Errors of one frame stay with that frame."""

    @abstractmethod
    async def connect(self) -> Transport:
        """Open the socket."""

    @abstractmethod
    def get_reconnection_policy(self) -> ReconnectionPolicy:
        """How often and how fast to try again."""

    @abstractmethod
    def should_reconnect(self, error: Exception) -> bool:
        """Whether another attempt can help."""

    @abstractmethod
    def classify_error(self, error: Exception) -> str:
        """A word for the log line and the metrics."""

    @abstractmethod
    def requires_authentication(self) -> bool:
        """Whether `authenticate` must succeed before subscribing."""

    @abstractmethod
    async def authenticate(self) -> bool:
        """Prove who we are; raises AuthenticationError."""

    @abstractmethod
    def create_heartbeat_message(self) -> str | None:
        """The application ping, None for a protocol ping."""

    @abstractmethod
    def heartbeat_interval(self) -> float | None:
        """Seconds between pings, None for no keep-alive."""

    @abstractmethod
    async def _restore_subscriptions(self) -> None:
        """Send what the new connection has to be subscribed to."""

    @abstractmethod
    def frames_received(self) -> int:
        """How many frames came in, over all connections."""

    def set_subscriptions(self, symbols: list[Symbol], channels: list[Any]) -> None:
        """What to subscribe on the first connect."""
        return

    def _on_disconnected(self) -> None:
        """Forget what held for the connection that ended."""
        return

    def _on_state(self, state: ConnectionState) -> None:
        """A plain look at each state change."""
        return

    async def _wind_up(self) -> None:
        """End what runs beside the connection; it is about to be closed."""
        return

    async def _release(self) -> None:
        """Give back what the handler holds besides the socket."""
        return
