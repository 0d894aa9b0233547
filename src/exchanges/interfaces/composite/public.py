"""The market data of one exchange and market, as an application holds it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from exchanges.interfaces.composite.books import BookState, FetchBook, LocalBooks
from exchanges.interfaces.composite.connection import CreateManager, ExchangeConnection
from exchanges.structs import ExchangeRestError
from exchanges.structs.types import (
    BookTicker,
    ExchangeConfig,
    MessageType,
    OrderBook,
    PublicWebsocketChannelType,
    Symbol,
    Ticker,
    Trade,
)
from infrastructure.networking.websocket.utils import create_websocket_manager

__all__ = ["PublicExchange"]


class PublicExchange(ExchangeConnection):
    """Books, trades, best bid and ask, 24-hour figures; each message is held first, then called back with.

    Callbacks: `on_book` (each OrderBook message: an update, or with `is_snapshot` a whole book), `on_trade`,
    `on_book_ticker`, `on_ticker`, `on_state`, `on_fault`. What is said about now (books, best bid and ask, 24-hour
    figures) ends with its connection; trades, which happened, stay.

    `fetch_book` gives books over a stack that hands none over; they are UNPROVEN. Without it they are ABSENT there.
    """

    IS_PRIVATE = False

    def __init__(
        self,
        config: ExchangeConfig,
        *,
        create_manager: CreateManager = create_websocket_manager,
        fetch_book: FetchBook | None = None,
        trades_kept: int = 100,
        logger: logging.Logger | None = None,
    ) -> None:
        """`trades_kept` is a number for each symbol."""
        super().__init__(config, create_manager=create_manager, logger=logger)
        self.on_book = self._callbacks(OrderBook)
        self.on_trade = self._callbacks(Trade)
        self.on_book_ticker = self._callbacks(BookTicker)
        self.on_ticker = self._callbacks(Ticker)
        self._trades_kept = trades_kept
        self._symbols: set[Symbol] = set()
        self._books = LocalBooks(self._logger, fetch_book)
        self._trades: dict[Symbol, deque[Trade]] = {}
        self._book_tickers: dict[Symbol, BookTicker] = {}
        self._tickers: dict[Symbol, Ticker] = {}

    async def start(
        self, symbols: Iterable[Symbol] = (), channels: Sequence[PublicWebsocketChannelType] | None = None
    ) -> None:
        """Connect and subscribe to `channels` (all four unless told); returns before connected.

        ConfigurationError when it runs already, or as the factory raises it.
        """
        listed = [self._listed(symbol) for symbol in symbols]
        self._symbols = set(listed)
        await self._start(listed, channels)

    async def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Ask for more symbols; ExchangeRestError 503 offline, 400 when it could not be sent."""
        listed = [self._listed(symbol) for symbol in symbols]
        added = set(listed) - self._symbols
        self._symbols |= added
        try:
            await self._running().subscribe(listed)
        except ExchangeRestError:
            self._symbols -= added
            raise

    async def unsubscribe(self, symbols: Iterable[Symbol]) -> None:
        """Give symbols up and forget what is held of them."""
        listed = [self._listed(symbol) for symbol in symbols]
        await self._running().unsubscribe(listed)
        self._symbols.difference_update(listed)
        self._books.drop(listed)
        for symbol in listed:
            for held in (self._trades, self._book_tickers, self._tickers):
                held.pop(symbol, None)

    async def close(self) -> None:
        """As the connection's; ends the fetches under way, too."""
        await super().close()
        await self._books.close()

    def book(self, symbol: Symbol, depth: int | None = None) -> OrderBook | None:
        """A copy of the local book, best levels first, at most `depth` a side; None while it is ABSENT."""
        return self._books.view(self._listed(symbol), depth)

    def book_state(self, symbol: Symbol) -> BookState:
        """What the local book is worth now."""
        return self._books.state(self._listed(symbol))

    def trades(self, symbol: Symbol) -> list[Trade]:
        """The last trades, oldest first."""
        return list(self._trades.get(self._listed(symbol), ()))

    def book_ticker(self, symbol: Symbol) -> BookTicker | None:
        """Best bid and ask as this connection told them last."""
        return self._book_tickers.get(self._listed(symbol))

    def ticker(self, symbol: Symbol) -> Ticker | None:
        """24-hour figures as this connection told them last."""
        return self._tickers.get(self._listed(symbol))

    async def _take(self, kind: MessageType, data: Any) -> None:
        if kind is MessageType.ORDERBOOK:
            await self._take_book(data)
        elif kind is MessageType.TRADES:
            for trade in data:
                await self._take_trade(trade)
        elif kind is MessageType.BOOK_TICKER:
            if self._holds(data.symbol):
                self._book_tickers[data.symbol] = data
            await self.on_book_ticker.fire(data)
        elif kind is MessageType.TICKER:
            for ticker in data:
                await self._take_ticker(ticker)

    async def _take_book(self, book: OrderBook) -> None:
        if self._holds(book.symbol):
            self._books.take(book)
        if (failure := self._books.take_failure()) is not None:
            await self._report("book", failure)
        await self.on_book.fire(book)

    async def _take_trade(self, trade: Trade) -> None:
        if trade.symbol in self._symbols:
            self._trades.setdefault(trade.symbol, deque(maxlen=self._trades_kept)).append(trade)
        await self.on_trade.fire(trade)

    async def _take_ticker(self, ticker: Ticker) -> None:
        if self._holds(ticker.symbol):
            self._tickers[ticker.symbol] = ticker
        await self.on_ticker.fire(ticker)

    def _holds(self, symbol: Symbol) -> bool:
        """Whether a message tells of now, and of a symbol that is asked for."""
        return self._is_current and symbol in self._symbols

    def _on_lost(self) -> None:
        self._books.reset()
        self._book_tickers.clear()
        self._tickers.clear()

    def _held_metrics(self) -> dict[str, Any]:
        return {"symbols": len(self._symbols), "books": self._books.metrics()}
