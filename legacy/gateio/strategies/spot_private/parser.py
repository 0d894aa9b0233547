"""Gate.io spot, private: JSON frames to ParsedMessage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from exchanges.structs import Balance, Fill, MessageType, Order, ParsedMessage
from exchanges.structs.symbols import from_gateio
from legacy.websocket.strategies.parser import MessageParser, unreadable

__all__ = ["GateioSpotPrivateParser"]

_TYPES = {
    "spot.orders": MessageType.ORDER,
    "spot.usertrades": MessageType.TRADE,
    "spot.balances": MessageType.BALANCE,
}
_ACK_EVENTS = ("subscribe", "unsubscribe")
_KINDS = {"poc": "post_only", "ioc": "ioc", "fok": "fok"}


class GateioSpotPrivateParser(MessageParser):
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
        if read is None:
            return _control(message_type, message)
        items = [read(item) for item in message["result"]]
        symbol = items[0].symbol if items else None
        timestamp = items[0].timestamp if items else None
        return ParsedMessage(message_type, symbol, message["channel"], items, timestamp, message)

    def get_message_type(self, message: dict[str, Any]) -> MessageType:
        """By event and channel; an ack is judged by its `error` alone, a request's answer by its `errs`."""
        if "request_id" in message:
            return MessageType.ERROR if message.get("data", {}).get("errs") else MessageType.OTHER
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
    elif message_type is MessageType.ERROR and "request_id" in message:
        data = message["data"]["errs"].get("label", "")
    elif message_type in (MessageType.SUBSCRIPTION_ERROR, MessageType.ERROR):
        error = message["error"]
        data = error.get("message", "") if isinstance(error, dict) else str(error)
    return ParsedMessage(message_type, None, message.get("channel"), data, None, message)


def _order(item: dict[str, Any]) -> Order:
    filled = float(item["filled_amount"]) if "filled_amount" in item else _difference(item["amount"], item["left"])
    is_market = item["type"].startswith("market")
    return Order(
        from_gateio(item["currency_pair"]),
        item["id"],
        item["text"] if item["text"].startswith("t-") else None,
        _status(item, filled),
        item["side"],
        "market" if is_market else _KINDS.get(item["time_in_force"], "limit"),
        float(item["price"]),
        float(item["amount"]),
        filled,
        float(item["avg_deal_price"]),
        _millis(item["update_time_ms"]),
    )


def _status(item: dict[str, Any], filled: float) -> str:
    if item["event"] != "finish":
        return "partial" if item["event"] == "update" and filled > 0 else "open"
    if float(item["left"]) == 0:
        return "filled"
    return "rejected" if item["finish_as"] == "poc" else "cancelled"


def _fill(item: dict[str, Any]) -> Fill:
    return Fill(
        from_gateio(item["currency_pair"]),
        str(item["id"]),
        str(item["order_id"]),
        item["side"],
        float(item["price"]),
        float(item["amount"]),
        float(item["fee"]),
        item["fee_currency"],
        item["role"],
        _millis(item["create_time_ms"]),
    )


def _balance(item: dict[str, Any]) -> Balance:
    return Balance(
        item["currency"].upper(), float(item["available"]), float(item["freeze"]), _millis(item["timestamp_ms"])
    )


def _difference(whole: str, left: str) -> float:
    return float(Decimal(whole) - Decimal(left))


def _millis(text: str) -> int:
    return int(str(text).partition(".")[0])


_READERS: dict[MessageType, Any] = {MessageType.ORDER: _order, MessageType.TRADE: _fill, MessageType.BALANCE: _balance}
