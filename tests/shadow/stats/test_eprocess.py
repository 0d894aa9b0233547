"""Both e-processes: the mixtures by numerical integration, the same numbers block by block, and who speaks when."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.signal import lfilter

from shadow.stats.eprocess import (
    SPEAKS_AFTER,
    MeanTest,
    SignTest,
    log_binomial_mixture,
    log_normal_mixture,
    mean_evidence,
    sign_evidence,
)

THETA = math.log(1.10)


@pytest.mark.parametrize(
    ("s", "v", "rho"), [(0.0, 10.0, 10.0), (12.0, 40.0, 10.0), (-15.0, 60.0, 5.0), (30.0, 100.0, 100.0)]
)
def test_normal_mixture_is_the_average_over_a_half_normal(s: float, v: float, rho: float) -> None:
    """Golden value: exp(lambda s - lambda^2 v / 2) integrated numerically against the half-normal of variance 1/rho."""

    def integrand(bet: float) -> float:
        density = 2 * math.sqrt(rho / (2 * math.pi)) * math.exp(-rho * bet * bet / 2)
        return density * math.exp(bet * s - bet * bet * v / 2)

    golden = math.log(quad(integrand, 0, 12, epsabs=0, epsrel=1e-11, limit=400, points=[0.1, 0.5, 1.0])[0])
    assert log_normal_mixture(s, v, rho) == pytest.approx(golden, abs=1e-8)


@pytest.mark.parametrize(
    ("hits", "misses", "chance", "a", "b"),
    [(0, 0, 0.5, 5.0, 5.0), (30, 12, 0.5, 5.0, 5.0), (12, 30, 0.5, 2.0, 2.0), (9, 3, 0.4, 1.0, 1.0)],
)
def test_binomial_mixture_is_the_average_over_a_cut_beta(
    hits: int, misses: int, chance: float, a: float, b: float
) -> None:
    """Golden value: likelihood ratio and the density, both integrated numerically from `chance` to 1."""

    def density(p: float) -> float:
        return p ** (a - 1) * (1 - p) ** (b - 1)

    def weighed(p: float) -> float:
        return density(p) * (p / chance) ** hits * ((1 - p) / (1 - chance)) ** misses

    above, below = (quad(f, chance, 1.0, epsabs=0, epsrel=1e-11, limit=400)[0] for f in (weighed, density))
    assert log_binomial_mixture(hits, misses, chance, a, b) == pytest.approx(math.log(above / below), abs=1e-8)


def test_binomial_mixture_stays_finite_where_the_incomplete_beta_function_does_not() -> None:
    """Golden value: in 50 hits and 3 000 misses all weight lies right above 1/2, where it is integrated."""

    def weighed(x: float) -> float:
        p = 0.5 + x
        return math.exp(4 * math.log(4 * p * (1 - p)) + 50 * math.log(2 * p) + 3_000 * math.log(2 - 2 * p))

    prior = quad(lambda p: (4 * p * (1 - p)) ** 4, 0.5, 1.0, epsabs=0, epsrel=1e-11)[0]
    golden = math.log(quad(weighed, 0.0, 0.02, epsabs=0, epsrel=1e-10)[0] / prior)
    assert log_binomial_mixture(50, 3_000, 0.5, 5.0, 5.0) == pytest.approx(golden, abs=0.01)


def test_mean_evidence_by_hand_from_its_steps() -> None:
    """Blocks of 0.3 +- 0.1 in turn: phi is cut at 0 and the plain deviation of the blocks before is the scale."""
    y = 0.3 + 0.1 * np.tile([1.0, -1.0], 25)
    steps = [min((y[k] - THETA) / math.sqrt(np.var(y[:k]) * k / (k - 1)), 4.0) for k in range(12, 50)]
    s, v = sum(steps), len(steps)
    normal = 0.5 * math.erfc(-s / math.sqrt(2 * (v + 60)))
    golden = 0.5 * math.log(240 / (v + 60)) + s**2 / (2 * (v + 60)) + math.log(normal)
    assert mean_evidence(y, THETA)[-1] == pytest.approx(golden)


def test_sign_evidence_by_hand_from_its_counts() -> None:
    """Blocks in turn above and below, then five above: phi is cut at 0 up to the first of these, 19 each count."""
    y = np.array([0.2, 0.0] * 25 + [0.2])
    assert sign_evidence(y, THETA)[-1] == pytest.approx(log_binomial_mixture(20, 19, 0.5, 20.0, 20.0))


@pytest.mark.parametrize("make", [MeanTest, SignTest])
def test_block_by_block_is_the_same_as_all_at_once(make: type[MeanTest] | type[SignTest]) -> None:
    y = np.random.default_rng(1).normal(0.12, 0.1, (3, 150))
    y[:, 70] = 3.0
    together = (mean_evidence if make is MeanTest else sign_evidence)(y, THETA)
    for row, expected in zip(y, together, strict=True):
        test = make(THETA)
        assert [test.update(float(value)) for value in row] == pytest.approx(expected.tolist())


def test_the_mean_is_silent_for_forty_independent_blocks() -> None:
    """Blocks in turn above and below their mean are worth as many; those of phi = 0.5 a third."""
    alternating = mean_evidence(1.0 + 0.1 * np.tile([1.0, -1.0], 30), THETA)
    assert (alternating[:SPEAKS_AFTER] == -math.inf).all()
    assert (alternating[SPEAKS_AFTER:] > math.log(100)).all()
    correlated = lfilter([1.0], [1.0, -0.5], np.random.default_rng(2).standard_normal(200))
    spoken = np.flatnonzero(mean_evidence(1.0 + 0.1 * correlated, THETA) > -math.inf)
    assert 80 < spoken[0] < 160


def test_correlated_blocks_count_for_less_in_the_signs() -> None:
    """A third at phi = 0.5: 600 blocks above theta say about what 200 do. (The correlation is that of the values.)"""
    y = 1.0 + 0.1 * lfilter([1.0], [1.0, -0.5], np.random.default_rng(3).standard_normal(612))
    assert sign_evidence(y, THETA)[-1] == pytest.approx(log_binomial_mixture(200, 0, 0.5, 20.0, 20.0), rel=0.25)


@pytest.mark.parametrize("n", [0, 1, 12, 39])
def test_a_short_series_says_nothing(n: int) -> None:
    assert mean_evidence(np.ones(n), THETA).tolist() == [-math.inf] * n


def test_one_disturbed_block_is_no_regression() -> None:
    y = np.random.default_rng(3).normal(THETA, 0.03, 80)
    y[50] = 3.0
    assert mean_evidence(y, THETA).max() < math.log(100)
    assert sign_evidence(y, THETA).max() < math.log(100)


def test_lower_is_worse_with_both_signs_turned() -> None:
    """A throughput that fell to 0.8: ln 0.8 turned is above the margin; one that rose to 1.25 is not."""
    noise = np.random.default_rng(4).normal(0, 0.05, 120)
    for evidence in (mean_evidence, sign_evidence):
        assert evidence(-(math.log(0.8) + noise), THETA)[-1] > math.log(1e3)
        assert evidence(-(math.log(1.25) + noise), THETA)[-1] < 0
