"""MEXC's private pushes written by hand are byte for byte what the generated code writes, for any state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.venue.account_events import AccountEvent, BalanceState, FillState, OrderState
from shadow.venue.personas.mexc_private_frames import CHANNELS, encode

NAMES = {kind: channel for channel, kind in CHANNELS.items()}
SYMBOLS = st.sampled_from(["BTC_USDT", "ETH_USDT"])
SIDES = st.sampled_from(["buy", "sell"])
AMOUNTS = st.decimals(0, 10**7, places=8)
SIGNED = st.decimals(-(10**7), 10**7, places=8)
MILLIS = st.integers(1, 2**53)
NUMBERS = st.integers(1, 10**20)
CLIENT_IDS = st.none() | st.text("abc019", min_size=1, max_size=28).map("t-".__add__)
STATUSES = st.sampled_from(["open", "partial", "filled", "cancelled"])
KINDS = {"limit": 1, "post_only": 2, "market": 5}

ORDERS = st.builds(
    OrderState,
    symbol=SYMBOLS,
    ts_ms=MILLIS,
    id=NUMBERS,
    client_id=CLIENT_IDS,
    event=st.just("update"),
    status=STATUSES,
    side=SIDES,
    kind=st.sampled_from(list(KINDS)),
    price=AMOUNTS,
    quantity=AMOUNTS,
    filled=AMOUNTS,
    value=AMOUNTS,
    created_ms=MILLIS,
    update_no=NUMBERS,
)
FILLS = st.builds(
    FillState,
    symbol=SYMBOLS,
    ts_ms=MILLIS,
    time_us=MILLIS,
    id=NUMBERS,
    order_id=NUMBERS,
    client_id=CLIENT_IDS,
    side=SIDES,
    price=AMOUNTS,
    quantity=AMOUNTS,
    fee=SIGNED,
    fee_asset=st.sampled_from(["USDT", "MX"]),
    role=st.sampled_from(["maker", "taker"]),
)
REASONS = {"order": "ENTRUST_PLACE", "cancel": "ENTRUST_CANCEL", "fill": "ENTRUST", "fee": "TRADE_FEE"}
BALANCES = st.builds(
    BalanceState,
    symbol=st.just(""),
    ts_ms=MILLIS,
    asset=st.sampled_from(["USDT", "BTC"]),
    free=AMOUNTS,
    locked=AMOUNTS,
    change=SIGNED,
    locked_change=SIGNED,
    reason=st.sampled_from(list(REASONS)),
    about=NUMBERS,
)


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def check(event: AccountEvent, **body: Any) -> None:
    channel = NAMES[event.type]
    wrapper = PushDataV3ApiWrapper(channel=channel, sendTime=event.ts_ms, **body)
    if event.symbol:
        wrapper.symbol = event.symbol.replace("_", "")
    assert encode(channel, event).payload == wrapper.SerializeToString()


@settings(max_examples=60)
@given(ORDERS)
def test_an_order(order: OrderState) -> None:
    status = {"open": 1, "filled": 2, "partial": 3, "cancelled": 5 if order.filled else 4}[order.status]
    body = {
        "id": f"C02__{order.id:021d}",
        "clientId": order.client_id or "",
        "price": plain(order.price),
        "quantity": plain(order.quantity),
        "amount": plain(order.price * order.quantity),
        "avgPrice": plain(order.average_price),
        "orderType": KINDS[order.kind],
        "tradeType": 1 if order.side == "buy" else 2,
        "isMaker": order.kind == "post_only",
        "remainAmount": plain(order.price * (order.quantity - order.filled)),
        "remainQuantity": plain(order.quantity - order.filled),
        "cumulativeQuantity": plain(order.filled),
        "cumulativeAmount": plain(order.value),
        "status": status,
        "createTime": order.created_ms,
    }
    check(order, privateOrders=body)


@settings(max_examples=60)
@given(FILLS)
def test_a_deal(fill: FillState) -> None:
    body = {
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "amount": plain(fill.price * fill.quantity),
        "tradeType": 1 if fill.side == "buy" else 2,
        "isMaker": fill.role == "maker",
        "tradeId": f"{fill.id}X1",
        "clientOrderId": fill.client_id or "",
        "orderId": f"C02__{fill.order_id:021d}",
        "feeAmount": plain(fill.fee),
        "feeCurrency": fill.fee_asset,
        "time": fill.time_us // 1000,
    }
    check(fill, privateDeals=body)


@settings(max_examples=60)
@given(BALANCES)
def test_an_account(balance: BalanceState) -> None:
    body = {
        "vcoinName": balance.asset,
        "coinId": f"{balance.asset.lower()}-coin",
        "balanceAmount": plain(balance.free),
        "balanceAmountChange": plain(balance.change),
        "frozenAmount": plain(balance.locked),
        "frozenAmountChange": plain(balance.locked_change),
        "type": REASONS[balance.reason],
        "time": balance.ts_ms,
    }
    check(balance, privateAccount=body, createTime=balance.ts_ms)
