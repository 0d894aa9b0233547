"""Gate.io's private frames to events: recorded ones, the rules field by field, and agreement with the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.gateio import private_events as events
from exchanges.integrations.gateio.private_frames import decode_answer, decode_futures_private, decode_spot_private
from exchanges.structs import Balance, DecodeError, Fill, Order, Position, Symbol
from shadow.reference import gateio as reference
from shadow.venue.account import Account
from shadow.venue.market import market_for
from shadow.venue.personas.gateio_private import GateioFuturesPrivate, GateioSpotPrivate

BTC, CONTRACT = Symbol("BTC", "USDT"), Symbol("BTC", "USDT", True)
READERS: dict[str, Callable[[Any], list[Any]]] = {
    "spot.orders": events.read_spot_orders,
    "spot.usertrades": events.read_spot_fills,
    "spot.balances": events.read_spot_balances,
    "futures.orders": events.read_futures_orders,
    "futures.usertrades": events.read_futures_fills,
    "futures.balances": events.read_futures_balances,
    "futures.positions": events.read_futures_positions,
}
SPOT_ORDER: dict[str, Any] = {
    "id": "575707647866", "user": 1, "text": "t-one", "create_time": "1714729020", "update_time": "1714729021",
    "currency_pair": "BTC_USDT", "type": "limit", "account": "spot", "side": "sell", "amount": "3.5",
    "price": "64000.10", "time_in_force": "gtc", "left": "1.25", "filled_total": "9", "avg_deal_price": "64000.2",
    "create_time_ms": "1714729020184", "update_time_ms": "1714729021184.653", "event": "update", "finish_as": "open",
}  # fmt: skip
SPOT_FILL: dict[str, Any] = {
    "id": 8900430811, "order_id": "575707647866", "currency_pair": "BTC_USDT", "side": "buy", "amount": "2",
    "role": "taker", "price": "3", "fee": "0.5", "fee_currency": "BTC", "create_time_ms": "1714729020184.999999",
}  # fmt: skip
FUTURES_ORDER: dict[str, Any] = {
    "contract": "BTC_USDT", "create_time_ms": 1648831308897, "fill_price": 147.6, "finish_as": "_update",
    "finish_time_ms": 1648831309897, "id": 58828270140012049, "left": -4, "price": 0.1, "size": -10, "status": "open",
    "text": "t-two", "tif": "ioc", "update_time": 1648831310897, "user": "1",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "contract": "BTC_USDT", "size": "-2.5", "mode": "dual_short", "leverage": 0, "margin": 4.5, "entry_price": "7.25",
    "realised_pnl": -0.5, "time_ms": 9, "user": "1",
}  # fmt: skip


def read_text(text: str | bytes) -> list[Any]:
    channel = json.loads(text)["channel"]
    decode: Callable[[Any], Any] = decode_spot_private if channel.startswith("spot") else decode_futures_private
    return READERS[channel](decode(text))


def read(channel: str, *items: dict[str, Any]) -> list[Any]:
    return read_text(json.dumps({"time": 1, "channel": channel, "event": "update", "result": items}))


@pytest.mark.checklist("3.2.15", "3.2.21")
def test_recorded_spot_frames(captures: Path) -> None:
    _, order, fill = (captures / "gateio-spot-private-2024.jsonl").read_text().splitlines()
    pepe = Symbol("PEPE", "USDT")
    assert read_text(order) == [
        Order(pepe, "575707647866", "t-apiv4-1-18", "open", "buy", "market", 0.0, 3.5, 0.0, 0.0, 1714729020184)
    ]
    assert read_text(fill) == [
        Fill(
            pepe, "8900430811", "575707647866", "buy", 7.782e-06, 449755.846826, 449.755846826, "PEPE", "taker",
            1714729020184,
        )
    ]  # fmt: skip


@pytest.mark.checklist("3.2.9", "3.2.15", "3.2.20")
def test_recorded_futures_frames(captures: Path) -> None:
    lines = (captures / "gateio-futures-private-2022.jsonl").read_text().splitlines()
    doge = Symbol("DOGE", "USDT", True)
    assert [event for line in lines for event in read_text(line)] == [
        Order(doge, "143814067568", None, "open", "buy", "limit", 0.1, 10.0, 0.0, 0.0, 1648831308897),
        Fill(CONTRACT, "88227719", "150937751242", "buy", 41536.5, 1.0, None, None, "maker", 1650565147244),
        Balance("USDT", 989.374310681771, None, 1650555418114),
        Position(CONTRACT, -22.0, 42022.975, "single", 0.0, 449.975587609984, 0.024235109984, 1650565147244),
    ]


@pytest.mark.checklist("3.2.21")
@pytest.mark.parametrize(
    ("changes", "status", "filled"),
    [
        ({"event": "put", "left": "3.5"}, "open", 0.0),
        ({}, "partial", 2.25),
        ({"left": "3.5"}, "open", 0.0),
        ({"filled_amount": "2.2600"}, "partial", 2.26),
        ({"filled_amount": ""}, "partial", 2.25),
        ({"filled_amount": "0"}, "open", 0.0),
        ({"event": "finish", "left": "0.000", "finish_as": "filled"}, "filled", 3.5),
        ({"event": "finish", "left": "0", "finish_as": "poc"}, "filled", 3.5),
        ({"event": "finish", "finish_as": "poc"}, "rejected", 2.25),
        ({"event": "finish", "finish_as": "cancelled"}, "cancelled", 2.25),
        ({"event": "finish"}, "cancelled", 2.25),
    ],
)
def test_status_and_filled_of_spot_orders(changes: dict[str, Any], status: str, filled: float) -> None:
    (order,) = read("spot.orders", SPOT_ORDER | changes)
    assert order == Order(
        BTC, "575707647866", "t-one", status, "sell", "limit", 64000.1, 3.5, filled, 64000.2, 1714729021184
    )


MARKET_BUY = {"type": "market", "side": "buy", "amount": "3.5", "price": "0"}


@pytest.mark.checklist("3.2.21")
@pytest.mark.parametrize(
    ("changes", "filled"),
    [
        ({"event": "put", "left": "3.5", "filled_total": "0", "avg_deal_price": "0"}, 0.0),
        ({"event": "update", "left": "1.5", "filled_total": "2", "avg_deal_price": "0.000008"}, 250000.0),
        ({"event": "finish", "left": "0", "filled_total": "3.5", "avg_deal_price": "0.0000073"}, 479452.054795),
        ({"event": "finish", "left": "0", "filled_amount": "479000.5", "avg_deal_price": "0.0000073"}, 479000.5),
        ({"event": "update", "left": "1.5", "avg_deal_price": ""}, 0.0),
        ({"event": "update", "side": "sell", "left": "1.5", "filled_total": "9", "avg_deal_price": "3"}, 2.0),
    ],
)
def test_what_a_market_buy_filled_is_never_an_amount_of_money(changes: dict[str, Any], filled: float) -> None:
    (order,) = read("spot.orders", SPOT_ORDER | MARKET_BUY | changes)
    assert (order.filled, order.kind) == (filled, "market")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"type": "limit_borrow", "time_in_force": "poc"}, "post_only"),
        ({"time_in_force": "ioc"}, "ioc"),
        ({"time_in_force": "fok"}, "fok"),
        ({"time_in_force": None}, "limit"),
        ({"type": "market", "time_in_force": "fok"}, "market"),
        ({"type": "market_borrow_repay"}, "market"),
    ],
)
def test_kinds_of_spot_orders(changes: dict[str, Any], kind: str) -> None:
    assert read("spot.orders", SPOT_ORDER | changes)[0].kind == kind


@pytest.mark.parametrize("text", ["apiv4-1-18", "app", "-", "", None])
def test_words_of_the_exchange_are_no_client_id(text: str | None) -> None:
    assert read("spot.orders", SPOT_ORDER | {"text": text})[0].client_id is None
    assert read("futures.orders", FUTURES_ORDER | {"text": text})[0].client_id is None


@pytest.mark.checklist("3.2.9")
@pytest.mark.parametrize(
    ("changes", "status", "side", "kind", "filled"),
    [
        ({}, "partial", "sell", "ioc", 6.0),
        ({"left": -10}, "open", "sell", "ioc", 0.0),
        ({"size": "0.3", "left": "0.1", "tif": "gtc"}, "partial", "buy", "limit", 0.2),
        ({"size": 0.3, "left": 0.1, "tif": "fok"}, "partial", "buy", "fok", 0.2),
        ({"size": "2.50", "left": "2.5", "tif": "poc"}, "open", "buy", "post_only", 0.0),
        ({"status": "finished", "left": 0}, "filled", "sell", "ioc", 10.0),
        ({"status": "finished", "finish_as": "ioc", "price": 0}, "cancelled", "sell", "market", 6.0),
        ({"status": "finished", "finish_as": "poc", "left": -10}, "rejected", "sell", "ioc", 0.0),
        ({"size": 0, "left": 3, "price": "0"}, "partial", "buy", "market", -3.0),
        ({"size": 0, "left": 0}, "open", "sell", "ioc", 0.0),
    ],
)
def test_futures_orders(changes: dict[str, Any], status: str, side: str, kind: str, filled: float) -> None:
    (order,) = read("futures.orders", FUTURES_ORDER | changes)
    assert (order.status, order.side, order.kind, order.filled) == (status, side, kind, filled)
    assert (order.id, order.client_id, order.average_price) == ("58828270140012049", "t-two", 147.6)
    assert order.symbol == CONTRACT


def test_the_newest_time_of_a_futures_order_counts() -> None:
    for changes, expected in (
        ({}, 1648831310897),
        ({"update_time": 0}, 1648831309897),
        ({"update_time": None, "finish_time_ms": 0}, 1648831308897),
    ):
        assert read("futures.orders", FUTURES_ORDER | changes)[0].timestamp == expected
    with pytest.raises(DecodeError, match="no time"):
        read("futures.orders", FUTURES_ORDER | {"update_time": 0, "finish_time_ms": 0, "create_time_ms": 0})


@pytest.mark.checklist("3.2.20")
def test_positions_fills_and_balances() -> None:
    assert read("futures.positions", POSITION, POSITION | {"mode": "dual_long", "leverage": "10", "margin": ""}) == [
        Position(CONTRACT, -2.5, 7.25, "short", 0.0, 4.5, -0.5, 9),
        Position(CONTRACT, -2.5, 7.25, "long", 10.0, None, -0.5, 9),
    ]
    (fill,) = read("spot.usertrades", SPOT_FILL)
    assert fill == Fill(BTC, "8900430811", "575707647866", "buy", 3.0, 2.0, 0.5, "BTC", "taker", 1714729020184)
    assert read("spot.usertrades", SPOT_FILL | {"fee": "", "fee_currency": ""})[0].fee is None
    item = {"id": 1, "order_id": 2, "contract": "BTC_USDT", "size": "-1.5", "price": "3", "role": "maker"}
    item |= {"create_time_ms": 4, "fee": -0.25}
    assert read("futures.usertrades", item) == [Fill(CONTRACT, "1", "2", "sell", 3.0, 1.5, -0.25, None, "maker", 4)]
    balance = {"currency": "USDT", "available": "1.5", "freeze": "", "timestamp_ms": "7.9"}
    assert read("spot.balances", balance) == [Balance("USDT", 1.5, None, 7)]
    assert read("spot.balances") == []


@given(st.decimals(0, 10**9, places=9), st.decimals(0, 1, places=9))
def test_filled_is_the_float_nearest_to_the_exact_difference(amount: Decimal, share: Decimal) -> None:
    left = round(amount * share, 9)
    exact = float(amount - left)
    assert read("spot.orders", SPOT_ORDER | {"amount": f"{amount:f}", "left": f"{left:f}"})[0].filled == exact
    changes = {"size": f"{-amount:f}", "left": f"{-left:f}"}
    assert read("futures.orders", FUTURES_ORDER | changes)[0].filled == exact


@pytest.mark.parametrize(
    ("channel", "item"),
    [
        ("spot.orders", SPOT_ORDER | {"amount": "much"}),
        ("spot.orders", SPOT_ORDER | {"left": "nan"}),
        ("spot.orders", SPOT_ORDER | {"price": "1e999"}),
        ("spot.orders", SPOT_ORDER | {"currency_pair": "BTC"}),
        ("spot.orders", SPOT_ORDER | {"update_time_ms": ""}),
        ("spot.usertrades", SPOT_FILL | {"price": ""}),
        ("futures.orders", FUTURES_ORDER | {"size": "snan"}),
        ("futures.orders", FUTURES_ORDER | {"size": "1e9999", "left": "0"}),
        ("futures.positions", POSITION | {"size": "1_x"}),
    ],
)
def test_values_without_a_meaning_are_decode_errors(channel: str, item: dict[str, Any]) -> None:
    with pytest.raises(DecodeError, match="unreadable private frame"):
        read(channel, item)


@pytest.mark.no_cover
@pytest.mark.checklist("3.2.15", "3.2.18")
@pytest.mark.parametrize(("market", "kind"), [("spot", GateioSpotPrivate), ("futures", GateioFuturesPrivate)])
def test_an_accounts_frames_read_as_the_reference_reads_them(market: str, kind: Any) -> None:
    symbols = ("BTC_USDT", "ETH_USDT")
    book = market_for("gateio", market, symbols, 1, 1_790_000_000_000)
    persona = kind(book, 1.0, {"key": "k", "secret": "s", "uid": "1"})
    account = Account(book, market, symbols, 1, 1_790_000_000_000)
    keys = [persona.default_variant(channel, "") for channel in ("order", "fill", "balance")]
    keys += [persona.default_variant("position", "")] if market == "futures" else []
    seen: set[str] = set()
    for number in range(200):
        now = 1_790_000_000_000 + 40 * number
        book.step("book", symbols[number % 2], now)
        for event in account.step(symbols[number % 2], now):
            for push in filter(None, (persona.encode(event, key) for key in keys)):
                (expected,), (got,) = reference.decode(push.payload), read_text(push.payload)
                seen.add(type(expected).type)
                assert figures_of(got) == figures_of(expected)
    assert seen == {"order", "fill", "balance"} | ({"position"} if market == "futures" else set())


def figures_of(event: Any) -> dict[str, Any]:
    """The fields by the reference's names, numbers as floats."""
    names = {
        "Order": "id client_id status side kind price quantity filled average_price",
        "Fill": "id order_id side price quantity fee fee_asset role",
        "Balance": "asset free locked",
        "Position": "size entry_price mode leverage margin realised_pnl",
    }[type(event).__name__].split()
    texts = ("id", "client_id", "status", "side", "kind", "order_id", "fee_asset", "role", "asset", "mode")
    figures: dict[str, Any] = {}
    for name in names:
        value = getattr(event, name)
        figures[name] = value if value is None or name in texts else float(value)
    return figures | {"ts": getattr(event, "ts", None) or event.timestamp}


def test_a_login_tells_who_we_are_in_either_type() -> None:
    for uid, expected in ((77, "77"), ("77", "77"), (None, ""), ([], "")):
        text = json.dumps({"request_id": "1", "header": {"status": 200}, "data": {"result": {"uid": uid}}})
        assert decode_answer(text).uid == expected
    assert decode_answer(b'{"header":{}}').uid == ""
    assert decode_answer(b'{"header":{},"data":{"result":[1]}}').uid == ""
