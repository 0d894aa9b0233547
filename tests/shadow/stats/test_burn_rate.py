"""The early warning against a walk over every moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.stats.burn_rate import BurnRule, burn_rate, first_warning

S = 1_000_000_000
RULE = BurnRule(long_s=60.0, short_s=5.0, factor=10.0)


def test_the_rate_is_one_where_the_allowance_is_used_up_exactly() -> None:
    assert burn_rate([(40 * S, 41 * S)], 100 * S, 100e9, 0.01) == pytest.approx(1.0)
    assert burn_rate([(40 * S, 41 * S)], 100 * S, 50e9, 0.01) == 0.0


def test_it_warns_in_the_middle_of_an_outage() -> None:
    """A tenth of 60 s is 6 s of downtime, by which time the short window is down throughout."""
    warning = first_warning([(100 * S, 130 * S)], 0, 200 * S, 0.01, [RULE])
    assert warning is not None
    assert warning.t == 106 * S
    assert warning.rate == pytest.approx(10.0)


def test_a_blip_does_not_warn_nor_what_came_before_the_long_window_has_passed() -> None:
    assert first_warning([(100 * S, 103 * S)], 0, 200 * S, 0.01, [RULE]) is None
    assert first_warning([(10 * S, 30 * S)], 0, 200 * S, 0.01, [RULE]) is None


def test_an_outage_that_has_just_ended_warns_as_soon_as_the_rule_may_speak() -> None:
    warning = first_warning([(45 * S, 59 * S)], 0, 200 * S, 0.01, [BurnRule(60.0, 5.0, 10.0)])
    assert warning is not None
    assert warning.t == 60 * S


def test_the_first_of_several_rules_is_named() -> None:
    quick = BurnRule(long_s=20.0, short_s=2.0, factor=10.0)
    warning = first_warning([(100 * S, 130 * S)], 0, 200 * S, 0.01, [RULE, quick])
    assert warning is not None
    assert (warning.rule, warning.t) == (quick, 102 * S)


def test_a_long_outage_long_ago_is_no_warning_now() -> None:
    assert first_warning([(0, 50 * S), (120 * S, 121 * S)], 0, 200 * S, 0.01, [RULE]) is None


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), max_size=6),
    st.integers(2, 20),
    st.integers(1, 5),
    st.integers(1, 20),
)
def test_it_is_the_first_moment_that_a_walk_finds(
    gaps: list[tuple[int, int]], long_s: int, short_s: int, factor: int
) -> None:
    down, at = [], 0
    for up, lasts in gaps:
        down.append(((at + up) * S, (at + up + lasts) * S))
        at += up + lasts
    end, rule = (at + 10) * S, BurnRule(float(long_s), float(short_s), float(factor))
    windows = (rule.long_s * 1e9, rule.short_s * 1e9)
    met = [
        t
        for t in range(long_s * S, end, S // 10)
        if all(burn_rate(down, t, window, 0.05) >= factor for window in windows)
    ]
    warning = first_warning(down, 0, end, 0.05, [rule])
    if warning is None:
        assert met == []
    else:
        assert met == [] or met[0] - S // 10 < warning.t <= met[0]
        assert all(burn_rate(down, warning.t, window, 0.05) >= factor for window in windows)
