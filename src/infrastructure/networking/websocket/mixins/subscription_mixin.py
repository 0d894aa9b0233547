"""What a connection is subscribed to: wanted, asked, confirmed, refused.

`wanted` outlives connections and is what each new one asks for. A key gets into `active` by the exchange's answer
alone. A refused key leaves `wanted`: nobody asks again behind the caller's back.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from exchanges.structs.errors import ConfigurationError, ExchangeRestError, TransportError
from exchanges.structs.events import SubscriptionEvent
from exchanges.structs.types import (
    PrivateWebsocketChannelType,
    PublicWebsocketChannelType,
    SubscriptionAction,
    Symbol,
)

__all__ = [
    "ChannelT",
    "Key",
    "PrivateKey",
    "PrivateSubscriptionRequest",
    "Request",
    "SubscriptionMixin",
    "SubscriptionRequest",
]

ChannelT = TypeVar("ChannelT", PublicWebsocketChannelType, PrivateWebsocketChannelType)
Key = tuple[PublicWebsocketChannelType, Symbol]
PrivateKey = tuple[PrivateWebsocketChannelType, Symbol]


class Request(msgspec.Struct, Generic[ChannelT]):
    """One frame to send: its id, text, and the keys it is about; `channel` and `names` as on the wire."""

    id: int
    text: str
    keys: list[tuple[ChannelT, Symbol]]
    channel: str | None
    names: list[str]
    action: SubscriptionAction = SubscriptionAction.SUBSCRIBE


SubscriptionRequest = Request[PublicWebsocketChannelType]
PrivateSubscriptionRequest = Request[PrivateWebsocketChannelType]


class SubscriptionMixin(ABC, Generic[ChannelT]):
    """Keeps the subscriptions of one connection; the exchange's subclass writes frames and reads answers."""

    logger: logging.Logger
    _is_confirmed: bool

    def _init_subscriptions(self) -> None:
        self.channels: list[ChannelT] = []
        self._wanted: dict[tuple[ChannelT, Symbol], None] = {}
        self._active: set[tuple[ChannelT, Symbol]] = set()
        self._asked: dict[int, Request[ChannelT]] = {}
        self._last_id = 0

    @abstractmethod
    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[tuple[ChannelT, Symbol]]
    ) -> list[Request[ChannelT]]:
        """The frames that (un)subscribe these keys."""

    @abstractmethod
    def default_channels(self) -> list[ChannelT]:
        """All channels of this connection's scope and market, asked for where the caller names none."""

    if TYPE_CHECKING:  # the interface gives these; a body here would hide its own

        def is_connected(self) -> bool: ...

        async def _send(self, text: str) -> None: ...

    @abstractmethod
    def _deliver_subscription(self, event: SubscriptionEvent) -> None:
        """Hand the exchange's answer to the consumer."""

    def _on_subscribed(self, keys: list[tuple[ChannelT, Symbol]]) -> None:
        """These keys were confirmed."""
        return

    def _on_unsubscribed(self, keys: list[tuple[ChannelT, Symbol]]) -> None:
        """Nobody wants these keys any more."""
        return

    @property
    def wanted_symbols(self) -> list[Symbol]:
        """Symbols that a new connection asks for."""
        return list(dict.fromkeys(symbol for _, symbol in self._wanted))

    @property
    def active_symbols(self) -> set[Symbol]:
        """Symbols with at least one confirmed channel on this connection."""
        return {symbol for _, symbol in self._active}

    def set_subscriptions(self, symbols: list[Symbol], channels: list[ChannelT]) -> None:
        """What the first connect asks for; also the channels of later subscribe calls.

        ValueError for what is no channel type, ConfigurationError for a channel that this connection does not have.
        """
        known = self.default_channels()
        channel_type = type(known[0])
        self.channels = [channel_type(channel) for channel in channels] or known
        if foreign := [channel.name for channel in self.channels if channel not in known]:
            raise ConfigurationError(f"this connection has no {', '.join(foreign)} channel")
        self._wanted.update(dict.fromkeys(self._keys_of(symbols)))

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Ask for these symbols on all channels.

        ExchangeRestError 503 when offline and 400 when the send failed; both forget the symbols.
        """
        if not self.is_connected():
            raise ExchangeRestError(503, "WebSocket not connected")
        keys = [key for key in self._keys_of(symbols) if key not in self._wanted]
        self._wanted.update(dict.fromkeys(keys))
        try:
            await self._ask(SubscriptionAction.SUBSCRIBE, keys)
        except (TransportError, TypeError, ValueError) as error:
            self._forget(keys)
            raise ExchangeRestError(400, f"subscribe failed: {error}") from error
        self._log_subscribed(keys)

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Give these symbols up, offline too, where it holds for the next connection. A failed send is only logged."""
        gone = set(symbols)
        keys = [key for key in self._wanted if key[1] in gone]
        self._forget(keys)
        self._on_unsubscribed(keys)
        if not keys or not self.is_connected():
            return
        try:
            await self._ask(SubscriptionAction.UNSUBSCRIBE, keys)
        except TransportError as error:
            self.logger.error("Unsubscribe failed: %s", error)
            return
        self.logger.info("Unsubscribed from %d symbols", _count_symbols(keys))

    async def _restore_subscriptions(self) -> None:
        """Ask for exactly what is wanted, on a new connection."""
        keys = list(self._wanted)
        await self._ask(SubscriptionAction.SUBSCRIBE, keys)
        self._log_subscribed(keys)

    def _reset_subscriptions(self) -> None:
        """The connection is gone, and with it what was asked and confirmed."""
        self._active.clear()
        self._asked.clear()

    async def _ask(self, action: SubscriptionAction, keys: list[tuple[ChannelT, Symbol]]) -> None:
        if not keys:
            return
        for request in self.create_subscription_messages(action, keys):
            self._asked[request.id] = request
            await self._send(request.text)

    def _log_subscribed(self, keys: list[tuple[ChannelT, Symbol]]) -> None:
        if keys:
            self.logger.info("Subscribed to %d symbols", _count_symbols(keys))

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _confirm(self, request: Request[ChannelT], keys: list[tuple[ChannelT, Symbol]], names: list[str]) -> None:
        """The exchange accepted these keys of a request."""
        self._settle(request, keys)
        accepted: list[tuple[ChannelT, Symbol]] = []
        if request.action is SubscriptionAction.SUBSCRIBE:
            accepted = [key for key in keys if key in self._wanted]
            self._active.update(accepted)
        is_complete = self._note_completeness()
        self._deliver_subscription(SubscriptionEvent(request.channel, names, complete=is_complete))
        self._on_subscribed(accepted)

    def _refuse(
        self, request: Request[ChannelT], keys: list[tuple[ChannelT, Symbol]], names: list[str], text: str
    ) -> None:
        """The exchange refused these keys: they are given up and reported."""
        self._settle(request, keys)
        if request.action is SubscriptionAction.SUBSCRIBE:
            self._forget(keys)
            self._on_unsubscribed(keys)
        is_complete = self._note_completeness()
        self._deliver_subscription(SubscriptionEvent(request.channel, names, error=text, complete=is_complete))

    def _note_completeness(self) -> bool:
        """Whether all that is wanted is confirmed; such a connection was a good one, whatever ends it."""
        is_complete = not self._asked and bool(self._active) and self._active.issuperset(self._wanted)
        self._is_confirmed = self._is_confirmed or is_complete
        return is_complete

    def _settle(self, request: Request[ChannelT], keys: list[tuple[ChannelT, Symbol]]) -> None:
        """These keys are answered; a request is done when all its keys are."""
        request.keys = [key for key in request.keys if key not in keys]
        if not request.keys:
            self._asked.pop(request.id, None)

    def _forget(self, keys: Iterable[tuple[ChannelT, Symbol]]) -> None:
        for key in keys:
            self._wanted.pop(key, None)
            self._active.discard(key)

    def _keys_of(self, symbols: Iterable[Symbol]) -> list[tuple[ChannelT, Symbol]]:
        return [(channel, symbol) for channel in self.channels for symbol in symbols]


def _count_symbols(keys: Iterable[tuple[ChannelT, Symbol]]) -> int:
    return len({symbol for _, symbol in keys})
