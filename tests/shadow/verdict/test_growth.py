"""Memory growth: a slow leak in a flat level is found, what both sides gain is not blamed on new."""

from __future__ import annotations

import numpy as np
import pytest

from shadow.verdict.checklist import load_checklist
from shadow.verdict.growth import slope_metric, slope_of
from shadow.verdict.resources import Samples

MB = 1_000_000
SECOND = 1_000_000_000
ROLES = ("legacy", "new")
LIMITS = load_checklist().memory


def samples(
    mb_per_hour: float, seconds: int = 900, *, noise: int = 40_000, seed: int = 1, level: int = 25 * MB
) -> Samples:
    t = np.arange(0, seconds * SECOND, SECOND // 10, dtype=np.int64)
    rng = np.random.default_rng(seed)
    jumps = rng.integers(-noise, noise + 1, len(t)) if noise else np.zeros(len(t), dtype=np.int64)
    uss = level + (mb_per_hour * MB * t / SECOND / 3600).astype(np.int64) + jumps
    return Samples(t, np.zeros(len(t), dtype=np.int64), uss)


def judged(legacy: Samples, new: Samples, seconds: int = 900) -> tuple[str, str]:
    metric = slope_metric({"legacy": legacy, "new": new}, ROLES, 0, seconds * SECOND, LIMITS)
    assert metric.census is not None
    return metric.census.verdict, metric.census.note


def test_the_slope_is_the_one_that_was_put_in() -> None:
    slope = slope_of(samples(6.0), 0, 900 * SECOND)
    assert slope is not None
    assert slope.low < 6.0 * MB < slope.high
    assert slope.best == pytest.approx(6.0 * MB, rel=0.05)
    assert slope.points == 90


def test_a_slow_leak_is_a_regression_before_the_level_shows_it() -> None:
    leak = samples(1.0, seed=2)
    assert leak.uss[-1] < 1.05 * leak.uss[0]
    verdict, note = judged(samples(0.0), leak)
    assert verdict == "REGRESSION"
    assert "24 h" in note


def test_flat_memory_passes() -> None:
    assert judged(samples(0.0), samples(0.0, seed=2))[0] == "PASS"


def test_what_legacy_gains_as_well_is_no_regression_of_new() -> None:
    assert judged(samples(3.0), samples(1.0, seed=2))[0] == "PASS"
    assert judged(samples(1.0), samples(1.0, seed=2))[0] == "HOLD"


def test_a_slope_that_the_noise_hides_is_held() -> None:
    assert judged(samples(0.0), samples(0.35, noise=4 * MB, seed=2))[0] == "HOLD"


def test_a_short_leg_says_from_when_on_it_is_judged() -> None:
    sides = {role: samples(0.0, 500) for role in ROLES}
    metric = slope_metric(sides, ROLES, 0, 500 * SECOND, LIMITS)
    assert (metric.census, metric.declared) == (None, False)
    assert "10 minutes" in metric.note


@pytest.mark.parametrize("missing", ROLES)
def test_a_side_without_samples_leaves_it_declared_and_open(missing: str) -> None:
    sides = {role: samples(0.0) for role in ROLES if role != missing}
    metric = slope_metric(sides, ROLES, 0, 900 * SECOND, LIMITS)
    assert (metric.census, metric.declared, metric.estimate) == (None, True, None)
