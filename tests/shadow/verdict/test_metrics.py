from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from shadow.stats.intervals import Estimate, estimate_mean
from shadow.verdict.calibration import Gate
from shadow.verdict.checklist import load_checklist
from shadow.verdict.evidence import Census, Measured, Range, six_digits
from shadow.verdict.metrics import alphas_of, judge_metric

LIMITS = load_checklist()


def measured(
    ratio: float, se: float, *, declared: bool = True, lower_is_worse: bool = False, blocks: int = 40
) -> Measured:
    estimate = Estimate(math.log(ratio), se, 30.0, blocks, float(blocks))
    name = "latency.x.y.public.typical"
    return Measured(
        name, "ns", 1.0, ratio, estimate, 100, blocks, blocks, declared, "pooled", lower_is_worse
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "se", "declared", "gate", "verdict"),
    [
        (1.00, 0.01, True, "ok", "PASS"),
        (1.07, 0.005, True, "ok", "PASS"),
        (1.09, 0.01, True, "ok", "HOLD"),
        (1.12, 0.01, True, "ok", "HOLD"),
        (1.20, 0.01, True, "ok", "REGRESSION"),
        (1.00, 0.01, True, "wide", "HOLD"),
        (1.20, 0.01, True, "wide", "HOLD"),
        (1.40, 0.01, True, "wide", "REGRESSION"),
        (1.00, 0.01, True, "missing", "HOLD"),
        (1.00, 0.01, True, "none", "PASS"),
        (1.20, 0.01, True, "none", "HOLD"),
        (1.00, 0.01, False, "ok", "NOT_JUDGED"),
        (1.20, 0.01, False, "wide", "REGRESSION"),
        (1.20, 0.01, False, "offset", "NOT_JUDGED"),
        (1.20, 0.01, False, "missing", "NOT_JUDGED"),
        (1.40, 0.01, False, "missing", "REGRESSION"),
    ],
)
def test_whole_interval_against_the_margin(ratio: float, se: float, declared: bool, gate: Gate, verdict: str) -> None:
    assert judge_metric(measured(ratio, se, declared=declared), 1e-4, gate, LIMITS).verdict == verdict


def test_bounds_shown_are_the_bounds_compared() -> None:
    """t quantiles with 30 degrees of freedom: 2.457 at 1 %, 3.646 at 0.05 %."""
    got = judge_metric(measured(1.05, 0.01), 5e-4, "ok", LIMITS)
    assert got.range.low == pytest.approx(1.05 * math.exp(-0.03646), rel=1e-5)
    assert got.range.best == pytest.approx(1.05)
    assert got.range.high == pytest.approx(1.05 * math.exp(0.02457), rel=1e-5)
    assert got.detectable == pytest.approx(1.10 * math.exp(0.03646), rel=1e-5)


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, "PASS"), (1.5, "PASS"), (0.93, "HOLD"), (0.8, "REGRESSION")])
def test_signs_flip_where_lower_is_worse(ratio: float, verdict: str) -> None:
    got = judge_metric(measured(ratio, 0.01, lower_is_worse=True), 1e-4, "ok", LIMITS)
    assert got.verdict == verdict
    assert got.range.low is not None
    assert got.range.high is not None
    assert got.range.low < ratio < got.range.high
    assert got.detectable is not None
    assert got.detectable < 1 / 1.10


def test_six_digits_before_the_comparison() -> None:
    assert six_digits(1.1000004) == 1.1
    assert six_digits(float("nan")) is None
    exact = Estimate(math.log(1.1000004), 0.0, 10.0, 40, 40.0)
    metric = Measured("cpu.per_message", "ns", 1.0, 1.1, exact, 1, 40, 40, True, "pooled")
    assert judge_metric(metric, 1e-4, "ok", LIMITS).verdict == "HOLD"  # not above 1.1, not below


def test_no_data_and_too_little_hold() -> None:
    empty = Measured("latency.x.y.public.typical", "ns", None, None, declared=True, weight="pooled")
    assert judge_metric(empty, 1e-4, "ok", LIMITS).verdict == "HOLD"
    assert judge_metric(measured(1.0, 0.01, blocks=5), 1e-4, "ok", LIMITS).note == "5 blocks judged, 8 needed"


def test_undecided_says_how_much_would_decide() -> None:
    """se 0.01 over 40 blocks: sd 0.0632; from 1.09 to 1.10 are 0.00913: ((2.326 + 0.842) * 0.0632 / 0.00913)^2."""
    got = judge_metric(measured(1.09, 0.01), 1e-4, "ok", LIMITS)
    assert got.note == "the interval reaches the margin; about 482 blocks would decide it"


def test_most_declared_blocks_must_be_judged() -> None:
    thin = replace(measured(1.0, 0.01), blocks=15, blocks_declared=40)
    got = judge_metric(thin, 1e-4, "ok", LIMITS)
    assert (got.verdict, got.note) == ("HOLD", "15 of 40 declared blocks judged")


def test_alpha_is_half_the_sessions_and_follows_the_weights() -> None:
    census = Measured("memory.level", "bytes", 1, 1, census=Census(Range(1, 1, 1), "PASS"))
    metrics = [measured(1, 0.01), Measured("a", "ns", 1, 1, weight="type"), Measured("b", "ns", 1, 1), census]
    alphas = alphas_of(metrics, LIMITS)
    assert sum(alphas.values()) == pytest.approx(0.005)
    assert alphas["latency.x.y.public.typical"] == pytest.approx(4 * alphas["a"])
    assert "memory.level" not in alphas


@pytest.mark.parametrize(("ratio", "most"), [(1.0, 0), (1.10, 8)])
def test_false_regressions_of_whole_sessions(ratio: float, most: int) -> None:
    """300 simulated sessions of 12 pooled, 24 type and 30 shown metrics over 42 blocks with AR(1) noise (phi 0.3).

    At the margin itself 0.5 % of the sessions, 1.5, are meant to fire; 8 has a chance below 1e-4.
    """
    rng = np.random.default_rng(11)
    weights = ["pooled"] * 12 + ["type"] * 24 + ["undeclared"] * 30
    named = [Measured(f"m{i}", "ns", 1, 1, weight=weight) for i, weight in enumerate(weights)]
    alphas = alphas_of(named, LIMITS)
    fired = 0
    for _ in range(300):
        noise = rng.normal(0, 0.06, (len(weights), 43))
        series = math.log(ratio) + noise[:, 1:] + 0.3 * noise[:, :-1]
        estimates = [estimate_mean(y) for y in series]
        lower = [e.lower(alphas[m.id]) for e, m in zip(estimates, named, strict=True) if e is not None]
        fired += max(lower) > math.log(1.10)
    assert fired <= most
