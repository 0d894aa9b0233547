"""The smallest part of a list: right for one cause or several, within the tries, whatever is asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow.diff.ddmin import ddmin

PLENTY = 100_000


class Asked:
    """A predicate that keeps what it was asked."""

    def __init__(self, needed: set[int]) -> None:
        self.needed = needed
        self.parts: list[tuple[int, ...]] = []

    def __call__(self, part: list[int]) -> bool:
        self.parts.append(tuple(part))
        return self.needed <= set(part)


@st.composite
def lists_with_causes(draw: st.DrawFn) -> tuple[list[int], set[int]]:
    count = draw(st.integers(1, 40))
    return list(range(count)), draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=6))


@given(lists_with_causes())
def test_what_is_needed_is_found_and_nothing_else(given_: tuple[list[int], set[int]]) -> None:
    items, needed = given_
    assert ddmin(items, Asked(needed), PLENTY) == (sorted(needed), True)


@given(lists_with_causes())
def test_nothing_is_asked_twice_and_never_nothing(given_: tuple[list[int], set[int]]) -> None:
    items, needed = given_
    asked = Asked(needed)
    ddmin(items, asked, PLENTY)
    assert len(asked.parts) == len(set(asked.parts))
    assert all(asked.parts)
    assert tuple(items) not in asked.parts


@given(lists_with_causes(), st.integers(0, 12))
def test_tries_are_bounded_and_what_is_left_still_shows(given_: tuple[list[int], set[int]], tries: int) -> None:
    items, needed = given_
    asked = Asked(needed)
    found, is_minimal = ddmin(items, asked, tries)
    assert len(asked.parts) <= tries
    assert needed <= set(found)
    assert found == sorted(found)
    assert is_minimal <= (set(found) == needed)


@given(st.integers(2, 12), st.data())
def test_no_single_item_can_be_left_out_of_what_is_called_minimal(count: int, data: st.DataObject) -> None:
    """Whatever shows it: here parts drawn at random, more of them showing nothing."""
    answers: dict[tuple[int, ...], bool] = {}

    def shows(part: list[int]) -> bool:
        key = tuple(part)
        if key not in answers:
            answers[key] = len(key) == count or data.draw(st.integers(0, 3)) == 0
        return answers[key]

    found, is_minimal = ddmin(list(range(count)), shows, PLENTY)
    assert is_minimal
    assert shows(found)
    if len(found) > 1:
        assert not any(answers[tuple(found[:place] + found[place + 1 :])] for place in range(len(found)))


def test_equal_items_are_told_apart_by_their_place() -> None:
    assert ddmin(["a", "b", "a", "c"], lambda part: part.count("a") == 2, PLENTY) == (["a", "a"], True)


def test_one_cause_among_a_thousand_takes_few_tries() -> None:
    asked = Asked({437})
    assert ddmin(list(range(1000)), asked, PLENTY) == ([437], True)
    assert len(asked.parts) <= 20
