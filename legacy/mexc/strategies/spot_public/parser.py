"""MEXC spot, public: protobuf pushes and JSON acks to ParsedMessage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from exchanges.integrations.mexc.proto.push_pb2 import PublicAggreDepthV3ApiItem, PushDataV3ApiWrapper
from exchanges.structs import BookTicker, MessageType, OrderBook, OrderBookEntry, ParsedMessage, Symbol, Ticker, Trade
from exchanges.structs.symbols import from_mexc
from legacy.websocket.strategies.parser import MessageParser, unreadable

__all__ = ["MexcSpotPublicParser"]

_TYPES = {
    "publicAggreDepths": MessageType.ORDERBOOK,
    "publicAggreDeals": MessageType.TRADES,
    "publicAggreBookTicker": MessageType.BOOK_TICKER,
    "publicMiniTicker": MessageType.TICKER,
}
_SIDES = {1: "buy", 2: "sell"}


class MexcSpotPublicParser(MessageParser):
    """Binary frames are pushes, text frames are acks, pongs and errors."""

    async def parse_message(self, raw_message: str | bytes) -> ParsedMessage | None:
        """One frame; what does not decode gives ERROR, a push without a body OTHER."""
        if isinstance(raw_message, str):
            return self._parse_text(raw_message)
        try:
            wrapper = PushDataV3ApiWrapper.FromString(raw_message)
        except DecodeError:
            return unreadable(raw_message)
        message_type = self.get_message_type(wrapper)
        read = _READERS.get(message_type)
        if read is None:
            return ParsedMessage(MessageType.OTHER, None, wrapper.channel, None, wrapper.sendTime, wrapper)
        symbol = from_mexc(wrapper.symbol)
        return ParsedMessage(message_type, symbol, wrapper.channel, read(wrapper, symbol), wrapper.sendTime, wrapper)

    def get_message_type(self, message: PushDataV3ApiWrapper | dict[str, Any]) -> MessageType:
        """Pushes by their body; text by its `msg`: a refusal, too, has code 0."""
        if isinstance(message, PushDataV3ApiWrapper):
            return _TYPES.get(message.WhichOneof("body") or "", MessageType.OTHER)
        text = str(message.get("msg", ""))
        if text == "PONG":
            return MessageType.HEARTBEAT
        return MessageType.SUBSCRIPTION_CONFIRM if text.startswith("spot@") else MessageType.SUBSCRIPTION_ERROR

    def _parse_text(self, raw_message: str) -> ParsedMessage:
        try:
            message = orjson.loads(raw_message)
        except orjson.JSONDecodeError:
            return unreadable(raw_message)
        if not isinstance(message, dict):
            return unreadable(raw_message)
        message_type = self.get_message_type(message)
        text = str(message.get("msg", ""))
        data = text.split(",") if message_type is MessageType.SUBSCRIPTION_CONFIRM else text
        return ParsedMessage(message_type, data=data, raw_data=message)


def _order_book(wrapper: PushDataV3ApiWrapper, symbol: Symbol) -> OrderBook:
    depths = wrapper.publicAggreDepths
    return OrderBook(symbol, _entries(depths.bids), _entries(depths.asks), wrapper.sendTime, int(depths.toVersion))


def _entries(items: Iterable[PublicAggreDepthV3ApiItem]) -> list[OrderBookEntry]:
    return [OrderBookEntry(float(item.price), float(item.quantity)) for item in items]


def _trades(wrapper: PushDataV3ApiWrapper, symbol: Symbol) -> list[Trade]:
    return [
        Trade(symbol, float(deal.price), float(deal.quantity), _SIDES[deal.tradeType], deal.time, deal.tradeId or None)
        for deal in wrapper.publicAggreDeals.deals
    ]


def _book_ticker(wrapper: PushDataV3ApiWrapper, symbol: Symbol) -> BookTicker:
    ticker = wrapper.publicAggreBookTicker
    return BookTicker(
        symbol,
        float(ticker.bidPrice or 0),
        float(ticker.bidQuantity or 0),
        float(ticker.askPrice or 0),
        float(ticker.askQuantity or 0),
        wrapper.sendTime,
        int(ticker.version) if ticker.version else None,
    )


def _tickers(wrapper: PushDataV3ApiWrapper, symbol: Symbol) -> list[Ticker]:
    ticker = wrapper.publicMiniTicker
    return [
        Ticker(
            symbol,
            float(ticker.price),
            None,
            None,
            float(ticker.quantity),
            float(ticker.volume),
            float(ticker.high),
            float(ticker.low),
            wrapper.sendTime,
        )
    ]


_READERS: dict[MessageType, Callable[[PushDataV3ApiWrapper, Symbol], Any]] = {
    MessageType.ORDERBOOK: _order_book,
    MessageType.TRADES: _trades,
    MessageType.BOOK_TICKER: _book_ticker,
    MessageType.TICKER: _tickers,
}
