"""What public and private handlers share: subscriptions and the consumer's answers, errors and states."""

from __future__ import annotations

from abc import abstractmethod

from exchanges.structs.errors import DecodeError, SubscriptionError
from exchanges.structs.events import SubscriptionEvent
from exchanges.structs.types import ConnectionState
from infrastructure.networking.websocket.handlers.base_message_handler import BaseMessageHandler
from infrastructure.networking.websocket.handlers.sieve import Sieve
from infrastructure.networking.websocket.mixins.consumer_mixin import ConsumerMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import ChannelT, SubscriptionMixin

__all__ = ["ConsumerMessageHandler"]


class ConsumerMessageHandler(SubscriptionMixin[ChannelT], ConsumerMixin, BaseMessageHandler):
    """A message handler with subscriptions and a consumer; the scope adds what its data are."""

    def _bind_data_routes(self) -> None:
        """Let the routes lead to the consumer's callbacks as they are bound now."""
        return

    @abstractmethod
    def _put_in_front(self, sieve: Sieve) -> None:
        """Let every event pass a sieve on its way to the consumer, until the callbacks are bound again."""

    def _deliver_subscription(self, event: SubscriptionEvent) -> None:
        if event.error is not None:
            self._on_error("subscribe", SubscriptionError(event.error))
        self._on_subscription(event)

    def _on_frame_error(self, error: Exception) -> None:
        super()._on_frame_error(error)
        if isinstance(error, DecodeError):
            self._report_unreadable(str(error))

    def _on_error(self, kind: str, error: BaseException) -> None:
        super()._on_error(kind, error)
        self.callbacks.on_error(kind, str(error))

    def _on_state(self, state: ConnectionState) -> None:
        self.callbacks.on_state(state)

    def _on_disconnected(self) -> None:
        self._reset_subscriptions()
