"""MEXC's private bodies as orders, fills and balances, by the table of fields."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.mexc.private_frames import read_balances, read_fills, read_orders
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import Balance, DecodeError, Fill, Order, Symbol

BTC = Symbol("BTC", "USDT")
READERS: list[Any] = [read_orders, read_fills, read_balances]
ORDER = {
    "id": "C02__123456789012345678901",
    "clientId": "mine-1",
    "price": "84270.10",
    "quantity": "0.5",
    "amount": "42135.05",
    "avgPrice": "84270.00",
    "orderType": 1,
    "tradeType": 1,
    "remainQuantity": "0.3",
    "cumulativeQuantity": "0.2",
    "status": 3,
    "createTime": 1_700_000_000_000,
}
FILL = {
    "price": "84270.00",
    "quantity": "0.2",
    "tradeType": 2,
    "isMaker": True,
    "tradeId": "74891X0_1X0",
    "orderId": "C02__1",
    "feeAmount": "0.0001",
    "feeCurrency": "MX",
    "time": 1_700_000_000_001,
}
ACCOUNT = {"vcoinName": "USDT", "balanceAmount": "100.5", "frozenAmount": "7", "time": 1_700_000_000_002}


def frame(**fields: Any) -> bytes:
    filled = {"channel": "c", "symbol": "BTCUSDT", "sendTime": 9, **fields}
    data: bytes = PushDataV3ApiWrapper(**filled).SerializeToString()
    return data


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


@pytest.mark.checklist("3.1.11")
def test_a_whole_push_of_each_kind() -> None:
    assert read_orders(frame(privateOrders=ORDER)) == [
        Order(BTC, ORDER["id"], "mine-1", "partial", "buy", "limit", 84270.1, 0.5, 0.2, 84270.0, 9)  # type: ignore[arg-type]
    ]
    assert read_fills(frame(privateDeals=FILL)) == [
        Fill(BTC, "74891X0_1X0", "C02__1", "sell", 84270.0, 0.2, 0.0001, "MX", "maker", 1_700_000_000_001)
    ]
    assert read_balances(frame(privateAccount=ACCOUNT)) == [Balance("USDT", 100.5, 7.0, 1_700_000_000_002)]


@pytest.mark.parametrize(
    ("status", "word"), [(0, "open"), (1, "open"), (2, "filled"), (3, "partial"), (4, "cancelled"), (5, "cancelled")]
)
def test_every_status(status: int, word: str) -> None:
    assert read_orders(frame(privateOrders=ORDER | {"status": status}))[0].status == word


@pytest.mark.parametrize(
    ("order_type", "kind"),
    [(1, "limit"), (2, "post_only"), (3, "ioc"), (4, "fok"), (5, "market"), (100, "limit"), (101, "limit")],
)
def test_every_kind_of_order(order_type: int, kind: str) -> None:
    assert read_orders(frame(privateOrders=ORDER | {"orderType": order_type}))[0].kind == kind


def test_what_proto3_leaves_out() -> None:
    bare = {"id": "1", "tradeType": 2}
    assert read_orders(frame(privateOrders=bare)) == [
        Order(BTC, "1", None, "open", "sell", "limit", 0.0, 0.0, 0.0, 0.0, 9)
    ]
    assert read_orders(frame(privateOrders=ORDER, sendTime=None))[0].timestamp == ORDER["createTime"]
    fill = read_fills(frame(privateDeals=without(FILL, "isMaker", "feeAmount", "feeCurrency")))[0]
    assert (fill.role, fill.fee, fill.fee_asset) == ("taker", None, None)
    assert read_balances(frame(privateAccount={"vcoinName": "MX"}, symbol=None)) == [Balance("MX", 0.0, 0.0, 0)]


@pytest.mark.parametrize("read", READERS)
def test_without_its_body_nothing_changes(read: Any) -> None:
    assert read(frame()) == []
    assert read(frame(publicAggreDeals={})) == []


@pytest.mark.parametrize(
    ("read", "fields", "says"),
    [
        (read_orders, {"privateOrders": without(ORDER, "id")}, "no id"),
        (read_orders, {"privateOrders": ORDER | {"status": 9}}, "unknown value 9"),
        (read_orders, {"privateOrders": ORDER | {"tradeType": 0}}, "unknown value 0"),
        (read_orders, {"privateOrders": ORDER | {"price": "x"}}, "unreadable order"),
        (read_orders, {"privateOrders": ORDER, "symbol": None}, "not a MEXC symbol"),
        (read_fills, {"privateDeals": without(FILL, "tradeId")}, "no tradeId"),
        (read_fills, {"privateDeals": without(FILL, "orderId")}, "no orderId"),
        (read_fills, {"privateDeals": FILL | {"feeAmount": "x"}}, "unreadable fill"),
        (read_orders, {"privateOrders": ORDER | {"price": "1e400"}}, "not a number: 1e400"),
        (read_fills, {"privateDeals": FILL | {"feeAmount": "nan"}}, "not a number: nan"),
        (read_balances, {"privateAccount": ACCOUNT | {"balanceAmount": "-inf"}}, "not a number: -inf"),
        (read_balances, {"privateAccount": without(ACCOUNT, "vcoinName")}, "no vcoinName"),
        (read_balances, {"privateAccount": ACCOUNT | {"frozenAmount": "x"}}, "unreadable balance"),
    ],
)
def test_what_cannot_be_read_says_why(read: Any, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        read(frame(**fields))


def test_a_symbol_may_be_spelt_by_the_caller() -> None:
    odd = Symbol("MX", "BRL")
    raw = frame(privateOrders=ORDER, symbol="MXBRL")
    assert read_orders(raw, {"MXBRL": odd}.__getitem__)[0].symbol == odd
    with pytest.raises(DecodeError, match="MXBRL"):
        read_orders(raw)


amounts = st.decimals(0, 10**9, places=8).map(str)
times = st.integers(1, 2**53)
words = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=30)


@pytest.mark.no_cover
@given(amounts, amounts, words, words, st.sampled_from([1, 2]), st.booleans(), times)
def test_any_fill(price: str, quantity: str, trade: str, order: str, side: int, is_maker: bool, time: int) -> None:
    body = {"price": price, "quantity": quantity, "tradeId": trade, "orderId": order, "tradeType": side, "time": time}
    (fill,) = read_fills(frame(privateDeals=body | {"isMaker": is_maker, "isSelfTrade": True, "amount": "1"}))
    assert (fill.price, fill.quantity, fill.id, fill.order_id) == (float(price), float(quantity), trade, order)
    assert (fill.side, fill.role, fill.timestamp) == (
        {1: "buy", 2: "sell"}[side],
        "maker" if is_maker else "taker",
        time,
    )


@pytest.mark.no_cover
@given(words, words, amounts, amounts, amounts, times)
def test_any_order(order: str, client: str, price: str, quantity: str, filled: str, sent: int) -> None:
    body = ORDER | {"id": order, "clientId": client, "price": price, "quantity": quantity, "cumulativeQuantity": filled}
    (read,) = read_orders(frame(privateOrders=body, sendTime=sent))
    assert (read.id, read.client_id, read.timestamp) == (order, client, sent)
    assert (read.price, read.quantity, read.filled) == (float(price), float(quantity), float(filled))


@pytest.mark.no_cover
@given(words, amounts, amounts, times)
def test_any_balance(asset: str, free: str, locked: str, time: int) -> None:
    body = {"vcoinName": asset, "balanceAmount": free, "frozenAmount": locked, "time": time}
    assert read_balances(frame(privateAccount=body)) == [Balance(asset, float(free), float(locked), time)]


@given(st.binary(max_size=80), st.integers(0, 200))
def test_any_bytes_are_read_or_a_decode_error(junk: bytes, cut: int) -> None:
    good = frame(privateOrders=ORDER, privateDeals=None)
    for read in READERS:
        for raw in (junk, good[:cut], good[:cut] + junk + good[cut:]):
            with suppress(DecodeError):
                assert isinstance(read(raw), list)


def test_unknown_fields_are_skipped() -> None:
    assert read_orders(frame(privateOrders=ORDER) + b"\xf8\x3f\x01") == read_orders(frame(privateOrders=ORDER))
