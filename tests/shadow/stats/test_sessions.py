"""Simulated sessions with a look after every block: how often they cry wolf, how soon they see, how seldom they pass.

A session has 26 running metrics: ten typical latencies (two connections, each pooled and by four types, half of the
noise common to a connection), two service times, CPU, ten tails and three counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import lfilter
from scipy.stats import binom

from shadow.stats.counts import incident_evidence
from shadow.stats.eprocess import mean_evidence, sign_evidence
from shadow.stats.intervals import estimate_mean
from shadow.stats.multiplicity import union_alarms
from shadow.stats.tails import tail_evidence

Floats = npt.NDArray[np.float64]

THETA = math.log(1.10)
ALPHA = 0.01
BLOCKS = 130
"""65 s of half-second blocks."""


def ar1(rng: np.random.Generator, phi: float, shape: tuple[int, ...]) -> Floats:
    """Stationary rows of variance 1."""
    drawn = rng.standard_normal(shape)
    drawn[..., 1:] *= math.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], drawn))


def typical_blocks(rng: np.random.Generator, phi: float, sessions: int, ratio: float) -> Floats:
    """[session, 13, block]: per connection the pool and four types, then two service times and CPU."""
    connections = []
    for _ in range(2):
        common, own = ar1(rng, phi, (sessions, 1, BLOCKS)), ar1(rng, phi, (sessions, 4, BLOCKS))
        types = 0.12 * (math.sqrt(0.5) * common + math.sqrt(0.5) * own)
        connections += [types.mean(axis=1, keepdims=True), types]
    others = ar1(rng, phi, (sessions, 3, BLOCKS)) * np.array([0.04, 0.06, 0.03])[:, None]
    return math.log(ratio) + np.concatenate([*connections, others], axis=1)


def votes(rng: np.random.Generator, phi: float, sessions: int, ratio: float) -> npt.NDArray[np.int64]:
    """[session, 10, block]: Poisson tail events whose rates wander, half in common and half by each side alone.

    At a ratio of 1 new has 0.7 of legacy's rate above its line, which is higher by the margin (p90 of a log-normal
    with a deviation of 0.5); at 1.10 both have the same.
    """
    shape = (sessions, 10, BLOCKS)
    common = ar1(rng, phi, shape)
    mean = np.array([5.0, *[1.2] * 4] * 2)[:, None]
    rates = [mean * np.exp(0.5 * (common + ar1(rng, phi, shape))) for _ in range(2)]
    thinner = 1.0 if ratio == 1.10 else 0.7
    return np.sign(rng.poisson(thinner * rates[1]) - rng.poisson(rates[0]))


def incidents(rng: np.random.Generator, sessions: int, ratio: float) -> Floats:
    """[session, 3, block]: ln E of counts with 20 incidents a session, at random times."""
    history = rng.random((sessions, 3, 20)) < ratio / (1 + ratio)
    when = np.sort(rng.integers(0, BLOCKS, (sessions, 3, 20)), axis=-1)
    so_far = np.sum(when[..., None, :] <= np.arange(BLOCKS)[:, None], axis=-1)
    after = np.concatenate([np.zeros((sessions, 3, 1)), incident_evidence(history, 1.10)], axis=-1)
    return np.take_along_axis(after, so_far, axis=-1)


Evidence = Callable[[Floats, float], Floats]


@lru_cache(maxsize=6)
def simulated(phi: float, ratio: float, seed: int, batch: int) -> tuple[Floats, Floats, Floats]:
    """A hundred sessions: their typical blocks, and ln E of their tails and counts; the same for either evidence."""
    rng = np.random.default_rng((seed, batch))
    return (
        typical_blocks(rng, phi, 100, ratio),
        tail_evidence(votes(rng, phi, 100, ratio)),
        incidents(rng, 100, ratio),
    )


def false_alarms(evidence: Evidence, phi: float, sessions: int, ratio: float, seed: int) -> int:
    """Sessions of `sessions` in which any look raised the union's alarm."""
    alarms = 0
    weights = np.array([4.0, 1, 1, 1, 1] * 2 + [4.0, 4, 4] + [1.0] * 13)
    for batch in range(0, sessions, 100):
        blocks, tails, counts = simulated(phi, ratio, seed, batch)
        parts = [evidence(blocks, THETA), tails, counts]
        alarms += int(union_alarms(np.concatenate(parts, axis=1), weights, ALPHA).any(axis=-1).sum())
    return alarms


PHIS = [0.0, 0.5, 0.9]
"""Correlation of neighbouring blocks; between messages, which is what it is known of, a block's medians lose most."""

both = pytest.mark.parametrize("evidence", [mean_evidence, sign_evidence])


@both
@pytest.mark.parametrize("phi", PHIS)
def test_legacy_against_itself_seldom_alarms(evidence: Evidence, phi: float) -> None:
    """At 1 %, 200 sessions have more than this many in one of a thousand trials."""
    assert false_alarms(evidence, phi, 200, 1.0, seed=1) <= binom.ppf(0.999, 200, ALPHA)


@pytest.mark.long
@both
@pytest.mark.parametrize("phi", PHIS)
def test_a_thousand_sessions_of_legacy_against_itself(evidence: Evidence, phi: float) -> None:
    assert false_alarms(evidence, phi, 1_000, 1.0, seed=2) <= 15


@pytest.mark.long
@both
@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_a_thousand_sessions_that_are_worse_by_the_margin_everywhere(evidence: Evidence, phi: float) -> None:
    """The hardest case that is still no regression. (At phi 0.9 the tails' votes alone alarm in 7 %.)"""
    assert false_alarms(evidence, phi, 1_000, 1.10, seed=3) <= 15


