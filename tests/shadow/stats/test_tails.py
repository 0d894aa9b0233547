"""Votes by hand, the same evidence block by block, and simulated tails whose events come in runs."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from shadow.stats.eprocess import log_binomial_mixture
from shadow.stats.tails import TailTest, block_votes, tail_evidence, tail_threshold

MARGIN = 1.10


def pairs(seed: int, ratio: float, blocks: int = 120, per_block: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(block, legacy, new) with log-normal values; each side has spells of its own in which it is slow."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), per_block)
    sides = []
    for scale in (1.0, ratio):
        spell = lfilter([1.0], [1.0, -0.9], rng.standard_normal(len(block))) * 0.15
        sides.append((200_000 * scale * np.exp(spell + rng.normal(0, 0.3, len(block)))).astype(np.int64))
    return block, sides[0], sides[1]


def test_the_threshold_is_the_quantile_of_the_calibration() -> None:
    assert tail_threshold(np.arange(1, 102), 0.9) == 91.0


def test_votes_by_hand() -> None:
    """Threshold 100: new offends above 110, legacy above 100."""
    block = np.array([0, 0, 1, 1, 2, 2, 3, -1])
    legacy = np.array([100, 90, 101, 90, 101, 90, 150, 90])
    new = np.array([111, 90, 110, 90, 111, 90, 90, 999])
    assert block_votes(block, legacy, new, 100.0, MARGIN, 5).tolist() == [1, -1, 0, -1, 0]


def test_votes_that_look_independent_count_in_full_and_ties_not_at_all() -> None:
    """Alternating votes have no positive correlation. Behind the twelve of the warm-up: two for new, one against."""
    votes = np.array([1, -1] * 6 + [0, 1, 0, 1, -1, 0])
    golden = [log_binomial_mixture(hits, misses, 0.5, 20.0, 20.0) for hits, misses in ((0, 0), (1, 0), (1, 0))]
    assert tail_evidence(votes)[12:15] == pytest.approx(golden)
    assert tail_evidence(votes)[-1] == pytest.approx(log_binomial_mixture(2, 1, 0.5, 20.0, 20.0))


def test_block_by_block_is_the_same_as_all_at_once() -> None:
    block, legacy, new = pairs(1, 1.3)
    votes = block_votes(block, legacy, new, 300_000.0, MARGIN, 120)
    test = TailTest(300_000.0, MARGIN)
    got = [test.update(legacy[block == k], new[block == k]) for k in range(120)]
    assert got == pytest.approx(tail_evidence(votes).tolist())


def test_a_tail_fatter_by_half_is_found_and_one_at_the_margin_is_not() -> None:
    """200 simulated series each, looked at after every block; q from A/A series of their own."""
    highest: dict[float, list[float]] = {1.10: [], 1.50: []}
    for ratio, found in highest.items():
        for seed in range(200):
            block, legacy, new = pairs(seed, ratio)
            threshold = tail_threshold(pairs(10_000 + seed, 1.0)[1], 0.9)
            found.append(float(tail_evidence(block_votes(block, legacy, new, threshold, MARGIN, 120)).max()))
    assert np.mean(np.array(highest[1.10]) >= math.log(100)) <= 0.02
    assert np.mean(np.array(highest[1.50]) >= math.log(100)) >= 0.95
