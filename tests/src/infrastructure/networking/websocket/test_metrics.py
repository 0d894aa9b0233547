"""The histogram."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.networking.websocket.metrics import LatencyHistogram


@pytest.mark.checklist("1.1.12", "2.1.10")
@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=50))
def test_figures_bound_what_was_recorded(durations: list[int]) -> None:
    exact, coarse = LatencyHistogram(), LatencyHistogram()
    for ns in durations:
        exact.record(ns)
        coarse.buckets[ns.bit_length()] += 1
    mean = sum(durations) / len(durations)
    assert exact.count == coarse.count == len(durations)
    assert exact.mean_ns == pytest.approx(mean)
    assert exact.max_ns == max(durations) <= coarse.max_ns <= 2 * max(durations)
    assert mean / 1.5 <= coarse.mean_ns <= mean * 1.5
    assert exact.quantile_ns(1.0) >= max(durations)
    assert exact.quantile_ns(0.5) >= sorted(durations)[(len(durations) - 1) // 2]
    assert exact.summary()["max_us"] == max(durations) / 1000


def test_an_empty_histogram_is_all_zero() -> None:
    histogram = LatencyHistogram()
    assert (histogram.count, histogram.mean_ns, histogram.max_ns, histogram.quantile_ns(0.99)) == (0, 0.0, 0, 0)


def test_count_below() -> None:
    histogram = LatencyHistogram()
    for ns in (100, 500_000, 3_000_000):
        histogram.record(ns)
    assert histogram.count_below(1 << 20) == 2
