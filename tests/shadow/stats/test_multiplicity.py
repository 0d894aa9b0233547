"""The union of all metrics, and the ranking of suspects: closed forms and worked examples."""

import math

import numpy as np
import pytest

from shadow.stats.multiplicity import any_regression, rank_suspects, union_alarms, weighted_bonferroni


def test_bonferroni_shares_sum_to_alpha_in_proportion() -> None:
    shares = weighted_bonferroni({"a": 4, "b": 1, "c": 1}, 0.006)
    assert shares == pytest.approx({"a": 0.004, "b": 0.001, "c": 0.001})
    with pytest.raises(ValueError, match="positive"):
        weighted_bonferroni({"a": 0.0}, 0.01)


EVEN = {f"m{i}": 1.0 for i in range(26)}


def test_one_metric_fires_at_the_inverse_of_its_share_of_half_of_alpha() -> None:
    """26 equal shares of 0.005: 5 200."""
    quiet = dict.fromkeys(EVEN, -math.inf)
    below = any_regression(quiet | {"m3": math.log(5_199)}, EVEN, 0.01)
    above = any_regression(quiet | {"m3": math.log(5_201)}, EVEN, 0.01)
    assert (below.fired, above.fired) == (False, True)
    assert above.single == ("m3",)
    assert above.by_mean  # 5 201 / 26 = 200.04, the mean's line is 200: one alone meets both at once
    assert not below.by_mean


def test_the_mean_fires_for_what_is_worse_everywhere_by_a_little() -> None:
    alarm = any_regression({name: math.log(201) for name in EVEN}, EVEN, 0.01)
    assert alarm.single == ()
    assert alarm.by_mean
    assert alarm.log_mean == pytest.approx(math.log(201))
    assert not any_regression({name: math.log(199) for name in EVEN}, EVEN, 0.01).fired


def test_weight_lowers_a_metric_s_own_line() -> None:
    """Four of 29 shares: 200 * 29 / 4 = 1 450."""
    weights = EVEN | {"m3": 4.0}
    quiet = dict.fromkeys(EVEN, -math.inf)
    alarm = any_regression(quiet | {"m3": math.log(1_451)}, weights, 0.01)
    assert (alarm.fired, alarm.by_mean, alarm.single) == (True, False, ("m3",))
    assert not any_regression(quiet | {"m3": math.log(1_449)}, weights, 0.01).fired


def test_no_metric_is_no_alarm() -> None:
    assert not any_regression({}, {}, 0.01).fired
    assert rank_suspects({}, 0.01) == []


def test_each_look_of_the_array_is_that_look_by_itself() -> None:
    rng = np.random.default_rng(1)
    log_e = rng.normal(3.0, 2.5, (26, 400))
    weights = rng.uniform(0.5, 4.0, 26)
    weights[3] = 40.0
    log_e[:, 0] = -math.inf
    log_e[3, 0] = math.log(1_000)  # by itself, not by the mean
    named = dict(zip(EVEN, weights, strict=True))
    looks = [any_regression(dict(zip(EVEN, look, strict=True)), named, 0.01).fired for look in log_e.T]
    assert 20 < sum(looks) < 380
    assert union_alarms(log_e, weights, 0.01).tolist() == looks


def test_suspects_by_hand() -> None:
    """Four metrics at 10 %: the k-th needs 40 / k. 45 passes at 1; 25 at 2 (20); 13 fails at 3 (13.3), but 11 at 4 (10)
    takes it along."""
    e = {"a": 13.0, "b": 45.0, "c": 11.0, "d": 25.0}
    log_e = {name: math.log(value) for name, value in e.items()}
    assert rank_suspects(log_e, 0.1) == ["b", "d", "a", "c"]
    assert rank_suspects(log_e | {"c": math.log(9.0)}, 0.1) == ["b", "d"]
    assert rank_suspects({name: math.log(9.0) for name in e}, 0.1) == []


def test_a_hundred_times_out_of_a_hundred_innocents_stay_a_small_share_of_the_suspects() -> None:
    """90 innocents with independent e-values of mean 1 (exp(l z - l^2 / 2)), 10 guilty ones: false share below 10 %."""
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(300):
        log_e = np.concatenate([2 * rng.standard_normal(90) - 2, rng.normal(9, 1, 10)])
        found = rank_suspects({str(i): float(value) for i, value in enumerate(log_e)}, 0.1)
        shares.append(sum(int(name) < 90 for name in found) / max(len(found), 1))
        assert len(found) >= 5
    assert np.mean(shares) <= 0.1
