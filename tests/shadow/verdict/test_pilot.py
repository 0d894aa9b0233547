"""From simulated noise of legacy against itself to the seconds that a release session needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shadow.stats.intervals import Estimate, estimate_mean
from shadow.verdict.checklist import load_checklist
from shadow.verdict.evidence import Measured
from shadow.verdict.pilot import needs_of

LIMITS = load_checklist()
SECONDS = {"paired": 30.0, "burst": 12.0, "connect": 3.5}


def metric(name: str, estimate: Estimate | None, blocks: int, *, declared: bool = True) -> Measured:
    weight = "pooled" if declared else "undeclared"
    return Measured(name, "ns", 1, 1, estimate, 3000, blocks, blocks, declared, weight)


def noisy(deviation: float, blocks: int = 15) -> Estimate:
    return Estimate(0.0, deviation / math.sqrt(blocks), blocks - 1, blocks, blocks)


def test_twice_the_noise_takes_four_times_as_long() -> None:
    found = [needs_of([metric("latency.x.p99", noisy(sd), 15)], SECONDS, LIMITS)[0] for sd in (0.1, 0.2)]
    assert found[1].aa_s == pytest.approx(4 * found[0].aa_s, rel=0.05)
    assert found[1].main_s == pytest.approx(4 * found[0].main_s, rel=0.05)


def test_the_gate_of_legacy_against_itself_takes_the_most() -> None:
    """((1.645 + 1.2816) 0.1 / ln 1.05)^2 = 35.98 blocks of 2 s."""
    [need] = needs_of([metric("latency.x.p99", noisy(0.1), 15)], SECONDS, LIMITS)
    assert (need.phase, need.aa_s) == ("paired", 36 * 2.0)
    assert 0 < need.main_s < need.aa_s


def test_a_session_of_that_length_passes_with_the_planned_power() -> None:
    """Simulated: equal sides; both the gate and the margin are kept in 80 % at least, less the error of 400 trials."""
    rng = np.random.default_rng(1)
    [need] = needs_of([metric("latency.x.p99", noisy(0.12), 15)], SECONDS, LIMITS)
    kept = {"aa": 0, "main": 0}
    for _ in range(400):
        for side, length in (("aa", need.aa_s), ("main", need.main_s)):
            found = estimate_mean(rng.normal(0.0, 0.12, round(length / 2.0)))
            assert found is not None
            alpha, line = (0.05, 1.05) if side == "aa" else (0.01, 1.10)
            inside = found.upper(alpha) < math.log(line) and (side == "main" or found.lower(alpha) > -math.log(line))
            kept[side] += inside
    assert min(kept.values()) >= 0.7 * 400, kept
    assert max(kept.values()) < 400


def test_without_a_figure_a_metric_asks_for_more_than_there_is() -> None:
    [need] = needs_of([metric("latency.x.p99", None, 15)], SECONDS, LIMITS)
    assert math.isinf(need.aa_s)


def test_connect_times_ask_for_more_since_they_will_be_known_from_eight_legs() -> None:
    """t of 7 degrees of freedom: ((1.8946 + 1.4149) 0.1 / ln 1.05)^2 = 46.01 closes, of 20 in 3.5 s."""
    [need] = needs_of([metric("connect.time.x", noisy(0.1, 20), 20)], SECONDS, LIMITS)
    assert (need.phase, need.aa_s) == ("connect", pytest.approx(47 * 3.5 / 20))


def test_only_declared_metrics_with_blocks_ask() -> None:
    measured = [
        metric("latency.x.p999", noisy(3.0), 15, declared=False),
        metric("cpu.per_message", noisy(0.1), 1),
        metric("service.x.public", noisy(0.1, 60), 60),
    ]
    found = needs_of(measured, SECONDS, LIMITS)
    assert [(need.metric, need.phase) for need in found] == [("service.x.public", "burst")]
    assert found[0].aa_s == pytest.approx(36 * 12.0 / 60)
