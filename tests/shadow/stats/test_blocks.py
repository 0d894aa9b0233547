import numpy as np
import pytest

from shadow.stats.blocks import balanced_median_blocks, block_of, median_blocks, rate_blocks


def test_block_of_numbers_from_the_declared_begin() -> None:
    t = np.array([99, 100, 149, 150, 299, 300])
    assert block_of(t, 100, 50, 4).tolist() == [-1, 0, 0, 1, 3, -1]


def test_median_of_each_block_and_thin_blocks_are_skipped_and_counted() -> None:
    block = np.array([0, 2, 0, 2, 0, -1, 2, 1, 2])
    d = np.array([3.0, 1.0, 1.0, 5.0, 2.0, 9.0, 4.0, 7.0, 2.0])
    blocks = median_blocks(block, d, declared=5, min_pairs=2)
    assert blocks.index.tolist() == [0, 2]
    assert blocks.y.tolist() == [2.0, 3.0]  # odd: the middle; even: between 2 and 4
    assert blocks.pairs.tolist() == [3, 4]
    assert blocks.skipped == 3


def test_no_data_is_no_block() -> None:
    blocks = median_blocks(np.array([-1]), np.array([1.0]), 4, 1)
    assert len(blocks.y) == 0
    assert blocks.skipped == 4


def test_rate_of_a_counter_per_event() -> None:
    edges = np.array([0.0, 10.0, 20.0, 30.0])
    rate = rate_blocks(edges, np.array([0.0, 20.0, 25.0]), np.array([0.0, 200.0, 300.0]), np.array([10, 5, 5]))
    assert rate[:2].tolist() == [10.0, 20.0]
    assert np.isnan(rate[2])  # beyond the last sample


def test_the_balanced_median_is_blind_to_a_chance_imbalance_of_two_modes() -> None:
    """Two modes at +0.5 and -0.5, no true difference; 60 of 100 fall into one: the plain median goes there."""
    stratum = np.array([True] * 60 + [False] * 40)
    d = np.where(stratum, 0.5, -0.5) + np.tile([-0.01, 0.01], 50)
    block = np.zeros(100, np.int64)
    assert abs(median_blocks(block, d, 1, 10).y[0]) > 0.4
    assert balanced_median_blocks(block, d, stratum, 1, 10).y[0] == pytest.approx(0.0, abs=0.02)


def test_a_true_shift_shows_in_full_in_the_balanced_median() -> None:
    rng = np.random.default_rng(3)
    stratum = rng.random(40_000) < 0.5
    d = np.log(1.1) + np.where(stratum, 0.5, -0.5) + rng.normal(0, 0.3, 40_000)
    blocks = balanced_median_blocks(np.arange(40_000) // 400, d, stratum, 100, 10)
    assert len(blocks.y) == 100
    assert blocks.y.mean() == pytest.approx(np.log(1.1), abs=0.01)


def test_a_block_with_one_stratum_only_has_the_plain_median() -> None:
    d = np.array([1.0, 2.0, 3.0, 9.0])
    blocks = balanced_median_blocks(np.zeros(4, np.int64), d, np.ones(4, np.bool_), 1, 3)
    assert blocks.y.tolist() == [2.5]
