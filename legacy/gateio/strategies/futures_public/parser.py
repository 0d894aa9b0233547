"""Gate.io futures, public: JSON frames to ParsedMessage."""

from __future__ import annotations

from typing import Any

import orjson

from exchanges.structs import BookTicker, MessageType, OrderBook, OrderBookEntry, ParsedMessage, Symbol, Ticker, Trade
from exchanges.structs.symbols import from_gateio
from legacy.websocket.strategies.parser import MessageParser, unreadable

__all__ = ["GateioFuturesPublicParser"]

_TYPES = {
    "futures.order_book_update": MessageType.ORDERBOOK,
    "futures.trades": MessageType.TRADES,
    "futures.book_ticker": MessageType.BOOK_TICKER,
    "futures.tickers": MessageType.TICKER,
}
_ACK_EVENTS = ("subscribe", "unsubscribe")


class GateioFuturesPublicParser(MessageParser):
    """`orjson.loads` to dict, then by channel."""

    async def parse_message(self, raw_message: str | bytes) -> ParsedMessage | None:
        """One frame; what is no JSON object gives ERROR. A push with a missing field raises KeyError."""
        try:
            message = orjson.loads(raw_message)
        except orjson.JSONDecodeError:
            return unreadable(raw_message)
        if not isinstance(message, dict):
            return unreadable(raw_message)
        message_type = self.get_message_type(message)
        read = _READERS.get(message_type)
        return read(message) if read else _control(message_type, message)

    def get_message_type(self, message: dict[str, Any]) -> MessageType:
        """By event and channel; an ack is judged by its `error` alone."""
        event = message.get("event")
        if event == "update":
            return _TYPES.get(message["channel"]) or MessageType.OTHER
        if event in _ACK_EVENTS:
            return MessageType.SUBSCRIPTION_ERROR if message.get("error") else MessageType.SUBSCRIPTION_CONFIRM
        if message.get("error"):
            return MessageType.ERROR
        return MessageType.HEARTBEAT if str(message.get("channel")).endswith(".pong") else MessageType.UNKNOWN


def _control(message_type: MessageType, message: dict[str, Any]) -> ParsedMessage:
    data: Any = None
    if message_type is MessageType.SUBSCRIPTION_CONFIRM:
        data = message.get("payload") or []
    elif message_type in (MessageType.SUBSCRIPTION_ERROR, MessageType.ERROR):
        error = message["error"]
        data = error.get("message", "") if isinstance(error, dict) else str(error)
    return ParsedMessage(message_type, None, message.get("channel"), data, _time_ms(message), message)


def _symbol(name: str) -> Symbol:
    return from_gateio(name, True)


def _order_book(message: dict[str, Any]) -> ParsedMessage:
    result = message["result"]
    symbol = _symbol(result["s"])
    book = OrderBook(
        symbol,
        [OrderBookEntry(float(level["p"]), float(level["s"])) for level in result["b"]],
        [OrderBookEntry(float(level["p"]), float(level["s"])) for level in result["a"]],
        result["t"],
        result["u"],
    )
    return ParsedMessage(MessageType.ORDERBOOK, symbol, message["channel"], book, result["t"], message)


def _trades(message: dict[str, Any]) -> ParsedMessage:
    trades = []
    for item in message["result"]:
        size = float(item["size"])
        timestamp = item.get("create_time_ms") or item["create_time"] * 1000
        side = "buy" if size > 0 else "sell"
        trades.append(
            Trade(_symbol(item["contract"]), float(item["price"]), abs(size), side, timestamp, str(item["id"]))
        )
    symbol = trades[0].symbol if trades else None
    timestamp = trades[0].timestamp if trades else None
    return ParsedMessage(MessageType.TRADES, symbol, message["channel"], trades, timestamp, message)


def _book_ticker(message: dict[str, Any]) -> ParsedMessage:
    result = message["result"]
    symbol = _symbol(result["s"])
    ticker = BookTicker(
        symbol,
        float(result["b"] or 0),
        float(result["B"]),
        float(result["a"] or 0),
        float(result["A"]),
        result["t"],
        result["u"],
    )
    return ParsedMessage(MessageType.BOOK_TICKER, symbol, message["channel"], ticker, result["t"], message)


def _tickers(message: dict[str, Any]) -> ParsedMessage:
    timestamp = _time_ms(message)
    tickers = [
        Ticker(
            _symbol(item["contract"]),
            float(item["last"]),
            None,
            None,
            float(item["volume_24h_base"]),
            float(item["volume_24h_quote"]),
            float(item["high_24h"]),
            float(item["low_24h"]),
            timestamp,
        )
        for item in message["result"]
    ]
    symbol = tickers[0].symbol if tickers else None
    return ParsedMessage(MessageType.TICKER, symbol, message["channel"], tickers, timestamp, message)


def _time_ms(message: dict[str, Any]) -> int | None:
    milliseconds: int | None = message.get("time_ms")
    if milliseconds:
        return milliseconds
    seconds: int | None = message.get("time")
    return seconds * 1000 if seconds is not None else None


_READERS = {
    MessageType.ORDERBOOK: _order_book,
    MessageType.TRADES: _trades,
    MessageType.BOOK_TICKER: _book_ticker,
    MessageType.TICKER: _tickers,
}
