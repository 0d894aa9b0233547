"""How much is remembered of an account's past."""

from __future__ import annotations

from dataclasses import replace

from exchanges.structs import Balance, Fill, Order, Position, Symbol
from infrastructure.networking.websocket.handlers.recent_account import RecentFills, RecentOrders, RecentStates

BTC = Symbol("BTC", "USDT")
FILL = Fill(BTC, "1", "1", "buy", 1.0, 2.0, None, None, None, 5)
ORDER = Order(BTC, "1", None, "open", "buy", "limit", 1.0, 2.0, 0.0, 0.0, 5)


def test_the_last_512_fills_of_a_symbol_are_known() -> None:
    recent = RecentFills()
    fills = [replace(FILL, id=str(number)) for number in range(RecentFills.KEPT + 1)]
    assert recent.fresh(fills) == fills
    assert recent.fresh(fills[1:]) == []
    assert recent.repeated == RecentFills.KEPT == 512
    assert recent.fresh(fills[:1]) == fills[:1]


def test_orders_that_rested_longest_are_forgotten_first() -> None:
    recent = RecentOrders()
    orders = [replace(ORDER, id=str(number)) for number in range(RecentOrders.KEPT)]
    assert recent.fresh(orders) == orders
    assert recent.fresh(orders[:1]) == []
    extra = replace(ORDER, id="extra")
    assert recent.fresh([extra]) == [extra]
    assert recent.fresh(orders[:1]) == []
    assert recent.fresh(orders[1:2]) == orders[1:2]
    assert recent.repeated == 2


def test_every_field_of_an_order_counts() -> None:
    recent = RecentOrders()
    changed = [
        ORDER,
        replace(ORDER, client_id="t-1"),
        replace(ORDER, status="partial"),
        replace(ORDER, side="sell"),
        replace(ORDER, kind="ioc"),
        replace(ORDER, price=3.0),
        replace(ORDER, quantity=3.0),
        replace(ORDER, average_price=3.0),
        replace(ORDER, timestamp=6),
        replace(ORDER, filled=3.0),
    ]
    assert recent.fresh(changed) == changed


def test_every_field_of_a_balance_and_of_a_position_counts() -> None:
    balances = RecentStates(Balance, "asset", "symbol")
    balance = Balance("USDT", 1.0, 0.0, 5)
    states = [
        balance,
        replace(balance, free=2.0),
        replace(balance, locked=1.0),
        replace(balance, timestamp=6),
        replace(balance, asset="BTC"),
        replace(balance, symbol=BTC),
    ]
    assert balances.fresh(states) == states
    assert balances.fresh([replace(state) for state in states[3:]]) == []
    positions = RecentStates(Position, "symbol", "mode")
    position = Position(BTC, -1.0, 2.0, "single", 0.0, 1.0, 0.0, 5)
    changes = [
        position,
        replace(position, size=1.0),
        replace(position, entry_price=3.0),
        replace(position, mode="long"),
        replace(position, leverage=1.0),
        replace(position, margin=2.0),
        replace(position, realised_pnl=1.0),
        replace(position, timestamp=6),
    ]
    assert positions.fresh(changes) == changes
    assert positions.fresh([replace(changes[-1])]) == []
