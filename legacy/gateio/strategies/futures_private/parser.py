"""Gate.io futures, private: JSON frames to ParsedMessage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from exchanges.structs import Balance, Fill, MessageType, Order, ParsedMessage, Position
from exchanges.structs.symbols import from_gateio
from legacy.websocket.strategies.parser import MessageParser, unreadable

__all__ = ["GateioFuturesPrivateParser"]

_TYPES = {
    "futures.orders": MessageType.ORDER,
    "futures.usertrades": MessageType.TRADE,
    "futures.balances": MessageType.BALANCE,
    "futures.positions": MessageType.POSITION,
}
_ACK_EVENTS = ("subscribe", "unsubscribe")
_KINDS = {"poc": "post_only", "ioc": "ioc", "fok": "fok"}
_MODES = {"dual_long": "long", "dual_short": "short"}


class GateioFuturesPrivateParser(MessageParser):
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
    size, left = Decimal(str(item["size"])), Decimal(str(item["left"]))
    text = item.get("text") or ""
    return Order(
        from_gateio(item["contract"], True),
        str(item["id"]),
        text if text.startswith("t-") else None,
        _status(item, size, left),
        "buy" if (size or left) > 0 else "sell",
        "market" if float(item["price"]) == 0 else _KINDS.get(item["tif"], "limit"),
        float(item["price"]),
        float(abs(size)),
        float(abs(size) - abs(left)),
        float(item["fill_price"]),
        item.get("update_time") or item.get("finish_time_ms") or item["create_time_ms"],
    )


def _status(item: dict[str, Any], size: Decimal, left: Decimal) -> str:
    if item["status"] == "open":
        return "partial" if left != size else "open"
    if left == 0:
        return "filled"
    return "rejected" if item["finish_as"] == "poc" else "cancelled"


def _fill(item: dict[str, Any]) -> Fill:
    size = float(item["size"])
    fee = item.get("fee")
    return Fill(
        from_gateio(item["contract"], True),
        str(item["id"]),
        str(item["order_id"]),
        "buy" if size > 0 else "sell",
        float(item["price"]),
        abs(size),
        None if fee is None else float(fee),
        None,
        item["role"],
        item["create_time_ms"],
    )


def _balance(item: dict[str, Any]) -> Balance:
    return Balance(item["currency"].upper(), float(item["balance"]), None, item["time_ms"])


def _position(item: dict[str, Any]) -> Position:
    return Position(
        from_gateio(item["contract"], True),
        float(item["size"]),
        float(item["entry_price"]),
        _MODES.get(item["mode"], "single"),
        float(item["leverage"]),
        float(item["margin"]),
        float(item["realised_pnl"]),
        item["time_ms"],
    )


_READERS: dict[MessageType, Any] = {
    MessageType.ORDER: _order,
    MessageType.TRADE: _fill,
    MessageType.BALANCE: _balance,
    MessageType.POSITION: _position,
}
