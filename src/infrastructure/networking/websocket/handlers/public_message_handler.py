"""Public market data: routing by kind, local books, plain callbacks, and the coroutine consumer's messages."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
    PublicCallbacks,
    TradeEvent,
)
from exchanges.structs.types import PublicWebsocketChannelType, Symbol
from infrastructure.networking.websocket.book_keeper import BookKeeper, BookSource
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL, KINDS
from infrastructure.networking.websocket.handlers.consumer_message_handler import ConsumerMessageHandler
from infrastructure.networking.websocket.handlers.public_routes import (
    Route,
    book_route,
    each_route,
    plain_route,
    trades_route,
)
from infrastructure.networking.websocket.handlers.recent_trades import RecentTrades
from infrastructure.networking.websocket.handlers.sieve import TRADE, Sieve
from infrastructure.networking.websocket.mixins.public_websocket_mixin import PublicWebSocketMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import Key

__all__ = ["PublicMessageHandler"]

ORDERBOOK = int(PublicWebsocketChannelType.ORDERBOOK)
TRADES = int(PublicWebsocketChannelType.TRADES)
BOOK_TICKER = int(PublicWebsocketChannelType.BOOK_TICKER)
TICKER = int(PublicWebsocketChannelType.TICKER)


class PublicMessageHandler(PublicWebSocketMixin, ConsumerMessageHandler[PublicWebsocketChannelType]):
    """Routes public frames. An exchange gives the four parsers, detection, and the control path.

    `rest` gives the snapshots that local books are built from; without it no books are kept.
    """

    # Checklist targets of one frame for JSON: book 100 us, trade 60 us, tickers 40 us; control frames are not judged.
    TARGETS_NS: ClassVar[tuple[int, ...]] = (1_000_000_000, 100_000, 60_000, 40_000, 40_000, 0, 0, 0, 0)
    HAS_TICKER_LISTS: ClassVar[bool] = False

    def __init__(
        self,
        *args: Any,
        callbacks: PublicCallbacks | None = None,
        rest: BookSource | None = None,
        **kwargs: Any,
    ) -> None:
        self._recent_trades = self._make_recent_trades()
        super().__init__(*args, **kwargs)
        self._init_subscriptions()
        self._books = BookKeeper(self.logger, rest.fetch_book if rest is not None else None, self._deliver_book)
        self._rest = rest
        self._init_public(callbacks)

    @abstractmethod
    def _parse_orderbook(self, payload: Any) -> BookUpdate | None:
        """A book update; None when the frame changes nothing."""

    @abstractmethod
    def _parse_trades(self, payload: Any) -> list[TradeEvent] | None:
        """The trades of one frame."""

    @abstractmethod
    def _parse_book_ticker(self, payload: Any) -> BookTickerEvent | None:
        """Best bid and ask."""

    @abstractmethod
    def _parse_ticker(self, payload: Any) -> Any:
        """24-hour figures: a TickerEvent or None, with `HAS_TICKER_LISTS` a list of them."""

    @abstractmethod
    def _handle_control(self, payload: Any) -> None:
        """Pongs, answers to subscriptions, errors and notices; DecodeError for what is none of these."""

    @abstractmethod
    def symbol_name(self, symbol: Symbol) -> str:
        """The exchange's spelling."""

    def default_channels(self) -> list[PublicWebsocketChannelType]:
        """All four."""
        return list(PublicWebsocketChannelType)

    def book(self, symbol: Symbol) -> BookUpdate | None:
        """The whole local book now, best levels first; None while it is not synced."""
        return self._books.view(self.symbol_name(symbol))

    def kind_name(self, kind: int) -> str:
        """The channel type's name in small letters."""
        return "control" if kind == CONTROL else PublicWebsocketChannelType(kind).name.lower()

    def handler_metrics(self) -> dict[str, Any]:
        """As the base's, with the books' state."""
        own = {"books": self._books.metrics(), "repeated_trades": self._recent_trades.repeated}
        return super().handler_metrics() | own

    def set_callbacks(self, callbacks: PublicCallbacks) -> None:
        """As the mixin's; the routes lead to the new callbacks from the next frame on."""
        super().set_callbacks(callbacks)
        self._bind_data_routes()

    def _bind_data_routes(self) -> None:
        control = self._handle_control
        self._routes[:] = [control] * KINDS
        self._routes[ORDERBOOK] = book_route(self._parse_orderbook, self._books, self._on_book)
        self._routes[TRADES] = self._make_trades_route()
        self._routes[BOOK_TICKER] = plain_route(self._parse_book_ticker, self._on_book_ticker)
        self._routes[TICKER] = self._make_ticker_route()

    def _put_in_front(self, sieve: Sieve) -> None:
        self._on_book = sieve.books(self._on_book)
        self._on_trades = sieve.lists(TRADE, self._on_trades)
        self._on_book_ticker = sieve.last_values(self._on_book_ticker)
        self._on_ticker = sieve.last_values(self._on_ticker)

    def _make_recent_trades(self) -> RecentTrades:
        """What remembers the trades delivered; an exchange whose ids are numbers may say so."""
        return RecentTrades()

    def _make_trades_route(self) -> Route:
        """Who takes a trade frame; an exchange may leave out repetitions before it makes events."""
        return trades_route(self._parse_trades, self._recent_trades.fresh, self._on_trades)

    def _make_ticker_route(self) -> Route:
        """Who takes a ticker frame."""
        return (each_route if self.HAS_TICKER_LISTS else plain_route)(self._parse_ticker, self._on_ticker)

    def _route_message(self, kind: int, payload: Any) -> None:
        """Parse by kind and call back; a parser's None is a frame that changes nothing."""
        self._routes[kind](payload)

    def _deliver_book(self, update: BookUpdate) -> None:
        """A book rebuilt outside of a frame; the consumer's error is counted as if it were inside one."""
        try:
            self._on_book(update)
        except Exception as error:  # noqa: BLE001 - the consumer's error never stops the books
            self._on_frame_error(error)

    def _on_subscribed(self, keys: list[Key]) -> None:
        self._books.start(self.symbol_name(symbol) for channel, symbol in keys if channel == ORDERBOOK)

    def _on_unsubscribed(self, keys: list[Key]) -> None:
        self._books.stop(self.symbol_name(symbol) for channel, symbol in keys if channel == ORDERBOOK)

    def _on_disconnected(self) -> None:
        super()._on_disconnected()
        self._books.reset()

    async def _release(self) -> None:
        await self._books.close()
        if self._rest is not None:
            await self._rest.close()
