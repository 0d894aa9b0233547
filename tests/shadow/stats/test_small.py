"""Counts and power: closed forms."""

import math

import pytest

from shadow.stats.counts import incident_probability, incidents_p_value
from shadow.stats.intervals import Estimate
from shadow.stats.power import blocks_needed, detectable_ratio


def test_next_incident_is_new_with_the_margin_on_its_side() -> None:
    assert incident_probability(1.10, 1.0) == pytest.approx(1.1 / 2.1)
    assert incident_probability(1.10, 0.5) == pytest.approx(0.55 / 1.55)


def test_incidents_p_value_is_the_binomial_tail() -> None:
    p = 1.1 / 2.1
    assert incidents_p_value(3, 0, 1.10) == pytest.approx(p**3)
    assert incidents_p_value(2, 1, 1.10) == pytest.approx(p**3 + 3 * p**2 * (1 - p))
    assert incidents_p_value(0, 9, 1.10) == 1.0


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
