"""The search: from the frame itself outwards, then inwards; what does not come up again is an empty answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.reproducer.case import Fed
from shadow.reproducer.search import search

FRAMES = [Fed(at, "trade", "BTC_USDT", b"%d" % at, True) for at in range(1000)]


def needs(*places: int) -> Callable[[list[Fed]], bool]:
    return lambda frames: {FRAMES[place] for place in places} <= set(frames)


def test_a_fault_of_one_frame_takes_one_try() -> None:
    said: list[str] = []
    found = search(FRAMES, 700, needs(700), 60, said.append)
    assert (found.frames, found.is_minimal, found.tries) == ([FRAMES[700]], True, 1)
    assert said == ["  try 1: 1 frame, shown; at most 0 s left"]


@pytest.mark.parametrize("places", [(697, 700), (690, 700, 703), (10, 700), (10, 999), (0, 500, 763)])
def test_all_that_is_needed_is_kept_in_order(places: tuple[int, ...]) -> None:
    found = search(FRAMES, 700, needs(*places), 200, lambda _: None)
    assert found.is_minimal
    assert found.frames == [FRAMES[place] for place in places]


def test_what_never_shows_is_an_empty_answer_after_the_whole_list() -> None:
    asked: list[int] = []

    def never(frames: list[Fed]) -> bool:
        asked.append(len(frames))
        return False

    found = search(FRAMES, 700, never, 60, lambda _: None)
    assert (found.frames, found.is_minimal) == ([], False)
    assert asked[0] == 1
    assert asked[-1] == len(FRAMES)
    assert found.tries == len(asked) == 5


def test_the_tries_are_bounded_and_the_answer_says_so() -> None:
    asked: list[list[Fed]] = []

    def shows(frames: list[Fed]) -> bool:
        asked.append(frames)
        return needs(3, 700)(frames)

    found = search(FRAMES, 700, shows, 8, lambda _: None)
    assert len(asked) == found.tries == 8
    assert not found.is_minimal
    assert {FRAMES[3], FRAMES[700]} <= set(found.frames)


def test_a_fault_of_two_frames_takes_few_tries() -> None:
    assert search(FRAMES, 700, needs(697, 700), 60, lambda _: None).tries <= 10


@given(st.integers(1, 10), st.integers(0, 9), st.data())
def test_no_single_frame_can_be_left_out_of_what_is_called_minimal(count: int, focus: int, data: st.DataObject) -> None:
    """Whatever shows it: here lists drawn at random, and the whole one."""
    frames, answers = FRAMES[:count], dict[tuple[int, ...], bool]()

    def shows(part: list[Fed]) -> bool:
        key = tuple(frame.at_ns for frame in part)
        if key not in answers:
            answers[key] = len(key) == count or data.draw(st.integers(0, 3)) == 0
        return answers[key]

    found = search(frames, min(focus, count - 1), shows, 10_000, lambda _: None)
    assert shows(found.frames)
    if found.is_minimal and len(found.frames) > 1:
        places = [frame.at_ns for frame in found.frames]
        assert not any(answers[tuple(places[:at] + places[at + 1 :])] for at in range(len(places)))
