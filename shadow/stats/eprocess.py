"""Is it worse by more than theta? Evidence that may be looked at after every block.

Each value is ln E of an e-process: while nothing is worse than theta, the chance that E ever reaches 1/alpha is at most
alpha (Ville 1939), however often one looks. Where lower is worse, give -y.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaln, log_ndtr

from shadow.stats.scale import RunningNoise, predictable_noise

__all__ = [
    "SPEAKS_AFTER",
    "MajorityTest",
    "MeanTest",
    "SignTest",
    "log_binomial_mixture",
    "log_normal_mixture",
    "majority_evidence",
    "mean_evidence",
    "sign_evidence",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SPEAKS_AFTER = 40
"""Independent blocks, or more correlated ones, before the mean's test says anything: it holds in the limit of many
(Waudby-Smith et al. 2024)."""

WARM_UP = 12
"""Blocks that serve the first estimate of the noise and are not summed."""

RHO = 60.0
"""The mixed bets have a variance of 1 / RHO. A smaller RHO speaks sooner, and errs more often while the noise is known
from few blocks."""

SIGN_PRIOR = 20.0
"""a of the signs' Beta(a, a): chances within 0.08 of one half, the counterpart of RHO."""

LARGEST_STEP = 4.0
"""A block counts for at most so many scales above theta: one disturbed block is no trend. A cap can only lower E."""

SILENT = -math.inf
"""ln of E = 0: an e-process that is silent, so that to stop early gains nothing."""


def log_normal_mixture(s: Any, v: Any, rho: float) -> Any:
    """ln of the one-sided normal mixture for a sum s with variance v (Howard et al. 2021).

    The mixture of exp(lambda s - lambda^2 v / 2) over a half-normal lambda > 0 of variance 1/rho:
    1/2 ln(4 rho / (v + rho)) + s^2 / (2 (v + rho)) + ln Phi(s / sqrt(v + rho)).
    """
    width = v + rho
    return 0.5 * np.log(4 * rho / width) + s**2 / (2 * width) + log_ndtr(s / np.sqrt(width))


def mean_evidence(y: Floats, theta: float, rho: float = RHO) -> Floats:
    """ln E after each block of y [..., block] that its mean lies above theta.

    S = sum (y - theta) / s with s from earlier blocks only, V = their number; -inf until the blocks before are worth
    SPEAKS_AFTER independent ones.
    """
    above = y - theta
    scale, time = predictable_noise(above)
    steps = np.minimum(above / scale, LARGEST_STEP)
    steps[..., :WARM_UP] = 0.0
    before = np.arange(y.shape[-1])
    v = np.maximum(before + 1 - WARM_UP, 0)
    return np.where(before >= SPEAKS_AFTER * time, log_normal_mixture(np.cumsum(steps, axis=-1), v, rho), SILENT)


class MeanTest:
    """`mean_evidence` block by block."""

    def __init__(self, theta: float, rho: float = RHO) -> None:
        self._theta = theta
        self._rho = rho
        self._before = RunningNoise()
        self._s = 0.0

    def update(self, y: float) -> float:
        """ln E with the next block's value."""
        above = y - self._theta
        before = self._before.n
        scale, time = self._before.now()
        self._before.add(above)
        if before >= WARM_UP:
            self._s += min(above / scale, LARGEST_STEP)
        if before >= SPEAKS_AFTER * time:
            return float(log_normal_mixture(self._s, before + 1 - WARM_UP, self._rho))
        return SILENT


def log_binomial_mixture(hits: Any, misses: Any, chance: float, a: float, b: float) -> Any:
    """ln of the likelihood ratio of p against `chance`, mixed over a Beta(a, b) cut off below `chance` (Robbins 1970).

    An e-process against every p <= chance: each p above makes its ratio grow with the true chance of a hit. With
    I the regularised incomplete beta function, exact at every n:
    B(a + hits, b + misses) I_{1-chance}(b + misses, a + hits)
    / (B(a, b) I_{1-chance}(b, a) chance^hits (1-chance)^misses).
    """
    after = betaln(a + hits, b + misses) + _log_above(a + hits, b + misses, chance)
    prior = betaln(a, b) + _log_above(a, b, chance)
    return after - prior - hits * math.log(chance) - misses * math.log1p(-chance)


def _log_above(hits: Any, misses: Any, chance: float) -> Any:
    """ln P(Beta(hits, misses) > chance); far out by the series of the incomplete beta function (DLMF 8.17.8)."""
    share = betainc(misses, hits, 1 - chance)
    ratio = np.minimum((misses + hits) * (1 - chance) / (misses + 1), 0.999)
    far = misses * math.log1p(-chance) + hits * math.log(chance) - np.log(misses) - betaln(misses, hits)
    return np.where(share > 1e-290, np.log(np.maximum(share, 1e-300)), far - np.log1p(-ratio))


def sign_evidence(y: Floats, theta: float, a: float = SIGN_PRIOR) -> Floats:
    """ln E after each block of y [..., block] that more than half of its blocks lie above theta.

    The exact twin of `mean_evidence`: it needs no limit, and holds whenever the chance of a block above theta is at
    most one half whatever came before.
    """
    return majority_evidence(y > theta, y <= theta, y - theta, a)


class SignTest:
    """`sign_evidence` block by block."""

    def __init__(self, theta: float, a: float = SIGN_PRIOR) -> None:
        self._theta = theta
        self._majority = MajorityTest(a)

    def update(self, y: float) -> float:
        """ln E with the next block's value."""
        return self._majority.update(y > self._theta, y <= self._theta, y - self._theta)


def majority_evidence(hits: Bools, misses: Bools, y: Floats, a: float) -> Floats:
    """ln E after each block that a hit is likelier than a miss; a block may be neither.

    The binomial mixture at one half. Each block counts 1 / (correlation time of y before it), and the first WARM_UP not
    at all. A likelihood ratio to a power of at most 1 that is fixed beforehand keeps a mean of at most 1 (Jensen), so
    this stays exact; and it holds roughly where blocks are correlated, and plain signs would fail.
    """
    weight = 1 / predictable_noise(y)[1]
    weight[..., :WARM_UP] = 0.0
    for_, against = (np.cumsum(np.where(side, weight, 0.0), axis=-1) for side in (hits, misses))
    return np.asarray(log_binomial_mixture(for_, against, 0.5, a, a))


class MajorityTest:
    """`majority_evidence` block by block."""

    def __init__(self, a: float) -> None:
        self._a = a
        self._before = RunningNoise()
        self._hits = 0.0
        self._misses = 0.0

    def update(self, hit: bool, miss: bool, y: float) -> float:
        """ln E with the next block."""
        if self._before.n >= WARM_UP:
            weight = 1 / self._before.now()[1]
            self._hits += weight * hit
            self._misses += weight * miss
        self._before.add(y)
        return float(log_binomial_mixture(self._hits, self._misses, 0.5, self._a, self._a))
