"""The consumer's side of an account: plain callbacks, or ParsedMessages for a coroutine handler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from exchanges.structs.events import PrivateCallbacks
from exchanges.structs.types import (
    Balance,
    Fill,
    MessageType,
    Order,
    ParsedMessage,
    Position,
    PrivateWebsocketChannelType,
    Symbol,
)
from infrastructure.networking.websocket.mixins.consumer_mixin import ConsumerMixin

__all__ = ["PrivateWebSocketMixin"]

Channel = PrivateWebsocketChannelType


class PrivateWebSocketMixin(ConsumerMixin, ABC):
    """Where an account's events go; with a coroutine `message_handler` each list becomes a ParsedMessage."""

    callbacks: PrivateCallbacks

    def set_callbacks(self, callbacks: PrivateCallbacks) -> None:
        """Replace the consumer's callbacks; with a coroutine consumer the events go on to it."""
        has_consumer = self._bind_consumer(callbacks)
        self._on_orders: Callable[[list[Order]], None] = self._queue_orders if has_consumer else callbacks.on_orders
        self._on_fills: Callable[[list[Fill]], None] = self._queue_fills if has_consumer else callbacks.on_fills
        self._on_balances: Callable[[list[Balance]], None] = (
            self._queue_balances if has_consumer else callbacks.on_balances
        )
        self._on_positions: Callable[[list[Position]], None] = (
            self._queue_positions if has_consumer else callbacks.on_positions
        )

    @abstractmethod
    def channel_name(self, channel: PrivateWebsocketChannelType) -> str:
        """How the exchange calls a channel."""

    def _queue_orders(self, orders: list[Order]) -> None:
        self._queue_list(MessageType.ORDER, Channel.ORDER, orders)

    def _queue_fills(self, fills: list[Fill]) -> None:
        self._queue_list(MessageType.TRADE, Channel.TRADE, fills)

    def _queue_balances(self, balances: list[Balance]) -> None:
        self._queue_list(MessageType.BALANCE, Channel.BALANCE, balances)

    def _queue_positions(self, positions: list[Position]) -> None:
        self._queue_list(MessageType.POSITION, Channel.POSITION, positions)

    def _queue_list(
        self, kind: MessageType, channel: PrivateWebsocketChannelType, data: Sequence[Order | Fill | Balance | Position]
    ) -> None:
        self._queue(ParsedMessage(kind, _common_symbol(data), self.channel_name(channel), data, data[-1].timestamp))


def _common_symbol(data: Sequence[Order | Fill | Balance | Position]) -> Symbol | None:
    """The symbol of all of them; None where they differ, or where there is none."""
    first = data[0].symbol
    return first if all(one.symbol == first for one in data) else None
