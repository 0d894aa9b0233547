"""The laws of an account by themselves: a run that keeps them breaks none, and each break is found where it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.diff.account_laws import Told, broken_laws, exact

sizes = st.decimals("-100", 100, places=4).filter(bool)
runs = st.lists(st.tuples(sizes, st.integers(0, 3)), min_size=2, max_size=12)
"""Signed sizes of fills, and how many ms later each comes."""


def told(event_type: str, **fields: Any) -> Told:
    return Told("c", event_type, "BTC_USDT", fields.get, fields)


def fill(number: int, size: Any, ts: int | None, **more: Any) -> Told:
    side = "buy" if Decimal(str(size)) > 0 else "sell"
    fields = {
        "id": str(number),
        "order_id": str(number),
        "side": side,
        "quantity": str(abs(Decimal(str(size)))),
        "ts": ts,
    }
    return told("fill", **fields | more)


def events_of(run: list[tuple[Decimal, int]]) -> tuple[list[Told], list[Told]]:
    """Fills, and the positions that they leave."""
    fills, positions, size, ts = [], [], Decimal(3), 1000
    for number, (change, later) in enumerate(run):
        ts += later
        size += change
        fills.append(fill(number, change, ts))
        positions.append(told("position", size=str(size), ts=ts, mode="single"))
    return fills, positions


@given(runs, st.randoms(use_true_random=False))
def test_positions_that_follow_from_their_fills_keep_the_law(run: list[tuple[Decimal, int]], random: Any) -> None:
    fills, positions = events_of(run)
    kept = [position for position in positions if random.random() < 0.7]
    random.shuffle(fills)
    assert broken_laws([*fills, *positions]) == []
    by_time = {position.read("ts"): position for position in positions}
    last_of_their_time = [position for position in kept if by_time[position.read("ts")] is position]
    assert broken_laws([*last_of_their_time, *fills]) == []


@given(runs, st.data())
def test_a_fill_left_out_breaks_the_law_at_the_next_position(run: list[tuple[Decimal, int]], data: Any) -> None:
    fills, positions = events_of([(size, later + 1) for size, later in run])
    gone = data.draw(st.integers(1, len(fills) - 1))
    (broken,) = broken_laws([*fills[:gone], *fills[gone + 1 :], *positions])
    assert (broken.what, broken.until) == ("size is not the sum of fills", fills[gone].read("ts"))
    assert broken.source is positions[gone].source


@pytest.mark.parametrize(("quantities", "filled"), [((0.1234567890123456789, 0.2, 0.3), "0.6234567890123456789"),
                                                    ((1e-9, 2e-9), 3e-9), ((0.1,) * 7, 0.7)])  # fmt: skip
def test_sums_of_floats_may_be_off_by_their_rounding(quantities: tuple[float, ...], filled: Any) -> None:
    fills = [fill(i, quantity, 1, order_id="o", quantity=quantity) for i, quantity in enumerate(quantities)]
    assert broken_laws([*fills, told("order", id="o", filled=filled)]) == []
    (broken,) = broken_laws([*fills[1:], told("order", id="o", filled=filled)])
    assert broken.what == "fills below filled"


def test_fills_of_both_sides_add_up_and_each_counts_once() -> None:
    one, other = fill(1, 2, 1, order_id="o"), fill(2, -3, 1, order_id="o")
    assert broken_laws([one, other, one, told("order", id="o", filled=2), told("order", id="o", filled=5.0)]) == []


def test_an_order_without_fills_and_a_fill_without_its_order_keep_the_law() -> None:
    assert broken_laws([told("order", id="o", filled="0"), fill(1, 2, 1, order_id="elsewhere")]) == []


def test_nothing_is_not_less_than_nothing() -> None:
    assert broken_laws([told("balance", asset="usdt", free=0, locked=None)]) == []
    (broken,) = broken_laws([told("balance", asset="usdt", free="-0.01", locked=0)])
    assert (broken.key, broken.what) == ("USDT", "free below zero")


@pytest.mark.parametrize("value", [None, True, "", "x", "nan", "inf", "9e999999", "-9e-999999", [1], {}, b"1"])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert exact(value) is None
    fills = [fill(i, 1, 1, order_id="o", quantity=value) for i in range(3)]
    assert broken_laws([*fills, told("order", id="o", filled=value), told("position", size=value, ts=1)]) == []


@pytest.mark.parametrize(("value", "number"), [(3, "3"), (0.1, "0.1"), ("1.50", "1.50"), (Decimal("2.5"), "2.5")])
def test_numbers_are_taken_as_they_were_written(value: Any, number: str) -> None:
    assert exact(value) == Decimal(number)
