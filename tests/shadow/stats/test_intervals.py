"""Closed forms, and simulated coverage under correlated noise at the sizes a session has."""

import numpy as np
import pytest

from shadow.stats.intervals import (
    batch_length,
    bounded_exp,
    estimate_mean,
    estimate_trimmed_mean,
    long_run_variance,
    overlapping_batch_means,
    t_quantile,
)


def ar1(rng: np.random.Generator, phi: float, rows: int, n: int) -> np.ndarray:
    """Rows of stationary AR(1) noise with unit innovations."""
    noise = rng.standard_normal((rows, n))
    out = np.empty_like(noise)
    out[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for i in range(1, n):
        out[:, i] = phi * out[:, i - 1] + noise[:, i]
    return out


@pytest.mark.parametrize(("alpha", "df", "expected"), [(0.01, 10, 2.764), (0.0005, 10, 4.587), (0.01, 1e9, 2.326)])
def test_t_quantile_against_a_printed_table(alpha: float, df: float, expected: float) -> None:
    assert t_quantile(alpha, df) == pytest.approx(expected, abs=6e-4)


def test_batch_of_one_is_the_sample_variance() -> None:
    y = np.array([1.0, 4.0, 2.0, 9.0])
    assert overlapping_batch_means(y, 1) == pytest.approx(np.var(y, ddof=1))


def test_overlapping_batch_means_by_hand() -> None:
    # batches of 2 of (0, 2, 4): means 1, 3 about 2 -> sum of squares 2; 3 * 2 / (1 * 2) * 2 = 6
    assert overlapping_batch_means(np.array([0.0, 2.0, 4.0]), 2) == pytest.approx(6.0)


def test_independent_blocks_keep_their_t_interval() -> None:
    y = np.array([0.1, 0.3, 0.2, 0.4, 0.0])
    got = estimate_mean(y)
    assert got is not None
    # mean 0.2, s 0.158114, se 0.0707107, t(0.01, 4) = 3.74695
    assert got.lower(0.01) == pytest.approx(0.2 - 3.74695 * 0.0707107, rel=1e-5)
    assert got.upper(0.01) == pytest.approx(0.2 + 3.74695 * 0.0707107, rel=1e-5)
    assert (got.n, got.n_effective) == (5, 5.0)


def test_two_values_say_nothing() -> None:
    assert estimate_mean(np.array([0.1, 0.2])) is None


def test_equal_values_have_no_width() -> None:
    got = estimate_mean(np.full(20, 0.25))
    assert got is not None
    assert (got.lower(0.01), got.upper(0.01)) == (0.25, 0.25)


def test_long_run_variance_of_ar1_approaches_its_closed_form() -> None:
    y = ar1(np.random.default_rng(3), 0.5, 1, 40_000)[0]
    assert long_run_variance(y) == pytest.approx(1 / (1 - 0.5) ** 2, rel=0.08)


def test_correlation_lowers_the_effective_number() -> None:
    rng = np.random.default_rng(4)
    plain = estimate_mean(ar1(rng, 0.0, 1, 400)[0])
    correlated = estimate_mean(ar1(rng, 0.6, 1, 400)[0])
    assert plain is not None
    assert correlated is not None
    assert plain.n_effective > 250
    assert correlated.n_effective == pytest.approx(100, rel=0.5)  # n (1 - phi)/(1 + phi)


@pytest.mark.parametrize(("phi", "n", "worst"), [(0.0, 9, 0.012), (0.0, 42, 0.012), (0.3, 42, 0.016), (0.5, 42, 0.022)])
def test_one_sided_errors_at_one_percent(phi: float, n: int, worst: float) -> None:
    """Share of 4000 simulated series whose 1 % lower bound lies above the truth (plain t at phi 0.5: 6 to 7 %)."""
    rows = ar1(np.random.default_rng(5), phi, 4000, n)
    misses = 0
    for y in rows:
        got = estimate_mean(y)
        assert got is not None
        misses += got.lower(0.01) > 0
    assert misses / len(rows) <= worst


def test_batches_grow_with_the_cube_root() -> None:
    assert [batch_length(n) for n in (5, 12, 42, 1000)] == [1, 3, 4, 10]


def test_the_trimmed_mean_of_clean_values_covers_the_truth_at_its_level() -> None:
    """2 000 samples of 15 normal values: the one-sided 5 % bounds miss the true mean in 5 % of them, +- 1.5 %."""
    rng = np.random.default_rng(11)
    missed = np.zeros(2)
    for _ in range(2_000):
        found = estimate_trimmed_mean(rng.normal(0.1, 1.0, 15))
        assert found is not None
        missed += (found.lower(0.05) > 0.1, found.upper(0.05) < 0.1)
    assert (abs(missed / 2_000 - 0.05) < 0.015).all()


def test_a_few_disturbed_values_do_not_move_the_trimmed_mean() -> None:
    rng = np.random.default_rng(12)
    y = rng.normal(0.0, 0.02, 15)
    y[:2] += (0.5, -0.5)
    trimmed, plain = estimate_trimmed_mean(y), estimate_mean(y)
    assert trimmed is not None
    assert plain is not None
    assert abs(trimmed.mean) < 0.02
    assert trimmed.se < plain.se / 2


def test_a_shift_of_all_values_shows_in_full_in_the_trimmed_mean() -> None:
    y = np.linspace(-0.05, 0.05, 20)
    low, high = estimate_trimmed_mean(y), estimate_trimmed_mean(y + np.log(1.2))
    assert low is not None
    assert high is not None
    assert high.mean - low.mean == pytest.approx(np.log(1.2))
    assert high.se == pytest.approx(low.se)


def test_a_bound_beyond_any_float_stays_a_number() -> None:
    few = estimate_mean(np.array([-0.4, 0.4, 0.5]))
    assert few is not None
    assert few.upper(1e-8) > 710.0  # where exp leaves the floats
    assert bounded_exp(few.upper(1e-8)) < float("inf")
    assert bounded_exp(few.lower(1e-8)) == 0.0
