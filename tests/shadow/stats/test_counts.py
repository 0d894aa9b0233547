"""Incident counts: closed forms, the mixture by numerical integration, and simulated rates at the margin."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from shadow.stats.counts import IncidentTest, incident_evidence, incident_probability, incidents_p_value


def test_next_incident_is_new_with_the_margin_on_its_side() -> None:
    assert incident_probability(1.10, 1.0) == pytest.approx(1.1 / 2.1)
    assert incident_probability(1.10, 0.5) == pytest.approx(0.55 / 1.55)


def test_incidents_p_value_is_the_binomial_tail() -> None:
    p = 1.1 / 2.1
    assert incidents_p_value(3, 0, 1.10) == pytest.approx(p**3)
    assert incidents_p_value(2, 1, 1.10) == pytest.approx(p**3 + 3 * p**2 * (1 - p))
    assert incidents_p_value(0, 9, 1.10) == 1.0


@pytest.mark.parametrize(("new", "legacy", "exposure"), [(1, 0, 1.0), (9, 2, 1.0), (3, 5, 0.5), (30, 10, 2.0)])
def test_evidence_is_the_likelihood_ratio_averaged_over_all_larger_chances(
    new: int, legacy: int, exposure: float
) -> None:
    """Golden value: the average integrated numerically, p uniform above the largest innocent chance."""
    chance = 1.1 * exposure / (1 + 1.1 * exposure)

    def ratio(p: float) -> float:
        return (p / chance) ** new * ((1 - p) / (1 - chance)) ** legacy / (1 - chance)

    golden = math.log(quad(ratio, chance, 1.0, epsabs=0, epsrel=1e-10)[0])
    history = np.array([True] * new + [False] * legacy)
    assert incident_evidence(history, 1.10, exposure)[-1] == pytest.approx(golden, abs=1e-8)


def test_one_at_a_time_is_the_same_as_all_at_once() -> None:
    history = np.random.default_rng(1).random(200) < 0.6
    test = IncidentTest(1.10, 0.8)
    assert [test.update(bool(new)) for new in history] == pytest.approx(incident_evidence(history, 1.10, 0.8).tolist())


def test_at_the_margin_one_in_a_hundred_ever_alarms_at_most_and_four_times_the_rate_is_found() -> None:
    rng = np.random.default_rng(2)
    drawn = rng.random((1_000, 120))
    quiet = incident_evidence(drawn < 1.1 / 2.1, 1.10)
    assert (quiet.max(axis=1) >= math.log(100)).mean() <= 0.01
    fourfold = incident_evidence(drawn < 4 / 5, 1.10)
    assert (fourfold.max(axis=1) >= math.log(100)).mean() > 0.9
