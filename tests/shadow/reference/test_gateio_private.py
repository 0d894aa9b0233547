"""Gate.io's private pushes to their values, the recorded ones and those of the wire page that nobody recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.reference import gateio
from shadow.reference.events import Balance, DecodeError, Event, Fill, Order, Position

SPOT_ORDER: dict[str, Any] = {
    "id": "575707647866", "user": 1, "text": "t-one", "create_time": "1714729020", "update_time": "1714729021",
    "currency_pair": "BTC_USDT", "type": "limit", "account": "spot", "side": "sell", "amount": "3.5",
    "price": "64000.10", "time_in_force": "gtc", "left": "1.25", "filled_total": "9", "avg_deal_price": "64000.2",
    "create_time_ms": "1714729020184", "update_time_ms": "1714729021184.653", "event": "update", "finish_as": "open",
}  # fmt: skip
FUTURES_ORDER: dict[str, Any] = {
    "contract": "BTC_USDT", "create_time": 1648831308, "create_time_ms": 1648831308897, "fill_price": 147.6,
    "finish_as": "_update", "finish_time": 1648831309, "finish_time_ms": 1648831309897, "id": 58828270140012049,
    "is_close": False, "left": -4, "price": 0.1, "size": -10, "status": "open", "text": "t-two", "tif": "ioc",
    "update_time": 1648831310897, "update_id": 3, "user": "1",
}  # fmt: skip


def recorded(path: Path) -> list[Event]:
    return [event for line in path.read_bytes().splitlines() for event in gateio.decode(line)]


def read(channel: str, *items: dict[str, Any]) -> list[Any]:
    frame = {"time": 1714729022, "time_ms": 1714729022209, "channel": channel, "event": "update", "result": items}
    return gateio.decode(json.dumps(frame).encode())


def test_recorded_spot_frames(captures: Path) -> None:
    order, fill = recorded(captures / "gateio-spot-private-2024.jsonl")
    times = (1714729020209, 1714729020184, 1714729020184, 1714729020000, 1714729020000, 1714729020000)
    assert order == Order(
        "PEPE_USDT", "575707647866", "t-apiv4-1-18", "open", "buy", "market", "0", "3.5", "0", "0", 1714729020184,
        times,
    )  # fmt: skip
    assert isinstance(fill, Fill)
    fill.times = ()
    assert fill == Fill(
        "PEPE_USDT", "8900430811", "575707647866", "buy", "0.000007782", "449755.846826", "449.755846826", "PEPE",
        "taker", 1714729020184,
    )  # fmt: skip


def test_recorded_futures_frames(captures: Path) -> None:
    found = recorded(captures / "gateio-futures-private-2022.jsonl")
    for event in found:
        event.times = ()
    assert found == [
        Order("DOGE_USDT", "143814067568", None, "open", "buy", "limit", "0.1", "10", "0", "0", 1648831308897),
        Fill("BTC_USDT", "88227719", "150937751242", "buy", "41536.5", "1", None, None, "maker", 1650565147244),
        Balance("", "USDT", "989.374310681771", None, 1650555418114),
        Position(
            "BTC_USDT", "-22", "42022.975", "single", "0", "449.975587609984", "0.024235109984", 1650565147244
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "filled"),
    [
        ({"event": "put", "left": "3.5"}, "open", "0.0"),
        ({}, "partial", "2.25"),
        ({"left": "3.5"}, "open", "0.0"),
        ({"filled_amount": "2.2500"}, "partial", "2.2500"),
        ({"event": "finish", "left": "0", "finish_as": "filled"}, "filled", "3.5"),
        ({"event": "finish", "left": "0", "finish_as": "poc"}, "filled", "3.5"),
        ({"event": "finish", "left": "0.000"}, "filled", "3.500"),
        ({"event": "finish", "finish_as": "poc"}, "rejected", "2.25"),
        ({"event": "finish", "finish_as": "cancelled"}, "cancelled", "2.25"),
        ({"event": "finish", "finish_as": "stp", "left": "3.5"}, "cancelled", "0.0"),
    ],
)
def test_status_and_filled_of_spot_orders(changes: dict[str, Any], status: str, filled: str) -> None:
    (order,) = read("spot.orders", SPOT_ORDER | changes)
    assert (order.status, order.filled, order.quantity, order.side) == (status, filled, "3.5", "sell")
    assert (order.price, order.average_price, order.ts) == ("64000.10", "64000.2", 1714729021184)


MARKET_BUY = {"type": "market", "side": "buy", "amount": "3.5", "price": "0"}


@pytest.mark.parametrize(
    ("changes", "filled"),
    [
        ({"event": "put", "left": "3.5", "filled_total": "0", "avg_deal_price": "0"}, "0"),
        ({"event": "update", "left": "1.5", "filled_total": "2", "avg_deal_price": "0.000008"}, "250000"),
        ({"event": "finish", "left": "0", "filled_total": "3.5", "avg_deal_price": "0.0000073"}, "479452.054795"),
        ({"event": "finish", "left": "0", "filled_amount": "479000.5", "avg_deal_price": "0.0000073"}, "479000.5"),
        ({"event": "update", "left": "1.5", "avg_deal_price": ""}, "0"),
        ({"event": "update", "side": "sell", "left": "1.5", "filled_total": "9", "avg_deal_price": "3"}, "2.0"),
    ],
)
def test_what_a_market_buy_filled_is_never_an_amount_of_money(changes: dict[str, Any], filled: str) -> None:
    (order,) = read("spot.orders", SPOT_ORDER | MARKET_BUY | changes)
    assert (order.filled, order.kind) == (filled, "market")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "limit"),
        ({"type": "limit_borrow", "time_in_force": "poc"}, "post_only"),
        ({"time_in_force": "ioc"}, "ioc"),
        ({"time_in_force": "fok"}, "fok"),
        ({"type": "market", "time_in_force": "fok"}, "market"),
        ({"type": "market_borrow_repay", "time_in_force": "ioc"}, "market"),
    ],
)
def test_kinds_of_spot_orders(changes: dict[str, Any], kind: str) -> None:
    assert read("spot.orders", SPOT_ORDER | changes)[0].kind == kind


@pytest.mark.parametrize("text", ["apiv4-1-18", "app", "-", "", None])
def test_words_of_the_exchange_are_no_client_id(text: str | None) -> None:
    assert read("spot.orders", SPOT_ORDER | {"text": text})[0].client_id is None
    assert read("futures.orders", FUTURES_ORDER | {"text": text})[0].client_id is None


@pytest.mark.parametrize(
    ("changes", "status", "side", "filled"),
    [
        ({}, "partial", "sell", "6"),
        ({"left": -10}, "open", "sell", "0"),
        ({"size": "2.5", "left": "2.5"}, "open", "buy", "0.0"),
        ({"size": "2.50", "left": "0.25"}, "partial", "buy", "2.25"),
        ({"status": "finished", "left": 0, "finish_as": "filled"}, "filled", "sell", "10"),
        ({"status": "finished", "finish_as": "ioc"}, "cancelled", "sell", "6"),
        ({"status": "finished", "left": -10, "finish_as": "poc"}, "rejected", "sell", "0"),
        ({"status": "finished", "size": 0, "left": 0, "finish_as": "position_closed"}, "filled", "sell", "0"),
    ],
)
def test_status_and_side_of_futures_orders(changes: dict[str, Any], status: str, side: str, filled: str) -> None:
    (order,) = read("futures.orders", FUTURES_ORDER | changes)
    assert (order.status, order.side, order.filled) == (status, side, filled)


def test_a_futures_order_to_its_values() -> None:
    (order,) = read("futures.orders", FUTURES_ORDER)
    assert (order.id, order.client_id, order.kind) == ("58828270140012049", "t-two", "ioc")
    assert (order.price, order.quantity, order.average_price, order.ts) == ("0.1", "10", "147.6", 1648831310897)
    older = {key: value for key, value in FUTURES_ORDER.items() if key != "update_time"}
    assert read("futures.orders", older)[0].ts == 1648831309897
    assert read("futures.orders", FUTURES_ORDER | {"price": 0, "tif": "ioc"})[0].kind == "market"
    assert read("futures.orders", FUTURES_ORDER | {"price": "0", "tif": "poc"})[0].kind == "market"
    assert read("futures.orders", FUTURES_ORDER | {"tif": "poc"})[0].kind == "post_only"


def test_a_spot_balance_and_two_in_one_frame() -> None:
    item = {"timestamp": "1667556323", "timestamp_ms": "1667556323730", "user": "1", "currency": "USDT",
            "change": "-9", "total": "1090.5", "available": "1000.5000", "freeze": "90",
            "change_type": "order-create"}  # fmt: skip
    found = read("spot.balances", item, item | {"currency": "BTC"})
    times = (1714729022209, 1667556323730, 1714729022000, 1667556323000)
    assert found[0] == Balance("", "USDT", "1000.5000", "90", 1667556323730, times)
    assert [event.asset for event in found] == ["USDT", "BTC"]


def test_futures_fill_and_hedged_position() -> None:
    fill = {"id": "7", "create_time_ms": 5, "contract": "BTC_USDT", "order_id": "8", "size": "-0.5", "role": "taker",
            "price": "41536.50", "fee": -0.00005, "point_fee": 0}  # fmt: skip
    (event,) = read("futures.usertrades", fill)
    assert (event.side, event.quantity, event.price, event.fee, event.role) == (
        "sell", "0.5", "41536.50", "-0.00005", "taker",
    )  # fmt: skip
    position = {"contract": "BTC_USDT", "mode": "dual_short", "size": -3, "leverage": 12.5, "margin": 1e-7,
                "entry_price": 100, "realised_pnl": -0.25, "time_ms": 9}  # fmt: skip
    (held,) = read("futures.positions", position)
    assert (held.mode, held.size, held.leverage, held.margin, held.realised_pnl, held.ts) == (
        "short", "-3", "12.5", "1E-7", "-0.25", 9,
    )  # fmt: skip
    assert read("futures.positions", position | {"mode": "dual_long"})[0].mode == "long"


@given(st.integers(2**53, 2**63 - 1))
def test_an_id_above_two_to_the_53_keeps_every_digit(number: int) -> None:
    assert read("futures.orders", FUTURES_ORDER | {"id": number})[0].id == str(number)


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 12))
def test_filled_is_exact_whatever_the_digits(amount: int, left: int, places: int) -> None:
    texts = [f"{number // 10**places}.{number % 10**places:0{places}d}" for number in (amount, left)]
    (order,) = read("spot.orders", SPOT_ORDER | {"amount": texts[0] if places else str(amount),
                                                 "left": texts[1] if places else str(left)})  # fmt: skip
    whole, _, rest = order.filled.partition(".")
    sign = -1 if whole.startswith("-") else 1
    assert int(whole) * 10**places + sign * int(rest or 0) == amount - left


@pytest.mark.parametrize(
    ("channel", "item"),
    [
        ("spot.orders", SPOT_ORDER | {"event": "other"}),
        ("spot.orders", SPOT_ORDER | {"side": "BUY"}),
        ("spot.orders", {key: value for key, value in SPOT_ORDER.items() if key != "left"}),
        ("spot.orders", SPOT_ORDER | {"amount": "many"}),
        ("futures.orders", FUTURES_ORDER | {"id": 1.5e16}),
        ("futures.orders", FUTURES_ORDER | {"status": "gone"}),
        ("futures.positions", {"contract": "A", "size": 1, "mode": "new"}),
    ],
)
def test_what_the_wire_page_does_not_allow_is_an_error(channel: str, item: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        read(channel, item)
