"""The new stack's door `direct`: typed events in plain callbacks, as protocol event lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any

from exchanges.structs import Balance, ConnectionState, ExchangeConfig, Fill, Order, Position, Symbol
from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
    PrivateCallbacks,
    PublicCallbacks,
    SubscriptionEvent,
    TickerEvent,
    TradeEvent,
)
from infrastructure.networking.websocket.migration.lines import balance_line, fill_line, order_line, position_line
from shadow.subjects.emit import Emitter

__all__ = ["DirectDoor", "typed_callbacks", "typed_private_callbacks"]


class DirectDoor:
    """A connection behind the same four calls as a manager's."""

    def __init__(
        self,
        exchange: str,
        config: ExchangeConfig,
        callbacks: PublicCallbacks | PrivateCallbacks,
        is_private: bool,
        options: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        builder = import_module(f"exchanges.integrations.{exchange}.builder")
        self._connection = builder.build_direct(config, callbacks, is_private, **options)

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

    on_subscription, on_error, on_state = _reporting(put, connection, state)
    return PublicCallbacks(on_book, on_trades, on_book_ticker, on_ticker, on_subscription, on_error, on_state)


def typed_private_callbacks(
    emitter: Emitter,
    connection: str,
    names: Mapping[Symbol, str],
    burn: Callable[[], None] | None,
    state: Callable[[str], None],
) -> PrivateCallbacks:
    """As `typed_callbacks`, for an account; `names` gives the start line's spelling of a symbol."""
    put = emitter.put

    def now() -> int:
        if burn is not None:
            burn()
        return perf_counter_ns()

    def spelt(symbol: Symbol) -> str:
        return names.get(symbol) or f"{symbol.base}_{symbol.quote}"

    def on_orders(orders: list[Order]) -> None:
        t = now()
        for order in orders:
            order_line(put, connection, t, spelt(order.symbol), order)

    def on_fills(fills: list[Fill]) -> None:
        t = now()
        for fill in fills:
            fill_line(put, connection, t, spelt(fill.symbol), fill)

    def on_balances(balances: list[Balance]) -> None:
        t = now()
        for balance in balances:
            balance_line(put, connection, t, None, balance)

    def on_positions(positions: list[Position]) -> None:
        t = now()
        for position in positions:
            position_line(put, connection, t, spelt(position.symbol), position)

    on_subscription, on_error, on_state = _reporting(put, connection, state)
    return PrivateCallbacks(on_orders, on_fills, on_balances, on_positions, on_subscription, on_error, on_state)


Reporting = tuple[Callable[[SubscriptionEvent], None], Callable[[str, str], None], Callable[[ConnectionState], None]]


def _reporting(put: Callable[[dict[str, Any]], None], connection: str, state: Callable[[str], None]) -> Reporting:
    """What both scopes tell besides their data: confirmations, errors, states."""

    def on_subscription(event: SubscriptionEvent) -> None:
        if event.error is None:
            state("subscribed")

    def on_error(kind: str, message: str) -> None:
        put({"k": "error", "c": connection, "t": perf_counter_ns(), "kind": kind, "message": message[:500]})

    def on_state(new_state: ConnectionState) -> None:
        state("closed" if new_state is ConnectionState.CLOSING else new_state.value)

    return on_subscription, on_error, on_state
