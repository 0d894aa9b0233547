"""The order automaton: every legal life passes, every illegal step is named, and repeats are none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.diff.lifecycle import STATUSES, TERMINAL, Step, breach, breaches

quantities = st.decimals(1, 10**6, places=4)


def step(status: str, filled: int | str | Decimal = 0, quantity: int | Decimal = 10, order: str = "a") -> Step:
    return Step(order, status, Decimal(filled), Decimal(quantity))


@st.composite
def lives(draw: st.DrawFn, order: str = "a") -> list[Step]:
    """A legal life: open any number of times, partial with `filled` growing, one end or none yet, repeats anywhere."""
    quantity = draw(quantities)
    shares = sorted(draw(st.lists(st.integers(1, 99), max_size=6, unique=True)))
    steps = [step("open", 0, quantity, order)] * draw(st.integers(0, 2))
    steps += [step("partial", quantity * share / 100, quantity, order) for share in shares]
    last = steps[-1].filled if steps else Decimal(0)
    end = draw(st.sampled_from(["filled", "cancelled", "rejected", ""]))
    if end:
        steps.append(step(end, quantity if end == "filled" else last or 0, quantity, order))
    return [again for each in steps for again in [each] * draw(st.integers(1, 2))]


@given(lives(), st.data())
def test_a_legal_life_passes_whatever_is_left_out_of_it(life: list[Step], data: st.DataObject) -> None:
    kept = [each for each in life if data.draw(st.booleans())]
    assert breaches(life) == {}
    assert breaches(kept) == {}


@given(lives("a"), lives("b"), st.data())
def test_orders_do_not_disturb_each_other(one: list[Step], other: list[Step], data: st.DataObject) -> None:
    mixed, rests = [], [list(one), list(other)]
    while any(rests):
        mixed.append(data.draw(st.sampled_from([rest for rest in rests if rest])).pop(0))
    assert breaches(mixed) == {}


@given(lives(), st.sampled_from(sorted(STATUSES)), st.integers(0, 12))
def test_after_the_end_only_a_repeat_is_legal(life: list[Step], status: str, filled: int) -> None:
    ended = [*life, step("cancelled", life[-1].filled or 0, life[-1].quantity or 10)] if life else [step("rejected")]
    if life and life[-1].status in TERMINAL:
        ended = life
    after = Step("a", status, Decimal(filled), ended[-1].quantity)
    is_repeat = after == ended[-1]
    named = {what for _, what in breaches([*ended, after]) if "after" in what}
    assert bool(named) is not is_repeat


@given(lives(), st.data())
def test_any_two_unlike_updates_in_the_wrong_order_are_named(life: list[Step], data: st.DataObject) -> None:
    unlike = [each for i, each in enumerate(life) if each not in life[:i]]
    if len(unlike) < 2:
        return
    i = data.draw(st.integers(0, len(unlike) - 2))
    unlike[i], unlike[i + 1] = unlike[i + 1], unlike[i]
    assert breaches(unlike)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (step("open"), step("partial", 4), None),
        (step("open"), step("filled", 10), None),
        (step("open"), step("cancelled"), None),
        (step("open"), step("rejected"), None),
        (step("open"), step("open"), None),
        (step("partial", 4), step("partial", 4), None),
        (step("partial", 4), step("cancelled", 4), None),
        (step("partial", 4), step("partial", 4, 12), None),
        (step("partial", 4), step("partial", 3), "filled going back"),
        (step("partial", 4), step("cancelled", 0), "filled going back"),
        (step("partial", 4), step("open", 4), "partial to open"),
        (step("filled", 10), step("filled", 10), None),
        (step("cancelled", 4), step("cancelled", 5), "filled on after cancelled"),
        (step("rejected"), step("open"), "changed after rejected"),
        (step("filled", 10), step("partial", 4), "changed after filled"),
    ],
)
def test_steps(before: Step, after: Step, what: str | None) -> None:
    assert breach(before, after) == what


def test_more_than_was_asked_for_is_named_at_the_first_update_already() -> None:
    assert list(breaches([step("partial", "10.0001"), step("filled", "10.0001")])) == [("a", "filled above quantity")]


def test_an_illegal_update_does_not_become_the_orders_state() -> None:
    named = breaches(
        [step("partial", 4), step("partial", 1), step("partial", 3), step("partial", 5), step("filled", 10)]
    )
    assert list(named) == [("a", "filled going back")]
    assert named["a", "filled going back"].filled == 1
    assert list(breaches([step("filled", 10), step("partial", 4), step("open", 4)])) == [("a", "changed after filled")]


def test_what_cannot_be_read_is_passed_over() -> None:
    unread = Step("a", "partial", None, None)
    assert breaches([step("partial", 4), step("PARTIAL", 1), unread, step("partial", 5), step("filled", 10)]) == {}