@pytest.mark.long
@both
def test_strongly_correlated_blocks_at_the_margin_do_not_deceive_the_tests_of_the_mean(evidence: Evidence) -> None:
    alarms = 0
    for batch in range(10):
        blocks = typical_blocks(np.random.default_rng((4, batch)), 0.9, 100, 1.10)
        alarms += int(union_alarms(evidence(blocks, THETA), np.ones(13), ALPHA).any(axis=-1).sum())
    assert alarms <= 15


def first_alarms(evidence: Evidence, deviation: float, ratio: float, sessions: int, horizon: int) -> Floats:
    """Blocks until ln E reaches 1 / 2.5e-4 in each session; inf where it does not within the horizon."""
    found = []
    for batch in range(0, sessions, 20):
        rng = np.random.default_rng((horizon, batch))
        log_e = evidence(rng.normal(math.log(ratio), deviation, (20, horizon)), THETA)
        reached = log_e >= math.log(4_000)
        found.append(np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1.0, math.inf))
    return np.concatenate(found)


def log_deviation(variation: float, correlation: float) -> float:
    """Of ln(new / legacy), both log-normal with this coefficient of variation."""
    return math.sqrt(2 * (1 - correlation) * math.log1p(variation**2))


TABLE = {
    log_deviation(0.3, 0.8): {1.12: 1_777, 1.15: 335, 1.20: 130, 1.30: 54},
    log_deviation(0.3, 0.0): {1.12: 9_867, 1.15: 1_573, 1.20: 460, 1.30: 156},
    log_deviation(1.0, 0.0): {1.12: 82_945, 1.15: 12_625, 1.20: 3_297, 1.30: 879},
}
"""Design table: median blocks, of one pair each, until "worse than 10 %" is confirmed at 2.5e-4."""

SLOWEST = {1_777: 3_399, 9_867: 19_396, 82_945: 154_081}
"""The table's 95th percentiles, by median."""

CELLS = [(deviation, ratio, median) for deviation, row in TABLE.items() for ratio, median in row.items()]


@pytest.mark.parametrize(("deviation", "ratio", "median"), [cell for cell in CELLS if cell[2] < 1_000])
def test_blocks_until_a_regression_is_confirmed(deviation: float, ratio: float, median: int) -> None:
    found = first_alarms(mean_evidence, deviation, ratio, 200, 4 * median)
    assert median / 1.3 <= np.median(found) <= 1.3 * median


@pytest.mark.long
@pytest.mark.parametrize(("deviation", "ratio", "median"), [cell for cell in CELLS if cell[2] >= 1_000])
def test_many_blocks_until_a_slight_regression_is_confirmed(deviation: float, ratio: float, median: int) -> None:
    found = first_alarms(mean_evidence, deviation, ratio, 200, 4 * median)
    assert median / 1.3 <= np.median(found) <= 1.3 * median
    assert np.sort(found)[189] <= 1.3 * SLOWEST.get(median, 4 * median)


def wrong_passes(noise: Floats) -> int:
    """Sessions of noise [session, block] in which what is worse by 15 % has its whole 1 % interval below 10 %."""
    estimates = [estimate_mean(math.log(1.15) + y) for y in noise]
    return sum(found is not None and found.upper(ALPHA) < THETA for found in estimates)


def median_noise(phi: float, deviation: float, sessions: int) -> Floats:
    """[session, 42 blocks]: medians of 50 messages each, correlated from message to message."""
    messages = ar1(np.random.default_rng(5), phi, (sessions, 42 * 50)).reshape(sessions, 42, 50)
    return np.asarray(deviation * np.median(messages, axis=-1))


def block_noise(phi: float, deviation: float, sessions: int) -> Floats:
    """[session, 42 blocks], correlated from block to block."""
    return deviation * ar1(np.random.default_rng(6), phi, (sessions, 42))


noises = pytest.mark.parametrize(
    ("noise", "phi", "deviation"),
    [(median_noise, phi, deviation) for phi in PHIS for deviation in (0.35, 0.7)]
    + [(block_noise, phi, deviation) for phi in (0.0, 0.5) for deviation in (0.03, 0.12, 0.4)],
)
"""Messages as measured at 500/s and 2 000/s, and blocks. Not blocks that are correlated by 0.9: 42 of them are worth
two, and with deviations of 0.12 and 0.4 a single metric then passes in 1.2 % and 3 %."""
Noise = Callable[[float, float, int], Floats]


@noises
def test_fifteen_per_cent_worse_seldom_passes(noise: Noise, phi: float, deviation: float) -> None:
    assert wrong_passes(noise(phi, deviation, 200)) <= binom.ppf(0.999, 200, ALPHA)


@pytest.mark.long
@noises
def test_of_two_thousand_that_are_fifteen_per_cent_worse_one_in_a_hundred_passes_at_most(
    noise: Noise, phi: float, deviation: float
) -> None:
    assert wrong_passes(noise(phi, deviation, 2_000)) <= 20


@pytest.mark.long
@pytest.mark.parametrize("phi", PHIS)
def test_a_stack_that_is_worse_by_fifteen_per_cent_everywhere_does_not_pass(phi: float) -> None:
    """All declared metrics have to pass: of two connections the pool and the service time, and CPU."""
    blocks = typical_blocks(np.random.default_rng(7), phi, 1_000, 1.15)[:, [0, 5, 10, 11, 12], :42]
    passed = [
        all(found is not None and found.upper(ALPHA) < THETA for found in map(estimate_mean, session))
        for session in blocks
    ]
    assert sum(passed) <= 10
