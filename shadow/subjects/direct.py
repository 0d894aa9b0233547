"""The new stack's door `direct`: typed events in plain callbacks, as protocol event lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from exchanges.structs import ConnectionState, ExchangeConfig
from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
    PublicCallbacks,
    SubscriptionEvent,
    TickerEvent,
    TradeEvent,
)
from shadow.subjects.emit import Emitter

__all__ = ["DirectDoor", "typed_callbacks"]


class DirectDoor:
    """A connection behind the same four calls as a manager's."""

    def __init__(self, exchange: str, config: ExchangeConfig, callbacks: PublicCallbacks) -> None:
        builder = import_module(f"exchanges.integrations.{exchange}.builder")
        self._connection = builder.build_direct(config, callbacks)

    async def initialize(self, symbols: Sequence[Any], channels: Sequence[Any]) -> None:
        """Connect and subscribe in the background."""
        await self._connection.start(symbols, channels)

    async def subscribe(self, symbols: Sequence[Any]) -> None:
        """Subscribe more symbols."""
        await self._connection.subscribe(symbols)

    async def unsubscribe(self, symbols: Sequence[Any]) -> None:
        """Unsubscribe symbols."""
        await self._connection.unsubscribe(symbols)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


def typed_callbacks(
    emitter: Emitter, connection: str, burn: Callable[[], None] | None, state: Callable[[str], None]
) -> PublicCallbacks:
    """The consumer's callbacks for one connection; `t` is taken first thing, after the busy loop where one is asked."""
    put = emitter.put

    def now() -> int:
        if burn is not None:
            burn()
        return perf_counter_ns()

    def head(t: int, kind: str, symbol: str) -> dict[str, Any]:
        return {"k": "event", "c": connection, "t": t, "type": kind, "symbol": symbol}

    def on_book(book: BookUpdate) -> None:
        t = now()
        versions = {"first": book.first, "last": book.last, "snapshot": book.is_snapshot}
        put(head(t, "book", book.symbol) | versions | {"bids": book.bids, "asks": book.asks, "ts": book.timestamp})

    def on_trades(trades: list[TradeEvent]) -> None:
        t = now()
        for trade in trades:
            body = {"id": trade.trade_id, "price": trade.price, "quantity": trade.quantity, "side": trade.side}
            put(head(t, "trade", trade.symbol) | body | {"ts": trade.timestamp})

    def on_book_ticker(best: BookTickerEvent) -> None:
        t = now()
        bid = {"bid": best.bid_price, "bid_quantity": best.bid_quantity}
        ask = {"ask": best.ask_price, "ask_quantity": best.ask_quantity}
        put(head(t, "book_ticker", best.symbol) | bid | ask | {"seq": best.update_id, "ts": best.timestamp})

    def on_ticker(ticker: TickerEvent) -> None:
        t = now()
        prices = {"last": ticker.last, "bid": ticker.bid, "ask": ticker.ask, "high": ticker.high, "low": ticker.low}
        volumes = {"base_volume": ticker.base_volume, "quote_volume": ticker.quote_volume}
        put(head(t, "ticker", ticker.symbol) | prices | volumes | {"ts": ticker.timestamp})

    def on_subscription(event: SubscriptionEvent) -> None:
        if event.error is None:
            state("subscribed")

    def on_error(kind: str, message: str) -> None:
        put({"k": "error", "c": connection, "t": perf_counter_ns(), "kind": kind, "message": message[:500]})

    def on_state(new_state: ConnectionState) -> None:
        state("closed" if new_state is ConnectionState.CLOSING else new_state.value)

    return PublicCallbacks(on_book, on_trades, on_book_ticker, on_ticker, on_subscription, on_error, on_state)
