"""The consumer's side of public data: plain callbacks, or ParsedMessages for a coroutine handler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from time import perf_counter_ns

from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
    Level,
    PublicCallbacks,
    SubscriptionEvent,
    TickerEvent,
    TradeEvent,
)
from exchanges.structs.types import (
    BookTicker,
    MessageType,
    OrderBook,
    OrderBookEntry,
    ParsedMessage,
    PublicWebsocketChannelType,
    Symbol,
    Ticker,
    Trade,
)
from infrastructure.networking.websocket.backlog import Backlog

__all__ = ["PublicWebSocketMixin"]


class PublicWebSocketMixin(ABC):
    """Where public events go.

    With a coroutine `message_handler` each event becomes a ParsedMessage in the backlog; the callbacks given are then
    called for errors and states only.
    """

    _backlog: Backlog | None
    callbacks: PublicCallbacks

    def _init_public(self, callbacks: PublicCallbacks | None) -> None:
        self._symbols: dict[str, Symbol] = {}
        self.set_callbacks(callbacks or PublicCallbacks())

    def set_callbacks(self, callbacks: PublicCallbacks) -> None:
        """Replace the consumer's callbacks; with a coroutine consumer the events go on to it."""
        self.callbacks = callbacks
        has_consumer = self._backlog is not None
        self._on_book: Callable[[BookUpdate], None] = self._queue_book if has_consumer else callbacks.on_book
        self._on_trades: Callable[[list[TradeEvent]], None] = (
            self._queue_trades if has_consumer else callbacks.on_trades
        )
        self._on_book_ticker: Callable[[BookTickerEvent], None] = (
            self._queue_book_ticker if has_consumer else callbacks.on_book_ticker
        )
        self._on_ticker: Callable[[TickerEvent], None] = self._queue_ticker if has_consumer else callbacks.on_ticker
        self._on_subscription: Callable[[SubscriptionEvent], None] = (
            self._queue_subscription if has_consumer else callbacks.on_subscription
        )

    @abstractmethod
    def symbol_of(self, name: str) -> Symbol:
        """The symbol of an exchange's spelling."""

    @abstractmethod
    def channel_name(self, channel: PublicWebsocketChannelType, name: str) -> str:
        """How the exchange calls the channel that carries this symbol."""

    def _queue(self, message: ParsedMessage) -> None:
        if self._backlog is not None:
            self._backlog.put(perf_counter_ns(), message)

    def _queue_data(
        self, kind: MessageType, channel: PublicWebsocketChannelType, name: str, data: object, timestamp: int | None
    ) -> None:
        symbol, channel_name = self.symbol_of(name), self.channel_name(channel, name)
        self._queue(ParsedMessage(kind, symbol, channel_name, data, timestamp))

    def _queue_book(self, update: BookUpdate) -> None:
        book = OrderBook(
            symbol=self.symbol_of(update.symbol),
            bids=_entries(update.bids),
            asks=_entries(update.asks),
            timestamp=update.timestamp,
            last_update_id=update.last,
            first_update_id=update.first,
            is_snapshot=update.is_snapshot,
        )
        self._queue_data(
            MessageType.ORDERBOOK, PublicWebsocketChannelType.ORDERBOOK, update.symbol, book, update.timestamp
        )

    def _queue_trades(self, trades: list[TradeEvent]) -> None:
        name = trades[0].symbol
        symbol = self.symbol_of(name)
        data = [Trade(symbol, t.price, t.quantity, t.side, t.timestamp, t.trade_id) for t in trades]
        self._queue_data(MessageType.TRADES, PublicWebsocketChannelType.TRADES, name, data, trades[-1].timestamp)

    def _queue_book_ticker(self, event: BookTickerEvent) -> None:
        data = BookTicker(
            self.symbol_of(event.symbol),
            event.bid_price,
            event.bid_quantity,
            event.ask_price,
            event.ask_quantity,
            event.timestamp,
            event.update_id,
        )
        self._queue_data(
            MessageType.BOOK_TICKER, PublicWebsocketChannelType.BOOK_TICKER, event.symbol, data, event.timestamp
        )

    def _queue_ticker(self, event: TickerEvent) -> None:
        data = Ticker(
            self.symbol_of(event.symbol),
            event.last,
            event.bid,
            event.ask,
            event.base_volume,
            event.quote_volume,
            event.high,
            event.low,
            event.timestamp,
        )
        self._queue_data(MessageType.TICKER, PublicWebsocketChannelType.TICKER, event.symbol, [data], event.timestamp)

    def _queue_subscription(self, event: SubscriptionEvent) -> None:
        if event.error is None:
            message = ParsedMessage(MessageType.SUBSCRIPTION_CONFIRM, None, event.channel, event.names)
        else:
            message = ParsedMessage(MessageType.SUBSCRIPTION_ERROR, None, event.channel, event.error)
        self._queue(message)

    def _report_unreadable(self, text: str) -> None:
        """A frame that could not be read, as the coroutine consumer sees it."""
        self._queue(ParsedMessage(MessageType.ERROR, data=text))


def _entries(levels: list[Level]) -> list[OrderBookEntry]:
    return [OrderBookEntry(price, size) for price, size in levels]
