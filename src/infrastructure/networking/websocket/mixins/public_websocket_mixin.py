"""The consumer's side of public data: plain callbacks, or ParsedMessages for a coroutine handler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import starmap

from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
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

# Symbol, then the channel names of book, trades, best bid/ask, ticker.
Labels = tuple[Symbol, str, str, str, str]

ORDERBOOK, TRADES = MessageType.ORDERBOOK, MessageType.TRADES
BOOK_TICKER, TICKER = MessageType.BOOK_TICKER, MessageType.TICKER


def _discard(_: ParsedMessage) -> None:
    """Where messages go that nobody asked for."""


class PublicWebSocketMixin(ABC):
    """Where public events go.

    With a coroutine `message_handler` each event becomes a ParsedMessage in the backlog; the callbacks given are then
    called for errors and states only.
    """

    _backlog: Backlog | None
    callbacks: PublicCallbacks

    def _init_public(self, callbacks: PublicCallbacks | None) -> None:
        self._symbols: dict[str, Symbol] = {}
        self._labels: dict[str, Labels] = {}
        self.set_callbacks(callbacks or PublicCallbacks())

    def set_callbacks(self, callbacks: PublicCallbacks) -> None:
        """Replace the consumer's callbacks; with a coroutine consumer the events go on to it."""
        self.callbacks = callbacks
        has_consumer = self._backlog is not None
        self._queue: Callable[[ParsedMessage], None] = self._backlog.put if self._backlog is not None else _discard
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

    def _labels_of(self, name: str) -> Labels:
        """Symbol and channel names of an exchange's spelling, worked out once."""
        symbol = self.symbol_of(name)
        book, trades, best, ticker = (self.channel_name(channel, name) for channel in PublicWebsocketChannelType)
        labels = self._labels[name] = (symbol, book, trades, best, ticker)
        return labels

    def _queue_book(self, update: BookUpdate) -> None:
        name, timestamp = update.symbol, update.timestamp
        symbol, channel, _, _, _ = self._labels.get(name) or self._labels_of(name)
        book = OrderBook(
            symbol,
            list(starmap(OrderBookEntry, update.bids)),
            list(starmap(OrderBookEntry, update.asks)),
            timestamp,
            update.last,
            update.first,
            update.is_snapshot,
        )
        self._queue(ParsedMessage(ORDERBOOK, symbol, channel, book, timestamp))

    def _queue_trades(self, trades: list[TradeEvent]) -> None:
        name = trades[0].symbol
        symbol, _, channel, _, _ = self._labels.get(name) or self._labels_of(name)
        data = [Trade(symbol, t.price, t.quantity, t.side, t.timestamp, t.trade_id) for t in trades]
        self._queue(ParsedMessage(TRADES, symbol, channel, data, trades[-1].timestamp))

    def _queue_book_ticker(self, event: BookTickerEvent) -> None:
        name, timestamp = event.symbol, event.timestamp
        symbol, _, _, channel, _ = self._labels.get(name) or self._labels_of(name)
        data = BookTicker(
            symbol,
            event.bid_price,
            event.bid_quantity,
            event.ask_price,
            event.ask_quantity,
            timestamp,
            event.update_id,
        )
        self._queue(ParsedMessage(BOOK_TICKER, symbol, channel, data, timestamp))

    def _queue_ticker(self, event: TickerEvent) -> None:
        name, timestamp = event.symbol, event.timestamp
        symbol, _, _, _, channel = self._labels.get(name) or self._labels_of(name)
        data = Ticker(
            symbol,
            event.last,
            event.bid,
            event.ask,
            event.base_volume,
            event.quote_volume,
            event.high,
            event.low,
            timestamp,
        )
        self._queue(ParsedMessage(TICKER, symbol, channel, [data], timestamp))

    def _queue_subscription(self, event: SubscriptionEvent) -> None:
        if event.error is None:
            message = ParsedMessage(MessageType.SUBSCRIPTION_CONFIRM, None, event.channel, event.names)
        else:
            message = ParsedMessage(MessageType.SUBSCRIPTION_ERROR, None, event.channel, event.error)
        self._queue(message)

    def _report_unreadable(self, text: str) -> None:
        """A frame that could not be read, as the coroutine consumer sees it."""
        self._queue(ParsedMessage(MessageType.ERROR, data=text))
