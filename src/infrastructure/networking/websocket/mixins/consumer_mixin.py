"""The consumer's side that public and private data share: answers to subscriptions, errors, states."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from exchanges.structs.events import PrivateCallbacks, PublicCallbacks, SubscriptionEvent
from exchanges.structs.types import MessageType, ParsedMessage
from infrastructure.networking.websocket.backlog import Backlog

__all__ = ["ConsumerMixin"]


def _discard(_: ParsedMessage) -> None:
    """Where messages go that nobody asked for."""


class ConsumerMixin:
    """Where events go: to plain callbacks, or as ParsedMessages into the backlog of a coroutine `message_handler`.

    With such a consumer the callbacks given are called for errors and states only.
    """

    _backlog: Backlog | None
    callbacks: PublicCallbacks | PrivateCallbacks

    if TYPE_CHECKING:  # the scope's mixin gives it; a body here would hide its own

        def set_callbacks(self, callbacks: Any) -> None: ...

    def _bind_consumer(self, callbacks: PublicCallbacks | PrivateCallbacks) -> bool:
        """Bind what both scopes share; True where a coroutine consumer takes the events."""
        self.callbacks = callbacks
        has_consumer = self._backlog is not None
        self._queue: Callable[[ParsedMessage], None] = self._backlog.put if self._backlog is not None else _discard
        self._on_subscription: Callable[[SubscriptionEvent], None] = (
            self._queue_subscription if has_consumer else callbacks.on_subscription
        )
        return has_consumer

    def _queue_subscription(self, event: SubscriptionEvent) -> None:
        if event.error is None:
            message = ParsedMessage(MessageType.SUBSCRIPTION_CONFIRM, None, event.channel, event.names)
        else:
            message = ParsedMessage(MessageType.SUBSCRIPTION_ERROR, None, event.channel, event.error)
        self._queue(message)

    def _report_unreadable(self, text: str) -> None:
        """A frame that could not be read, as the coroutine consumer sees it."""
        self._queue(ParsedMessage(MessageType.ERROR, data=text))
