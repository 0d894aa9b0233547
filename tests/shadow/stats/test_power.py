"""What a session could have seen: closed forms."""

import math

import pytest

from shadow.stats.intervals import Estimate
from shadow.stats.power import blocks_needed, detectable_ratio


def test_detectable_is_where_the_lower_bound_meets_the_margin() -> None:
    noise = Estimate(mean=0.0, se=0.01, df=20, n=40, n_effective=40)
    ratio = detectable_ratio(noise, 1e-3, 1.10)
    at_limit = Estimate(mean=math.log(ratio), se=0.01, df=20, n=40, n_effective=40)
    assert at_limit.lower(1e-3) == pytest.approx(math.log(1.10))


def test_blocks_needed_for_the_median_case_of_the_design_table() -> None:
    """CV 100 % on both sides: sd of ln(N/L) = sqrt(2 ln 2); a fixed test needs less than the sequential 3 297."""
    needed = blocks_needed(math.sqrt(2 * math.log(2)), 1.20, 1.10, 2.5e-4, 0.5)
    assert needed == math.ceil((3.4808 * 1.17741 / math.log(1.2 / 1.1)) ** 2)
    # from below: 1.00 against 1.10 with 80 % power, (2.3263 + 0.8416) * 0.1 / 0.09531
    assert blocks_needed(0.1, 1.0, 1.10, 0.01, 0.8) == math.ceil(((2.3263 + 0.8416) * 0.1 / 0.09531) ** 2)
    with pytest.raises(ValueError, match="at the margin"):
        blocks_needed(1.0, 1.10, 1.10, 0.01, 0.5)
