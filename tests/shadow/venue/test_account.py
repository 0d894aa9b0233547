"""The account's laws, over long seeded runs of both markets."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.venue.account import START, Account
from shadow.venue.account_events import AccountEvent, BalanceState, FillState, OrderState, PositionState
from shadow.venue.market import market_for
from shadow.venue.symbol_market import contract_size

SYMBOLS = ("BTC_USDT", "ETH_USDT")
NOW_MS = 1_790_000_000_000


def run(kind: str, seed: int, steps: int) -> tuple[Account, list[AccountEvent]]:
    market = market_for("gateio", kind, SYMBOLS, seed, NOW_MS)
    account = Account(market, kind, SYMBOLS, seed, NOW_MS)
    events: list[AccountEvent] = []
    for step in range(steps):
        symbol = SYMBOLS[step % 2]
        market.step("book", symbol, NOW_MS + step)
        events += account.step(symbol, NOW_MS + step * 20)
        assert min(*account.free.values(), *account.locked.values()) >= 0
    return account, events


@settings(max_examples=12)
@given(st.sampled_from(["spot", "futures"]), st.integers(0, 10**6))
def test_fills_add_up_to_their_orders(kind: str, seed: int) -> None:
    _, events = run(kind, seed, 150)
    fills: dict[int, list[FillState]] = defaultdict(list)
    last: dict[int, OrderState] = {}
    for event in events:
        if isinstance(event, FillState):
            fills[event.order_id].append(event)
        elif isinstance(event, OrderState):
            before = last.get(event.id)
            assert (before is None) == (event.event == "put")
            if before is not None:
                assert before.status in ("open", "partial")
                assert before.filled <= event.filled <= event.quantity == before.quantity
                assert event.update_no == before.update_no + 1
            last[event.id] = event
    for order in last.values():
        mine = fills[order.id]
        assert sum(fill.quantity for fill in mine) == order.filled
        assert sum(fill.quantity * fill.price for fill in mine) == order.value
        fits = {
            "open": not order.filled,
            "partial": bool(order.filled) and bool(order.left),
            "filled": not order.left,
            "cancelled": bool(order.left),
        }
        assert fits[order.status]
        if order.filled:
            assert order.average_price == pytest.approx(order.value / order.filled)
    assert {order.status for order in last.values()} >= {"filled", "cancelled"}
    assert {"limit", "post_only", "market"} == {order.kind for order in last.values()}


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_spot_money_moves_by_fills_and_fees_alone(seed: int) -> None:
    account, events = run("spot", seed, 150)
    expected = dict.fromkeys(account.free, START)
    for event in events:
        if isinstance(event, FillState):
            base, quote = event.symbol.split("_")
            sign = 1 if event.side == "buy" else -1
            expected[base] += sign * event.quantity
            expected[quote] -= sign * event.quantity * event.price + event.fee
    assert {asset: account.free[asset] + account.locked[asset] for asset in account.free} == expected
    needed: dict[str, Decimal] = defaultdict(Decimal)
    for symbol in SYMBOLS:
        base, quote = symbol.split("_")
        for order in account._open[symbol]:
            needed[quote if order.side == "buy" else base] += order.left * (order.price if order.side == "buy" else 1)
    assert {asset: amount for asset, amount in account.locked.items() if amount} == dict(needed)


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_a_position_is_the_signed_sum_of_its_fills(seed: int) -> None:
    account, events = run("futures", seed, 150)
    size: dict[str, Decimal] = defaultdict(Decimal)
    pnl = fees = Decimal(0)
    for event in events:
        if isinstance(event, FillState):
            size[event.symbol] += event.quantity if event.side == "buy" else -event.quantity
            fees += event.fee
        elif isinstance(event, PositionState):
            assert event.size == size[event.symbol]
            assert (event.entry_price > 0) == (event.size != 0)
        elif isinstance(event, BalanceState) and event.reason == "pnl":
            pnl += event.change
    assert account.free["USDT"] == START + pnl - fees
    assert sum(position.realised_pnl for position in account.positions.values()) == pnl
    assert {position.leverage for position in account.positions.values()} == {0, 10}


def test_a_round_trip_earns_the_difference_of_its_prices() -> None:
    _, events = run("futures", 3, 400)
    by_symbol = [event for event in events if getattr(event, "symbol", "") == "BTC_USDT"]
    signed = value = Decimal(0)
    for event in by_symbol:
        if isinstance(event, FillState):
            sign = 1 if event.side == "buy" else -1
            signed += sign * event.quantity
            value -= sign * event.quantity * event.price
        elif isinstance(event, PositionState) and not event.size:
            assert signed == 0
            assert event.realised_pnl == pytest.approx(value * contract_size("BTC_USDT"), abs=Decimal("0.01"))
            return
    raise AssertionError("the position was never closed")


@pytest.mark.parametrize("kind", ["spot", "futures"])
def test_events_are_one_of_a_kind_and_time_never_goes_back(kind: str) -> None:
    _, events = run(kind, 7, 400)
    times = [event.ts_ms for event in events]
    assert times == sorted(times)
    orders = [(e.id, e.status, e.filled, e.ts_ms) for e in events if isinstance(e, OrderState)]
    balances = [(e.asset, e.free, e.locked, e.ts_ms) for e in events if isinstance(e, BalanceState)]
    fills = [e.id for e in events if isinstance(e, FillState)]
    for keys in (orders, balances, fills):
        assert len(set(keys)) == len(keys) > 50


def test_the_same_seed_acts_the_same() -> None:
    assert run("spot", 5, 80)[1] == run("spot", 5, 80)[1] != run("spot", 6, 80)[1]
