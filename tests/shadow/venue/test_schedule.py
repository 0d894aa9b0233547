"""The arrival plan has the asked rate and mix, and stays inside its profile."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.venue.schedule import APART, MIX, Schedule, arrivals

SYMBOLS = ("BTC_USDT", "ETH_USDT")


def most_within(moments: list[float], window_s: float) -> int:
    return max(bisect_left(moments, moment + window_s) - place for place, moment in enumerate(moments))


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(1, 5000),
    seconds=st.floats(0.05, 4),
    seed=st.integers(0, 999),
    profile=st.sampled_from(["default", "storm"]),
)
def test_offsets_ascend_inside_the_span_at_the_exact_rate(rate: float, seconds: float, seed: int, profile: str) -> None:
    moments = list(arrivals(rate, seconds, seed=seed, profile=profile))
    assert len(moments) == round(rate * seconds)
    assert moments == sorted(moments)
    assert all(0 <= moment < seconds + 1e-9 for moment in moments)


@pytest.mark.parametrize("rate", [300, 600, 2000, 4000])
def test_the_default_profile_never_holds_more_than_300_frames_in_50_ms(rate: float) -> None:
    for seed in range(5):
        assert most_within(list(arrivals(rate, 10, seed=seed)), 0.05) <= 300


def test_the_default_profile_bursts_and_pauses_a_little() -> None:
    moments = list(arrivals(600, 20, seed=1))
    assert 70 <= most_within(moments, 0.05) <= 110
    gaps = [after - before for before, after in pairwise(moments)]
    assert sum(gap > 0.09 for gap in gaps) >= 15


@pytest.mark.parametrize("rate", [100, 600, 2000])
def test_frames_outside_of_bursts_keep_apart(rate: float) -> None:
    moments = list(arrivals(rate, 20, seed=2))
    gaps = [after - before for before, after in pairwise(moments)]
    close = sum(gap < 0.85 * APART / rate for gap in gaps)
    assert 0.015 * len(moments) <= close <= 0.05 * len(moments)
    assert len({round(gap, 9) for gap in gaps}) > 0.3 * len(gaps)


def test_a_storm_bursts_hard() -> None:
    assert most_within(list(arrivals(600, 20, seed=1, profile="storm")), 0.051) >= 1500


def test_each_block_has_its_share_and_each_second_nearly() -> None:
    moments = list(arrivals(600, 10, seed=4))
    assert Counter(int(moment / 5) for moment in moments) == {0: 3000, 1: 3000}
    assert all(450 <= count <= 700 for count in Counter(int(moment) for moment in moments).values())


def test_the_mix_is_exact_and_symbols_are_even() -> None:
    plan = list(Schedule(MIX, SYMBOLS, 3).arrivals(500, 8))
    assert len(plan) == 4000
    assert Counter(type_ for _, type_, _ in plan) == {"book": 1600, "book_ticker": 1000, "trade": 1000, "ticker": 400}
    assert Counter(symbol for _, _, symbol in plan) == dict.fromkeys(SYMBOLS, 2000)
    assert len({(type_, symbol) for _, type_, symbol in plan}) == 8


def test_fewer_channels_share_the_rate_in_proportion() -> None:
    plan = Schedule(["book", "ticker"], SYMBOLS, 3).arrivals(500, 2)
    assert Counter(type_ for _, type_, _ in plan) == {"book": 800, "ticker": 200}


def test_the_plan_is_the_same_for_the_same_seed_only() -> None:
    one, two = (list(Schedule(MIX, SYMBOLS, 3).arrivals(300, 2)) for _ in range(2))
    assert one == two
    assert one != list(Schedule(MIX, SYMBOLS, 4).arrivals(300, 2))


@pytest.mark.parametrize(
    ("channels", "symbols", "profile"), [([], SYMBOLS, "default"), (MIX, [], "default"), (MIX, SYMBOLS, "calm")]
)
def test_wrong_plans_are_refused(channels: list[str], symbols: list[str], profile: str) -> None:
    with pytest.raises(ValueError, match=r"schedule needs|unknown profile"):
        Schedule(channels, symbols, 1, profile)
