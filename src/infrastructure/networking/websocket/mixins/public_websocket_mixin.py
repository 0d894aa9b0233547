"""The consumer's side of public data: plain callbacks, or ParsedMessages for a coroutine handler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import starmap

from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
    PublicCallbacks,
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
from infrastructure.networking.websocket.mixins.consumer_mixin import ConsumerMixin

__all__ = ["PublicWebSocketMixin"]

# Symbol, then the channel names of book, trades, best bid/ask, ticker.
Labels = tuple[Symbol, str, str, str, str]

ORDERBOOK, TRADES = MessageType.ORDERBOOK, MessageType.TRADES
BOOK_TICKER, TICKER = MessageType.BOOK_TICKER, MessageType.TICKER


class PublicWebSocketMixin(ConsumerMixin, ABC):
    """Where public events go; with a coroutine `message_handler` each event becomes a ParsedMessage in the backlog."""

    callbacks: PublicCallbacks

    def _init_public(self, callbacks: PublicCallbacks | None) -> None:
        self._symbols: dict[str, Symbol] = {}
        self._labels: dict[str, Labels] = {}
        self.set_callbacks(callbacks or PublicCallbacks())

    def set_callbacks(self, callbacks: PublicCallbacks) -> None:
        """Replace the consumer's callbacks; with a coroutine consumer the events go on to it."""
        has_consumer = self._bind_consumer(callbacks)
        self._on_book: Callable[[BookUpdate], None] = self._queue_book if has_consumer else callbacks.on_book
        self._on_trades: Callable[[list[TradeEvent]], None] = (
            self._queue_trades if has_consumer else callbacks.on_trades
        )
        self._on_book_ticker: Callable[[BookTickerEvent], None] = (
            self._queue_book_ticker if has_consumer else callbacks.on_book_ticker
        )
        self._on_ticker: Callable[[TickerEvent], None] = self._queue_ticker if has_consumer else callbacks.on_ticker

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
