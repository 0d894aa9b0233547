"""When a unit that was taken back may be tried again."""

from __future__ import annotations

import pytest

from shadow.rollout.latch import Rollback, latched
from shadow.rollout.units import parse_unit

BOOK, OTHER, ALL = (parse_unit(text) for text in ("gateio.spot.book.BTC_USDT", "mexc.spot.private", "*"))


@pytest.mark.parametrize(("now_s", "free"), [(0.0, False), (599.9, False), (600.0, True), (-3_600.0, False)])
def test_ten_minutes_have_to_pass_and_a_clock_set_back_passes_none(now_s: float, free: bool) -> None:
    assert (latched([Rollback(BOOK, 0.0)], BOOK, now_s, person=True) is None) is free


def test_a_person_cannot_shorten_the_cool_down_but_ends_the_day() -> None:
    thrice = [Rollback(BOOK, at_s) for at_s in (0.0, 1_000.0, 2_000.0)]
    assert latched(thrice, BOOK, 2_599.0, person=True) is not None
    assert latched(thrice, BOOK, 2_600.0, person=True) is None
    assert "3 times" in (latched(thrice, BOOK, 2_600.0, person=False) or "")
    assert latched(thrice, BOOK, 86_400.0, person=False) is None


def test_it_holds_what_was_taken_back_and_what_contains_it_and_nothing_else() -> None:
    back = [Rollback(BOOK, 0.0)]
    assert latched(back, ALL, 1.0, person=True) is not None
    assert latched(back, OTHER, 1.0, person=True) is None


def test_patterns_that_went_back_together_are_one_rollback() -> None:
    together = [Rollback(unit, at_s) for at_s in (0.0, 1_000.0) for unit in (BOOK, parse_unit("gateio.spot"))]
    assert latched(together, BOOK, 1_600.0, person=False) is None
