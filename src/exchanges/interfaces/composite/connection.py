"""What public and private objects share: one manager from the injected factory, its states, and what went wrong.

A manager is known by its public API alone, so it may be of either architecture, or of both at once.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Protocol, TypeVar

from exchanges.interfaces.composite.callbacks import Callbacks
from exchanges.structs import ConfigurationError, DecodeError, ExchangeConfig, ExchangeRestError, SubscriptionError
from exchanges.structs.types import ConnectionState, MessageType, ParsedMessage, Symbol
from infrastructure.networking.websocket.migration.stacks import unit_of
from infrastructure.networking.websocket.utils import create_websocket_manager

__all__ = ["CreateManager", "ExchangeConnection", "Fault", "Manager"]

T = TypeVar("T")
SelfT = TypeVar("SelfT", bound="ExchangeConnection")


class Manager(Protocol):
    """All that is used of a manager."""

    async def initialize(self, symbols: Sequence[Symbol] | None = None, default_channels: Any = None) -> None:
        """Start; returns before connected."""

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Ask for more symbols."""

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Give symbols up."""

    def is_connected(self) -> bool:
        """Whether the connection stands."""

    def get_performance_metrics(self) -> dict[str, Any]:
        """The counters."""

    async def close(self) -> None:
        """End; never raises."""


class CreateManager(Protocol):
    """A factory of managers, as `create_websocket_manager`."""

    def __call__(
        self,
        exchange_config: ExchangeConfig,
        is_private: bool = False,
        message_handler: Callable[[ParsedMessage], Awaitable[None]] | None = None,
        connection_handler: Callable[[ConnectionState], Awaitable[None]] | None = None,
    ) -> Manager:
        """A manager, not yet initialised."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something went wrong and the stream goes on.

    `kind` is subscribe (the exchange refused one), decode (a frame that could not be read, or an error that the
    exchange sent), book (a snapshot could not be fetched), orders, balances, positions or fills (nor could what
    became of them while nobody listened) or callback (one of the application's raised).
    """

    kind: str
    error: Exception


class ExchangeConnection(ABC):
    """One connection of one exchange and market. `async with` closes it at the end.

    It can be started again after `close`; each start asks the factory, and so the flag, anew.
    """

    IS_PRIVATE: ClassVar[bool]

    def __init__(
        self,
        config: ExchangeConfig,
        *,
        create_manager: CreateManager = create_websocket_manager,
        logger: logging.Logger | None = None,
    ) -> None:
        """ConfigurationError for an exchange that nobody knows."""
        exchange, self.market = unit_of(config.name)
        self.name = f"{exchange}.{self.market}.{'private' if self.IS_PRIVATE else 'public'}"
        self.config = config
        self.on_state = self._callbacks(ConnectionState)
        self.on_fault: Callbacks[Fault] = Callbacks(self._note_fault_callback)
        self._logger = logger or logging.getLogger(f"exchange.{self.name}")
        self._create_manager = create_manager
        self._manager: Manager | None = None
        self._is_running = False
        self._state = ConnectionState.DISCONNECTED
        self._is_current = False
        self._faults = Counter[str]()

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._state

    def is_connected(self) -> bool:
        """State CONNECTED and an open socket."""
        return self._manager is not None and self._manager.is_connected()

    def metrics(self) -> dict[str, Any]:
        """`faults` by kind, what is held, and under `manager` the figures that every manager gives."""
        manager = self._manager.get_performance_metrics() if self._manager is not None else {}
        return {"faults": dict(self._faults), **self._held_metrics(), "manager": manager}

    async def close(self) -> None:
        """Close the connection and end what belongs to it; never raises, and may be called twice."""
        self._is_running = False
        if self._manager is not None:
            await self._manager.close()

    async def __aenter__(self: SelfT) -> SelfT:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _start(self, symbols: Sequence[Symbol], channels: Sequence[Any] | None) -> None:
        if self._is_running:
            raise ConfigurationError(f"{self.name} runs already; close it first, or subscribe to more symbols")
        manager = self._create_manager(self.config, self.IS_PRIVATE, self._on_message, self._on_connection)
        self._manager, self._is_running = manager, True
        try:
            await manager.initialize(symbols, channels)
        except BaseException:
            await self.close()
            raise

    def _running(self) -> Manager:
        """The manager; ExchangeRestError 503, which an offline one raises, too, where there is none."""
        if self._manager is None or not self._is_running:
            raise ExchangeRestError(503, f"{self.name} is not started")
        return self._manager

    def _listed(self, symbol: Symbol) -> Symbol:
        """The symbol as this market spells it; an application need not say `is_futures`."""
        return Symbol(symbol.base, symbol.quote, self.market == "futures")

    def _callbacks(self, _: type[T]) -> Callbacks[T]:
        return Callbacks(self._report_callback)

    async def _on_connection(self, state: ConnectionState) -> None:
        self._state = state
        if state is not ConnectionState.CONNECTED:
            self._is_current = False
            self._on_lost()
        await self.on_state.fire(state)

    async def _on_message(self, message: ParsedMessage) -> None:
        """Messages of a lost connection may still wait behind its end; a confirmation says that they are through."""
        kind = message.message_type
        if kind is MessageType.SUBSCRIPTION_CONFIRM:
            self._is_current = self._state is ConnectionState.CONNECTED
            self._on_confirmed()
        elif kind is MessageType.SUBSCRIPTION_ERROR:
            await self._report("subscribe", SubscriptionError(str(message.data)))
        elif kind is MessageType.ERROR:
            await self._report("decode", DecodeError(str(message.data)))
        else:
            await self._take(kind, message.data)

    async def _report(self, kind: str, error: Exception) -> None:
        self._faults[kind] += 1
        # What could not be read may be of an account: its text is for `on_fault`, not for the log.
        text = type(error).__name__ if kind == "decode" else error
        self._logger.warning("%s: %s fault: %s", self.name, kind, text)
        await self.on_fault.fire(Fault(kind, error))

    async def _report_callback(self, error: Exception) -> None:
        self._logger.error("%s: a callback failed", self.name, exc_info=error)
        self._faults["callback"] += 1
        await self.on_fault.fire(Fault("callback", error))

    async def _note_fault_callback(self, error: Exception) -> None:
        """The application's `on_fault` itself failed: there is nobody left to tell but the log."""
        self._faults["callback"] += 1
        self._logger.error("%s: on_fault failed", self.name, exc_info=error)

    @abstractmethod
    async def _take(self, kind: MessageType, data: Any) -> None:
        """Data of one message: hold it, then call back."""

    @abstractmethod
    def _on_lost(self) -> None:
        """The connection is not there: what was said about now is not certain any more."""

    def _on_confirmed(self) -> None:  # noqa: B027 - few care
        """A subscription stands; from now on nothing of its channel is missed."""

    @abstractmethod
    def _held_metrics(self) -> dict[str, Any]:
        """How much is held."""
