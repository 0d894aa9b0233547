"""MEXC's private pushes: orders, own deals and one asset's account, each as a list of the callers' structs.

Numbers are decimal strings, and an empty one is the zero that proto3 leaves out. No message is kept, as in `frames`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import NoReturn

from google.protobuf.message import DecodeError as ProtobufError

from exchanges.integrations.mexc.frames import SIDES
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs.errors import DecodeError
from exchanges.structs.symbols import from_mexc
from exchanges.structs.types import Balance, Fill, Order, Symbol

__all__ = ["read_balances", "read_fills", "read_orders"]

STATUSES = {0: "open", 1: "open", 2: "filled", 3: "partial", 4: "cancelled", 5: "cancelled"}
KINDS = {2: "post_only", 3: "ioc", 4: "fok", 5: "market"}

_from_string = PushDataV3ApiWrapper.FromString


def read_orders(payload: bytes, symbol_of: Callable[[str], Symbol] = from_mexc) -> list[Order]:
    """`private.orders`: one state of one order; empty without a body, DecodeError for what cannot be read.

    Unknown order types count as limit orders (stop-limit, OCO); `timestamp` is when it was sent, else created.
    """
    try:
        wrapper = _from_string(payload)
        body = wrapper.privateOrders
        if not (order_id := body.id):
            _check_absent(wrapper, "privateOrders", "id")
            return []
        return [
            Order(
                symbol_of(wrapper.symbol),
                order_id,
                body.clientId or None,
                STATUSES[body.status],
                SIDES[body.tradeType],
                KINDS.get(body.orderType, "limit"),
                _number(body.price),
                _number(body.quantity),
                _number(body.cumulativeQuantity),
                _number(body.avgPrice),
                wrapper.sendTime or body.createTime,
            )
        ]
    except (ValueError, KeyError, ProtobufError) as error:
        _unreadable("order", payload, error)


def read_fills(payload: bytes, symbol_of: Callable[[str], Symbol] = from_mexc) -> list[Fill]:
    """`private.deals`: one own trade; empty without a body, DecodeError for what cannot be read."""
    try:
        wrapper = _from_string(payload)
        body = wrapper.privateDeals
        trade_id, order_id = body.tradeId, body.orderId
        if not trade_id or not order_id:
            _check_absent(wrapper, "privateDeals", "orderId" if trade_id else "tradeId")
            return []
        fee = body.feeAmount
        return [
            Fill(
                symbol_of(wrapper.symbol),
                trade_id,
                order_id,
                SIDES[body.tradeType],
                _number(body.price),
                _number(body.quantity),
                _number(fee) if fee else None,
                body.feeCurrency or None,
                "maker" if body.isMaker else "taker",
                body.time,
            )
        ]
    except (ValueError, KeyError, ProtobufError) as error:
        _unreadable("fill", payload, error)


def read_balances(payload: bytes) -> list[Balance]:
    """`private.account`: one asset after a change; empty without a body, DecodeError for what cannot be read."""
    try:
        wrapper = _from_string(payload)
        body = wrapper.privateAccount
        if not (asset := body.vcoinName):
            _check_absent(wrapper, "privateAccount", "vcoinName")
            return []
        return [Balance(asset, _number(body.balanceAmount), _number(body.frozenAmount), body.time)]
    except (ValueError, ProtobufError) as error:
        _unreadable("balance", payload, error)


def _number(text: str) -> float:
    value = float(text or 0)
    if not isfinite(value):
        raise ValueError(f"not a number: {text}")
    return value


def _check_absent(wrapper: PushDataV3ApiWrapper, body: str, lacking: str) -> None:
    """A push without a body says nothing; one that has a body says something, but not about what."""
    if wrapper.WhichOneof("body") == body:
        raise ValueError(f"no {lacking}")


def _unreadable(what: str, payload: bytes, error: Exception) -> NoReturn:
    if isinstance(error, KeyError):
        error = ValueError(f"unknown value {error}")
    raise DecodeError(f"unreadable {what} in a frame of {len(payload)} bytes: {error}") from error
