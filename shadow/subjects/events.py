"""What the callers' door hands over (ParsedMessage) as protocol event lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

from exchanges.structs import (
    BookTicker,
    MessageType,
    OrderBook,
    ParsedMessage,
    Symbol,
    Ticker,
    Trade,
)
from shadow.subjects.emit import Emitter
from shadow.subjects.private_events import balance_line, fill_line, order_line, position_line

__all__ = ["message_sink"]

Put = Callable[[dict[str, Any]], None]


def _book(put: Put, c: str, t: int, name: str, book: OrderBook) -> None:
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "book",
            "symbol": name,
            "first": book.first_update_id,
            "last": book.last_update_id,
            "snapshot": book.is_snapshot,
            "bids": [(level.price, level.size) for level in book.bids],
            "asks": [(level.price, level.size) for level in book.asks],
            "ts": book.timestamp,
        }
    )


def _trade(put: Put, c: str, t: int, name: str, trade: Trade) -> None:
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "trade",
            "symbol": name,
            "id": trade.trade_id,
            "price": trade.price,
            "quantity": trade.quantity,
            "side": trade.side,
            "ts": trade.timestamp,
        }
    )


def _book_ticker(put: Put, c: str, t: int, name: str, best: BookTicker) -> None:
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "book_ticker",
            "symbol": name,
            "bid": best.bid_price,
            "bid_quantity": best.bid_quantity,
            "ask": best.ask_price,
            "ask_quantity": best.ask_quantity,
            "seq": best.update_id,
            "ts": best.timestamp,
        }
    )


def _ticker(put: Put, c: str, t: int, name: str, ticker: Ticker) -> None:
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "ticker",
            "symbol": name,
            "last": ticker.last,
            "bid": ticker.bid,
            "ask": ticker.ask,
            "base_volume": ticker.base_volume,
            "quote_volume": ticker.quote_volume,
            "high": ticker.high,
            "low": ticker.low,
            "ts": ticker.timestamp,
        }
    )


def message_sink(
    emitter: Emitter,
    connection: str,
    names: Mapping[Symbol, str],
    burn: Callable[[], None] | None,
    confirmed: Callable[[], None],
) -> Callable[[ParsedMessage], Any]:
    """The consumer's async callback for one connection.

    `t` is taken first thing, after the busy loop where one is asked for. `names` gives the start line's spelling.
    `confirmed` is called at each subscription confirmation.
    """
    put = emitter.put
    listed: dict[MessageType, Callable[[Put, str, int, str, Any], None]] = {
        MessageType.TRADES: _trade,
        MessageType.TICKER: _ticker,
        MessageType.ORDER: order_line,
        MessageType.TRADE: fill_line,
        MessageType.POSITION: position_line,
    }

    def spelt(symbol: Symbol) -> str:
        return names.get(symbol) or f"{symbol.base}_{symbol.quote}"

    def other(kind: MessageType, t: int, message: ParsedMessage) -> None:
        if kind is MessageType.SUBSCRIPTION_CONFIRM:
            confirmed()
        elif kind in (MessageType.ERROR, MessageType.SUBSCRIPTION_ERROR):
            name = "subscribe" if kind is MessageType.SUBSCRIPTION_ERROR else "decode"
            text = str(message.data if message.data is not None else message.raw_data)[:500]
            put({"k": "error", "c": connection, "t": t, "kind": name, "message": text})

    async def on_message(message: ParsedMessage) -> None:
        if burn is not None and message.message_type > 0:
            burn()
        t = perf_counter_ns()
        kind = message.message_type
        if kind is MessageType.ORDERBOOK:
            _book(put, connection, t, spelt(message.data.symbol), message.data)
        elif kind is MessageType.BOOK_TICKER:
            _book_ticker(put, connection, t, spelt(message.data.symbol), message.data)
        elif kind is MessageType.BALANCE:
            for balance in message.data:
                balance_line(put, connection, t, None, balance)
        elif kind in listed:
            write = listed[kind]
            for item in message.data:
                write(put, connection, t, spelt(item.symbol), item)
        else:
            other(kind, t, message)

    return on_message
