"""The scale from earlier blocks: against a plain computation of each beginning, and against what is known of AR(1)."""

import numpy as np
import pytest
from scipy.signal import lfilter

from shadow.stats.scale import LARGEST_PHI, SMALLEST_SCALE, RunningNoise, predictable_noise


def plain(y: np.ndarray) -> tuple[float, float]:
    """The docstring's formulas, from the values themselves."""
    n, centred = len(y), y - y.mean()
    phi = float(np.sum(centred[1:] * centred[:-1]) / np.sum(centred**2))
    phi = min(max(phi + (1 + 3 * phi) / n, 0.0), LARGEST_PHI)
    times = (1 + phi) / (1 - phi)
    return float(np.sqrt(np.sum(centred**2) / max(n - times, n / 4) * times)), times


def test_each_scale_is_that_of_the_values_before_it() -> None:
    y = lfilter([1.0], [1.0, -0.6], np.random.default_rng(1).standard_normal(60)) + 0.3
    got = np.array(predictable_noise(y))
    assert np.isnan(got[:, :3]).all()
    assert pytest.approx(np.array([plain(y[:k]) for k in range(3, 60)])) == got[:, 3:].T


def test_a_value_never_has_a_part_in_its_own_scale() -> None:
    y = np.random.default_rng(2).standard_normal(50)
    changed = y.copy()
    changed[30:] += 100.0
    before, after = predictable_noise(y)[0], predictable_noise(changed)[0]
    assert after[:31].tolist() == pytest.approx(before[:31].tolist(), nan_ok=True)
    assert after[31] > 5 * before[31]


def test_one_at_a_time_is_the_same_as_all_at_once() -> None:
    y = np.random.default_rng(3).standard_normal((2, 80)) * 0.1
    together = np.stack(predictable_noise(y), axis=-1)
    for row, expected in zip(y, together, strict=True):
        noise, got = RunningNoise(), []
        for value in row:
            got.append(noise.now())
            noise.add(float(value))
        assert np.array(got) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_a_long_series_has_the_long_run_deviation_of_its_model(phi: float) -> None:
    """Unit innovations: 1 / (1 - phi), while the plain standard deviation is 1 / sqrt(1 - phi^2)."""
    y = lfilter([1.0], [1.0, -phi], np.random.default_rng(4).standard_normal(60_000))
    scale, time = predictable_noise(y)
    assert scale[-1] == pytest.approx(1 / (1 - phi), rel=0.08)
    assert time[-1] == pytest.approx((1 + phi) / (1 - phi), rel=0.08)


def test_equal_blocks_have_the_smallest_scale_and_not_none() -> None:
    assert predictable_noise(np.full(20, 0.7))[0][3:].tolist() == [SMALLEST_SCALE] * 17
