"""An account's data: routing by kind, exactly once, plain callbacks, and the coroutine consumer's messages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from exchanges.structs.errors import ExchangeRestError
from exchanges.structs.events import PrivateCallbacks
from exchanges.structs.types import Balance, Fill, Order, Position, PrivateWebsocketChannelType, Symbol
from infrastructure.networking.websocket.handlers import sieve as sieves
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL, KINDS
from infrastructure.networking.websocket.handlers.consumer_message_handler import ConsumerMessageHandler
from infrastructure.networking.websocket.handlers.recent_account import RecentFills, RecentOrders, RecentStates
from infrastructure.networking.websocket.handlers.sieve import Sieve
from infrastructure.networking.websocket.mixins.private_websocket_mixin import PrivateWebSocketMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import PrivateKey

__all__ = ["EVERY_SYMBOL", "PrivateMessageHandler"]

Route = Callable[[Any], None]

TRADE = int(PrivateWebsocketChannelType.TRADE)
BALANCE = int(PrivateWebsocketChannelType.BALANCE)
ORDER = int(PrivateWebsocketChannelType.ORDER)
POSITION = int(PrivateWebsocketChannelType.POSITION)

# Stands in a subscription's key where the public ones have a symbol: a private channel covers the whole account.
EVERY_SYMBOL = Symbol("!all", "")


def list_route(
    parse: Callable[[Any], list[Any]],
    fresh: Callable[[list[Any]], list[Any]],
    call_back: Callable[[list[Any]], None],
) -> Route:
    """What a frame holds and was not delivered before, in one call."""

    def take(payload: Any) -> None:
        items = fresh(parse(payload))
        if items:
            call_back(items)

    return take


class PrivateMessageHandler(PrivateWebSocketMixin, ConsumerMessageHandler[PrivateWebsocketChannelType]):
    """Routes an account's frames. An exchange gives the parsers, detection, the control path, and its AuthMixin.

    A channel covers every symbol, so symbols are not subscribed one by one. What was delivered is remembered over
    reconnects: a fill comes once by symbol and id; an order, a balance and a position once in each state, and no state
    of an order behind a later one.
    """

    # Targets of one frame: trade 60 us, the others 100 us; control frames are not judged.
    TARGETS_NS: ClassVar[tuple[int, ...]] = (1_000_000_000, 0, 0, 0, 0, 60_000, 100_000, 100_000, 100_000)

    def __init__(self, *args: Any, callbacks: PrivateCallbacks | None = None, **kwargs: Any) -> None:
        self._recent_fills = RecentFills()
        self._recent_orders = RecentOrders()
        self._recent_balances = RecentStates(Balance, "asset", "symbol")
        self._recent_positions = RecentStates(Position, "symbol", "mode")
        super().__init__(*args, **kwargs)
        self._init_subscriptions()
        self.set_callbacks(callbacks or PrivateCallbacks())

    @abstractmethod
    def _parse_orders(self, payload: Any) -> list[Order]:
        """The states of own orders in one frame."""

    @abstractmethod
    def _parse_fills(self, payload: Any) -> list[Fill]:
        """The own trades in one frame."""

    @abstractmethod
    def _parse_balances(self, payload: Any) -> list[Balance]:
        """The balances in one frame."""

    @abstractmethod
    def _parse_positions(self, payload: Any) -> list[Position]:
        """The positions in one frame."""

    @abstractmethod
    def _handle_control(self, payload: Any) -> None:
        """Pongs, answers, errors and notices; DecodeError for what is none of these."""

    def default_channels(self) -> list[PrivateWebsocketChannelType]:
        """Orders, own trades and balances; a futures handler adds positions."""
        return [
            PrivateWebsocketChannelType.ORDER,
            PrivateWebsocketChannelType.TRADE,
            PrivateWebsocketChannelType.BALANCE,
        ]

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Nothing more to ask for: the channels cover every symbol. ExchangeRestError 503 when offline."""
        if not self.is_connected():
            raise ExchangeRestError(503, "WebSocket not connected")

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Nothing to give up: no channel is of one symbol."""
        return

    def kind_name(self, kind: int) -> str:
        """The channel type's name in small letters."""
        return "control" if kind == CONTROL else PrivateWebsocketChannelType(kind).name.lower()

    def handler_metrics(self) -> dict[str, Any]:
        """As the base's, with what came twice."""
        return super().handler_metrics() | {
            "repeated_fills": self._recent_fills.repeated,
            "repeated_orders": self._recent_orders.repeated,
            "late_orders": self._recent_orders.late,
            "repeated_balances": self._recent_balances.repeated,
            "repeated_positions": self._recent_positions.repeated,
        }

    def set_callbacks(self, callbacks: PrivateCallbacks) -> None:
        """As the mixin's; the routes lead to the new callbacks from the next frame on."""
        super().set_callbacks(callbacks)
        self._bind_data_routes()

    def _bind_data_routes(self) -> None:
        self._routes[:] = [self._handle_control] * KINDS
        self._routes[ORDER] = list_route(self._parse_orders, self._recent_orders.fresh, self._on_orders)
        self._routes[TRADE] = list_route(self._parse_fills, self._recent_fills.fresh, self._on_fills)
        self._routes[BALANCE] = list_route(self._parse_balances, self._recent_balances.fresh, self._on_balances)
        self._routes[POSITION] = list_route(self._parse_positions, self._recent_positions.fresh, self._on_positions)

    def _put_in_front(self, sieve: Sieve) -> None:
        self._on_orders = sieve.lists(sieves.ORDER, self._on_orders)
        self._on_fills = sieve.lists(sieves.FILL, self._on_fills)
        self._on_balances = sieve.lists(sieves.BALANCE, self._on_balances)
        self._on_positions = sieve.lists(sieves.POSITION, self._on_positions)

    def _route_message(self, kind: int, payload: Any) -> None:
        """Parse by kind and call back; an empty list is a frame that changes nothing."""
        self._routes[kind](payload)

    def _keys_of(self, symbols: Any) -> list[PrivateKey]:
        return [(channel, EVERY_SYMBOL) for channel in self.channels]

    def _log_subscribed(self, keys: list[PrivateKey]) -> None:
        if keys:
            self.logger.info("Subscribed to %d private channels", len(keys))
