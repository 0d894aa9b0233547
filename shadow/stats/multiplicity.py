"""Many metrics, one alpha: SHIP is an intersection and needs no correction, "any REGRESSION" is a union and does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

__all__ = ["UnionAlarm", "any_regression", "rank_suspects", "union_alarms", "weighted_bonferroni"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MEAN_SHARE = 0.5
"""Of the session's alpha: for the mean of all e-values, which sees what is worse everywhere by a little. The rest goes
to the single ones, which see what is worse in one place."""


def weighted_bonferroni(weights: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Each hypothesis's share of alpha, in proportion to its weight fixed before the data (Rosenthal & Rubin 1983)."""
    total = sum(weights.values())
    if any(weight <= 0 for weight in weights.values()):
        raise ValueError("weights must be positive")
    return {name: alpha * weight / total for name, weight in weights.items()}


@dataclass(frozen=True)
class UnionAlarm:
    """One look at all e-values: ln of their mean, whether it fires, and the metrics that fire by themselves."""

    log_mean: float
    by_mean: bool
    single: tuple[str, ...]

    @property
    def fired(self) -> bool:
        """Something regressed, at the session's alpha."""
        return self.by_mean or bool(self.single)


def any_regression(log_e: Mapping[str, float], weights: Mapping[str, float], alpha: float) -> UnionAlarm:
    """Does any of the e-processes (ln E of each metric, now) speak, with a chance of at most alpha to ever err?

    The mean of e-processes is one, however they depend on each other (Vovk & Wang 2021): it fires at 2 / alpha. Each
    fires by itself at the inverse of its share of the other half.
    """
    shares = weighted_bonferroni(weights, alpha * (1 - MEAN_SHARE))
    log_mean = float(logsumexp(list(log_e.values()))) - math.log(len(log_e)) if log_e else -math.inf
    single = tuple(name for name, value in log_e.items() if value >= -math.log(shares[name]))
    return UnionAlarm(log_mean, log_mean >= -math.log(alpha * MEAN_SHARE), single)


def union_alarms(log_e: Floats, weights: Floats, alpha: float) -> Bools:
    """`any_regression` at each look of log_e [..., metric, look]; weights [metric]."""
    shares = alpha * (1 - MEAN_SHARE) * weights / weights.sum()
    single = (log_e >= -np.log(shares)[:, None]).any(axis=-2)
    log_mean = logsumexp(log_e, axis=-2) - math.log(log_e.shape[-2])
    return np.asarray(single | (log_mean >= -math.log(alpha * MEAN_SHARE)))


def rank_suspects(log_e: Mapping[str, float], alpha: float) -> list[str]:
    """Suspects, strongest first, of which at most a share alpha is expected to be innocent: e-BH (Wang & Ramdas 2022).

    The k largest e-values, for the largest k of which the k-th is at least m / (k alpha). For diagnosis, no verdict.
    """
    ranked = sorted(log_e, key=lambda name: (-log_e[name], name))
    line = math.log(len(ranked) / alpha) if ranked else 0.0
    passing = [k for k, name in enumerate(ranked, 1) if log_e[name] >= line - math.log(k)]
    return ranked[: max(passing, default=0)]
