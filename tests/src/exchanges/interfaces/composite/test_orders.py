"""The life of orders: forward only, ended for good, and stale while nobody can know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.interfaces.composite.held import Held
from exchanges.interfaces.composite.orders import FINISHED, Orders
from exchanges.structs import Order, Symbol

BTC = Symbol("BTC", "USDT")


def order(status: str, filled: float = 0.0, order_id: str = "7", timestamp: int = 1) -> Order:
    return Order(BTC, order_id, None, status, "buy", "limit", 10.0, 2.0, filled, None, timestamp)


def taken(*states: Order, kept: int = 10) -> Orders:
    orders = Orders(kept)
    for state in states:
        orders.take(state, is_stale=False)
    return orders


def test_an_order_is_open_until_its_end_is_told_and_its_life_is_kept() -> None:
    states = [order("open"), order("partial", 1.0), order("filled", 2.0)]
    orders = taken(*states[:2])
    assert orders.open() == {"7": Held(states[1], False)} == {"7": orders.get("7")}
    orders.take(states[2], is_stale=False)
    assert orders.open() == {}
    assert orders.get("7") == Held(states[2], False)
    assert orders.life("7") == states
    assert orders.get("8") is None
    assert orders.life("8") == []


@pytest.mark.parametrize("end", sorted(FINISHED))
@pytest.mark.parametrize("status", ["open", "partial", "filled", "cancelled"])
def test_nothing_opens_or_changes_a_finished_order(end: str, status: str) -> None:
    orders = taken(order(end, 1.0))
    assert not orders.take(order(status, 2.0), is_stale=False)
    assert orders.get("7") == Held(order(end, 1.0), False)
    assert orders.open() == {}
    assert orders.metrics() == {"open": 0, "finished": 1, "late": 1}


def test_what_is_filled_never_shrinks() -> None:
    orders = taken(order("partial", 1.0))
    assert not orders.take(order("open", 0.0), is_stale=False)
    assert orders.get("7") == Held(order("partial", 1.0), False)
    assert orders.late == 1


def test_an_amended_order_is_told_with_the_same_fill() -> None:
    amended = order("open", timestamp=2)
    orders = taken(order("open"))
    assert orders.take(amended, is_stale=False)
    assert orders.get("7") == Held(amended, False)


def test_an_open_order_is_stale_after_a_lost_connection_until_it_is_told_again() -> None:
    orders = taken(order("open"), order("filled", 2.0, "8"))
    orders.mark_stale()
    assert orders.get("7") == Held(order("open"), True)
    assert orders.get("8") == Held(order("filled", 2.0, "8"), False)
    assert not orders.take(order("open"), is_stale=False)
    assert orders.get("7") == Held(order("open"), False)
    assert orders.life("7") == [order("open")]


def test_stale_orders_can_be_forgotten_with_their_lives() -> None:
    orders = taken(order("open"), order("open", order_id="8"))
    orders.mark_stale()
    orders.take(order("partial", 1.0, "8"), is_stale=False)
    assert orders.forget_stale() == 1
    assert list(orders.open()) == ["8"]
    assert orders.life("7") == []
    assert orders.take(order("filled", 2.0), is_stale=False)
    assert orders.life("7") == [order("filled", 2.0)]


def test_so_many_finished_orders_are_kept_and_so_many_states_of_one() -> None:
    orders = taken(*(order("cancelled", order_id=str(number)) for number in range(5)), kept=3)
    assert [number for number in range(5) if orders.get(str(number))] == [2, 3, 4]
    assert orders.life("1") == []
    amended = taken(*(order("open", timestamp=time) for time in range(Orders.LIFE_LIMIT + 10)))
    assert len(amended.life("7")) == Orders.LIFE_LIMIT
    assert amended.life("7")[-1].timestamp == Orders.LIFE_LIMIT + 9


STATES = st.builds(
    order,
    status=st.sampled_from(["open", "partial", "filled", "cancelled", "rejected"]),
    filled=st.sampled_from([0.0, 1.0, 2.0]),
    order_id=st.sampled_from(["1", "2", "3"]),
)


@pytest.mark.no_cover
@given(st.lists(STATES, max_size=30), st.integers(1, 3))
def test_whatever_comes_lives_go_forward_and_only_those_of_held_orders_are_kept(states: list[Order], kept: int) -> None:
    orders = taken(*states, kept=kept)
    held = {one for one in ("1", "2", "3") if orders.get(one) is not None}
    assert {one for one in ("1", "2", "3") if orders.life(one)} == held
    for one in held:
        life = orders.life(one)
        assert [state.filled for state in life] == sorted(state.filled for state in life)
        assert all(state.status not in FINISHED for state in life[:-1])
        assert (one in orders.open()) == (life[-1].status not in FINISHED)
    assert orders.metrics()["finished"] <= kept
