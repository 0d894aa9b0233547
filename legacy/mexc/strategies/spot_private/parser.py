"""MEXC spot, private: protobuf pushes and JSON acks to ParsedMessage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import Balance, Fill, MessageType, Order, ParsedMessage
from exchanges.structs.symbols import from_mexc
from legacy.websocket.strategies.parser import MessageParser, unreadable

__all__ = ["MexcSpotPrivateParser"]

_TYPES = {
    "privateOrders": MessageType.ORDER,
    "privateDeals": MessageType.TRADE,
    "privateAccount": MessageType.BALANCE,
}
_SIDES = {1: "buy", 2: "sell"}
_KINDS = {1: "limit", 2: "post_only", 3: "ioc", 4: "fok", 5: "market"}
_STATUSES = {2: "filled", 3: "partial", 4: "cancelled", 5: "cancelled"}


class MexcSpotPrivateParser(MessageParser):
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
        item = read(wrapper)
        return ParsedMessage(message_type, item.symbol, wrapper.channel, [item], item.timestamp, wrapper)

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


def _order(wrapper: PushDataV3ApiWrapper) -> Order:
    order = wrapper.privateOrders
    return Order(
        from_mexc(wrapper.symbol),
        order.id,
        order.clientId or None,
        _STATUSES.get(order.status, "open"),
        _SIDES[order.tradeType],
        _KINDS.get(order.orderType, "limit"),
        float(order.price or 0),
        float(order.quantity or 0),
        float(order.cumulativeQuantity or 0),
        float(order.avgPrice or 0),
        wrapper.sendTime or order.createTime,
    )


def _fill(wrapper: PushDataV3ApiWrapper) -> Fill:
    deal = wrapper.privateDeals
    return Fill(
        from_mexc(wrapper.symbol),
        deal.tradeId,
        deal.orderId,
        _SIDES[deal.tradeType],
        float(deal.price),
        float(deal.quantity),
        float(deal.feeAmount) if deal.feeAmount else None,
        deal.feeCurrency or None,
        "maker" if deal.isMaker else "taker",
        deal.time,
    )


def _balance(wrapper: PushDataV3ApiWrapper) -> Balance:
    account = wrapper.privateAccount
    return Balance(
        account.vcoinName.upper(), float(account.balanceAmount or 0), float(account.frozenAmount or 0), account.time
    )


_READERS: dict[MessageType, Callable[[PushDataV3ApiWrapper], Any]] = {
    MessageType.ORDER: _order,
    MessageType.TRADE: _fill,
    MessageType.BALANCE: _balance,
}
