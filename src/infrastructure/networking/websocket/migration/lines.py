"""Events of both stacks as lines of the subject protocol: what a subject writes, and what a tap hands out.

Each takes what to do with a line, the connection, `t` in ns, and the symbol as the line is to spell it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from exchanges.structs import (
    Balance,
    BookTicker,
    Fill,
    MessageType,
    Order,
    OrderBook,
    ParsedMessage,
    Position,
    Symbol,
    Ticker,
    Trade,
)

__all__ = [
    "Put",
    "balance_line",
    "book_line",
    "book_ticker_line",
    "fill_line",
    "order_line",
    "position_line",
    "put_events",
    "ticker_line",
    "trade_line",
]

Put = Callable[[dict[str, Any]], None]


def book_line(put: Put, c: str, t: int, name: str | None, book: OrderBook) -> None:
    """One update of a book, or a whole one."""
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


def trade_line(put: Put, c: str, t: int, name: str | None, trade: Trade) -> None:
    """One public trade."""
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


def book_ticker_line(put: Put, c: str, t: int, name: str | None, best: BookTicker) -> None:
    """The best bid and ask."""
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


def ticker_line(put: Put, c: str, t: int, name: str | None, ticker: Ticker) -> None:
    """One market's day."""
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


def order_line(put: Put, c: str, t: int, name: str | None, order: Order) -> None:
    """One state of an own order; `name` is the symbol in the start line's spelling."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "order",
            "symbol": name,
            "id": order.id,
            "client_id": order.client_id,
            "status": order.status,
            "side": order.side,
            "kind": order.kind,
            "price": order.price,
            "quantity": order.quantity,
            "filled": order.filled,
            "average_price": order.average_price,
            "ts": order.timestamp,
        }
    )


def fill_line(put: Put, c: str, t: int, name: str | None, fill: Fill) -> None:
    """One own trade."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "fill",
            "symbol": name,
            "id": fill.id,
            "order_id": fill.order_id,
            "side": fill.side,
            "price": fill.price,
            "quantity": fill.quantity,
            "fee": fill.fee,
            "fee_asset": fill.fee_asset,
            "role": fill.role,
            "ts": fill.timestamp,
        }
    )


def balance_line(put: Put, c: str, t: int, name: str | None, balance: Balance) -> None:
    """One asset's balance; it has no symbol."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "balance",
            "symbol": name,
            "asset": balance.asset,
            "free": balance.free,
            "locked": balance.locked,
            "ts": balance.timestamp,
        }
    )


def position_line(put: Put, c: str, t: int, name: str | None, position: Position) -> None:
    """One futures position."""
    put(
        {
            "k": "event",
            "c": c,
            "t": t,
            "type": "position",
            "symbol": name,
            "size": position.size,
            "entry_price": position.entry_price,
            "mode": position.mode,
            "leverage": position.leverage,
            "margin": position.margin,
            "realised_pnl": position.realised_pnl,
            "ts": position.timestamp,
        }
    )


LISTED: Final[dict[MessageType, Callable[[Put, str, int, str | None, Any], None]]] = {
    MessageType.TRADES: trade_line,
    MessageType.TICKER: ticker_line,
    MessageType.ORDER: order_line,
    MessageType.TRADE: fill_line,
    MessageType.POSITION: position_line,
}


def put_events(put: Put, c: str, t: int, message: ParsedMessage, spelt: Callable[[Symbol], str]) -> bool:
    """All events of a message as lines; False where it is no market or account event."""
    kind = message.message_type
    if kind is MessageType.ORDERBOOK:
        book_line(put, c, t, spelt(message.data.symbol), message.data)
    elif kind is MessageType.BOOK_TICKER:
        book_ticker_line(put, c, t, spelt(message.data.symbol), message.data)
    elif kind is MessageType.BALANCE:
        for balance in message.data:
            balance_line(put, c, t, None, balance)
    elif kind in LISTED:
        write = LISTED[kind]
        for item in message.data:
            write(put, c, t, spelt(item.symbol), item)
    else:
        return False
    return True
