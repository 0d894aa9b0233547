"""MEXC's private bodies to their values; the frames are made by the generated code."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.reference import mexc
from shadow.reference.events import Balance, DecodeError, Fill, Order


def wrapper(kind: str, **wrapped: Any) -> PushDataV3ApiWrapper:
    names = {"channel": f"spot@private.{kind}.v3.api.pb", "sendTime": 1790000000500}
    return PushDataV3ApiWrapper(**{**names, **wrapped})


def order_frame(**changes: Any) -> PushDataV3ApiWrapper:
    found = wrapper("orders", symbol="BTCUSDT")
    fields = {"id": "C02__1", "clientId": "mine", "price": "84270.10", "quantity": "0.5", "avgPrice": "84270",
              "orderType": 1, "tradeType": 2, "cumulativeQuantity": "0.20", "status": 3,
              "createTime": 1790000000100} | changes  # fmt: skip
    for name, value in fields.items():
        setattr(found.privateOrders, name, value)
    return found


def order_of(**changes: Any) -> Order:
    (event,) = mexc.decode(order_frame(**changes).SerializeToString())
    assert isinstance(event, Order)
    return event


def test_an_order_to_its_values() -> None:
    assert order_of() == Order(
        "BTCUSDT", "C02__1", "mine", "partial", "sell", "limit", "84270.10", "0.5", "0.20", "84270", 1790000000500,
        (1790000000500, 1790000000100),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "word"), [(0, "open"), (1, "open"), (2, "filled"), (3, "partial"), (4, "cancelled"), (5, "cancelled")]
)
def test_every_status(status: int, word: str) -> None:
    assert order_of(status=status).status == word


@pytest.mark.parametrize(
    ("kind", "word"),
    [(1, "limit"), (2, "post_only"), (3, "ioc"), (4, "fok"), (5, "market"), (100, "limit"), (0, "limit")],
)
def test_every_kind(kind: int, word: str) -> None:
    assert order_of(orderType=kind).kind == word


def test_what_the_wire_leaves_out_is_zero_or_nothing() -> None:
    order = order_of(clientId="", avgPrice="", cumulativeQuantity="", tradeType=1)
    assert (order.client_id, order.average_price, order.filled, order.side) == (None, "0", "0", "buy")
    without = order_frame()
    without.ClearField("sendTime")
    (event,) = mexc.decode(without.SerializeToString())
    assert event.ts == 1790000000100


def test_a_deal_to_its_values() -> None:
    frame = wrapper("deals", symbol="BTCUSDT")
    deal = frame.privateDeals
    deal.price, deal.quantity, deal.tradeType, deal.isMaker, deal.tradeId, deal.orderId = (
        "5.10",
        "2",
        1,
        True,
        "9X",
        "C1",
    )
    deal.feeAmount, deal.feeCurrency, deal.time = "0.001", "MX", 1790000000123
    times = (1790000000500, 1790000000123)
    (event,) = mexc.decode(frame.SerializeToString())
    assert event == Fill("BTCUSDT", "9X", "C1", "buy", "5.10", "2", "0.001", "MX", "maker", 1790000000123, times)
    deal.isMaker, deal.tradeType = False, 2
    (event,) = mexc.decode(frame.SerializeToString())
    assert isinstance(event, Fill)
    assert (event.role, event.side) == ("taker", "sell")


def test_an_account_push_has_no_symbol_and_its_own_time() -> None:
    frame = wrapper("account", createTime=1790000000400)
    account = frame.privateAccount
    account.vcoinName, account.balanceAmount, account.time = "USDT", "21.94210356004384", 1790000000300
    (event,) = mexc.decode(frame.SerializeToString())
    times = (1790000000500, 1790000000400, 1790000000300)
    assert event == Balance("", "USDT", "21.94210356004384", "0", 1790000000300, times)


@pytest.mark.parametrize("changes", [{"status": 9}, {"tradeType": 3}, {"id": ""}])
def test_what_the_wire_page_does_not_allow_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        order_of(**changes)
