"""The detector against the sum that defines it, alarms where something began, and years without one."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from shadow.stats.onset import (
    ALARM,
    Onset,
    OnsetDetector,
    block_scale,
    find_onset,
    onset_blocks,
    onset_evidence,
    standing_theta,
)

THETA = math.log(1.10)


def noise(seed: int, phi: float, shape: tuple[int, ...]) -> np.ndarray:
    """Stationary AR(1) rows of variance 1."""
    drawn = np.random.default_rng(seed).standard_normal(shape)
    drawn[..., 1:] *= math.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], drawn))


def test_evidence_is_the_sum_of_bets_begun_at_every_block() -> None:
    """Golden value: every product written out, for the six bets of the design."""
    y = THETA + np.array([0.05, -0.02, 0.08, 0.9, 0.03])
    z = [min((value - THETA) / 0.06, 4.0) for value in y]
    golden = []
    for n in range(1, 6):
        sums = [
            math.prod(math.exp(bet * step - bet**2 / 2) for step in z[j:n])
            for bet in (0.1, 0.25, 0.5, 1, 2, 4)
            for j in range(n)
        ]
        golden.append(math.log(sum(sums) / 6))
    assert onset_evidence(y, THETA, 0.06) == pytest.approx(golden)


def test_block_by_block_is_the_same_as_all_at_once() -> None:
    y = 0.1 * noise(1, 0.3, (300,))
    y[200:] += math.log(1.3)
    detector = OnsetDetector(THETA, 0.12)
    assert [detector.update(float(value)) for value in y] == pytest.approx(onset_evidence(y, THETA, 0.12).tolist())
    assert detector.onset == find_onset(y, THETA, 0.12)
    assert detector.onset is not None


@pytest.mark.parametrize(("ratio", "within"), [(1.20, 60), (1.50, 15)])
def test_a_regression_is_found_with_its_beginning(ratio: float, within: int) -> None:
    for seed in range(40):
        y = 0.05 * noise(seed, 0.0, (700 + within,))
        y[700:] += math.log(ratio)
        scale = block_scale(0.05 * noise(100 + seed, 0.0, (60,)))
        assert find_onset(y[:700], THETA, scale) is None
        found = find_onset(y, THETA, scale)
        assert found is not None
        assert 700 < found.at < 700 + within
        assert abs(found.since - 700) <= 10


def test_what_is_over_by_the_time_of_the_look_is_no_alarm() -> None:
    """30 blocks one scale above the margin, then some a little below it: M stays above the alarm."""
    y = THETA + 0.1 * np.array([1.5] * 30 + [-0.1] * 12)
    assert onset_evidence(y, THETA, 0.1)[-1] >= ALARM
    found = Onset(at=int(np.argmax(onset_evidence(y, THETA, 0.1) >= ALARM)), since=0)
    assert find_onset(y[:30], THETA, 0.1) == found
    assert find_onset(y, THETA, 0.1) is None
    detector, told = OnsetDetector(THETA, 0.1), []
    for value in y:
        detector.update(float(value))
        told.append(detector.onset)
    assert told[29] == found
    assert told[-1] is None


def test_one_disturbed_block_is_no_alarm() -> None:
    y = np.full(200, THETA)
    y[100] = 10.0
    assert onset_evidence(y, THETA, 0.1).max() < ALARM
    assert find_onset(y, THETA, 0.1) is None


def test_scale_is_the_long_run_deviation_and_a_fifth() -> None:
    """AR(1) of variance 1 and phi 0.5: long-run variance (1 + phi)/(1 - phi) = 3."""
    assert block_scale(noise(5, 0.5, (20_000,))) == pytest.approx(1.2 * math.sqrt(3), rel=0.05)


def test_a_short_calibration_inflates_by_more() -> None:
    """Alternating blocks are independent enough: 11 degrees of freedom, chi^2 of 4.575 at 5 % (table)."""
    y = np.tile([1.0, -1.0], 6)
    assert block_scale(y) == pytest.approx(math.sqrt(12 / 11) * math.sqrt(11 / 4.575), rel=1e-3)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_no_alarm_in_half_a_million_blocks_at_the_margin(phi: float) -> None:
    """100 live series of 5 000 blocks whose true ratio is 1.10, each with its own A/A of 120 blocks."""
    calibration, live = 0.05 * noise(7, phi, (100, 120)), THETA + 0.05 * noise(8, phi, (100, 5_000))
    highest = [onset_evidence(y, THETA, block_scale(aa)).max() for aa, y in zip(calibration, live, strict=True)]
    assert max(highest) < ALARM


def test_where_a_watch_begins_above_legacy_the_margin_counts_from_there() -> None:
    """Golden value: mean 0.5, alternating noise worth 12 independent values, scale as of the short calibration."""
    y = 0.5 + np.tile([1.0, -1.0], 6)
    scale = math.sqrt(12 / 11) * math.sqrt(11 / 4.575)
    assert standing_theta(y, THETA) == pytest.approx(THETA + 0.5 + 2 * scale / math.sqrt(12), rel=1e-3)
    assert standing_theta(y - 5.0, THETA) == THETA


@pytest.mark.parametrize("z", [0.6, 1.5, 9.0])
def test_so_many_worse_blocks_suffice_in_nineteen_of_twenty_and_half_as_many_do_not(z: float) -> None:
    y = z + np.random.default_rng(11).standard_normal((400, 400))
    stated = onset_blocks(z, 0.95)
    told = onset_evidence(np.minimum(y, 4.0), 0.0, 1.0) >= ALARM
    assert told[:, stated - 1].mean() >= 0.94
    if stated > 10:
        assert told[:, stated // 2].mean() < 0.5


def test_work_that_is_no_worse_is_never_told() -> None:
    with pytest.raises(ValueError, match="never"):
        onset_blocks(0.0, 0.95)
