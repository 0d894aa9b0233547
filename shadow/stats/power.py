"""What a session could have seen."""

from __future__ import annotations

import math

from shadow.stats.intervals import Estimate, bounded_exp, t_quantile

__all__ = ["blocks_needed", "detectable_ratio"]


def detectable_ratio(estimate: Estimate, alpha: float, margin: float) -> float:
    """Smallest ratio whose interval at alpha would have lain wholly above `margin`, with the noise of this session."""
    return margin * bounded_exp(t_quantile(alpha, estimate.df) * estimate.se)


def blocks_needed(sd: float, ratio: float, margin: float, alpha: float, power: float, df: float = math.inf) -> int:
    """Independent blocks with standard deviation sd (ln units) until `ratio` is told from `margin`, on either side.

    Normal theory: ((z_alpha + z_(1-power)) sd / ln(ratio / margin))^2, rounded up; z of Student's t where the deviation
    will be known from `df` degrees of freedom.
    """
    effect = math.log(ratio / margin)
    if effect == 0:
        raise ValueError("a ratio at the margin is never told from it")
    z = t_quantile(alpha, df) + t_quantile(1 - power, df)
    return math.ceil((z * sd / effect) ** 2)
