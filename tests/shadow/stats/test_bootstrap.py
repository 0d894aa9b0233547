import math

import numpy as np
import numpy.typing as npt
import pytest

from shadow.stats.bootstrap import (
    STEP,
    GridCounts,
    count_on_grid,
    quantile_ratio,
    quantiles_of,
    resample_weights,
)


def sample(rng: np.random.Generator, n: int, scale: float) -> np.ndarray:
    """Log-normal latencies in ns with median 200 us * scale."""
    return np.exp(rng.normal(math.log(200_000 * scale), 0.5, n)).astype(np.int64)


def test_counts_keep_every_value_of_the_listed_blocks() -> None:
    grid = count_on_grid(np.array([0, 0, 3, 5, -1]), np.array([1000, 1000, 2000, 4000, 9]), np.array([0, 3]))
    assert grid.counts.sum(axis=1).tolist() == [2.0, 1.0]
    assert grid.counts[0].max() == 2.0


def test_weights_draw_each_block_once_on_average_and_keep_the_sample_first() -> None:
    weights = resample_weights(30, 4000, seed=1)
    assert weights[0].tolist() == [1.0] * 30
    assert set(weights.sum(axis=1)) == {30.0}
    assert np.abs(weights[1:].mean(axis=0) - 1).max() < 0.1


def test_quantiles_and_their_ratio_on_log_normals() -> None:
    """Quantiles of a log-normal are known: median 200 us, p90 = median * exp(0.5 * 1.28155)."""
    rng = np.random.default_rng(7)
    n, blocks = 40_000, 40
    block = np.repeat(np.arange(blocks), n // blocks)
    legacy = count_on_grid(block, sample(rng, n, 1.0), np.arange(blocks))
    new = count_on_grid(block, sample(rng, n, 1.2), np.arange(blocks))
    weights = resample_weights(blocks, 400, seed=2)
    (p50_l, p50_n, p50), (p90_l, _, p90) = quantile_ratio([(legacy, new)], weights, (0.5, 0.9), df=39)
    assert p50_l == pytest.approx(200_000, rel=0.01)
    assert p50_n == pytest.approx(240_000, rel=0.01)
    assert p90_l == pytest.approx(200_000 * math.exp(0.5 * 1.28155), rel=0.015)
    # asymptotic error of a sample quantile: sqrt(p (1 - p) / n) / density, two independent sides
    assert p50.se == pytest.approx(math.sqrt(2 * 0.25 / n) / (1 / (0.5 * math.sqrt(2 * math.pi))), rel=0.25)
    assert p90.mean == pytest.approx(math.log(1.2), abs=3.5 * math.sqrt(2 * 0.09 / n) / (0.17550 / 0.5))


def test_shared_noise_of_a_block_cancels_in_the_ratio() -> None:
    rng = np.random.default_rng(8)
    blocks, per = 40, 200
    block = np.repeat(np.arange(blocks), per)
    drift = np.exp(np.repeat(rng.normal(0, 0.5, blocks), per))
    base = sample(rng, blocks * per, 1.0) * drift
    legacy = count_on_grid(block, base.astype(np.int64), np.arange(blocks))
    new = count_on_grid(block, (base * 1.1).astype(np.int64), np.arange(blocks))
    [(_, _, got)] = quantile_ratio([(legacy, new)], resample_weights(blocks, 300, seed=3), (0.5,), df=39)
    assert got.mean == pytest.approx(math.log(1.1), abs=0.004)
    assert got.se < 0.004


def test_like_with_like_is_blind_to_the_sizes_of_two_modes() -> None:
    """Each side is fast when second and slow when first; chance gave new the second place more often."""
    rng = np.random.default_rng(5)
    blocks, per_block = 40, 100
    block = np.repeat(np.arange(blocks), per_block)
    legacy_first = rng.random(blocks * per_block) < 0.56
    noise = rng.normal(0, 0.2, (2, blocks * per_block))
    legacy = np.exp(12 + np.where(legacy_first, 0.5, -0.5) + noise[0]).astype(np.int64)
    new = np.exp(12 + np.where(legacy_first, -0.5, 0.5) + noise[1]).astype(np.int64)
    weights = resample_weights(blocks, 300, seed=1)
    index = np.arange(blocks)

    def counts(values: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]) -> GridCounts:
        return count_on_grid(block[kept], values[kept], index)

    everything = legacy_first | True
    [(_, _, mixed)] = quantile_ratio([(counts(legacy, everything), counts(new, everything))], weights, (0.5,), df=39)
    strata = [
        (counts(legacy, legacy_first), counts(new, ~legacy_first)),
        (counts(legacy, ~legacy_first), counts(new, legacy_first)),
    ]
    [(_, _, balanced)] = quantile_ratio(strata, weights, (0.5,), df=39)
    assert mixed.mean < -0.1
    assert abs(balanced.mean) < 0.01
    assert balanced.se < mixed.se / 3


def plainly(weights: npt.NDArray[np.float64], counts: GridCounts, p: float) -> npt.NDArray[np.float64]:
    """The quantiles of resamples that are multiplied out whole."""
    cumulated = np.cumsum(weights @ counts.counts, axis=1)
    target = p * cumulated[:, -1]
    cell = np.minimum(np.sum(cumulated < target[:, None], axis=1), cumulated.shape[1] - 1)
    rows = np.arange(len(cumulated))
    above, below = cumulated[rows, cell], np.where(cell > 0, cumulated[rows, np.maximum(cell - 1, 0)], 0.0)
    inside = np.divide(target - below, above - below, out=np.zeros(len(rows)), where=above > below)
    return np.asarray((counts.first + cell + inside) * STEP)


@pytest.mark.parametrize("spread", [0.0, 0.003, 0.05, 0.5, 2.0])
@pytest.mark.parametrize("size", [1, 40, 3000])
def test_the_cells_around_a_quantile_tell_the_same_as_all(spread: float, size: int) -> None:
    rng = np.random.default_rng(7)
    block = np.sort(rng.integers(0, 20, size))
    blocks = np.unique(block)
    value = np.exp(rng.normal(11, spread, size) + (rng.random(size) > 0.95) * 3).astype(np.int64)
    counts = count_on_grid(block, value, blocks)
    weights = resample_weights(len(blocks), 200, seed=4)
    quantiles = (0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 1.0)
    together = quantiles_of(weights, np.cumsum(counts.counts, axis=1), counts.first, quantiles)
    for p, found in zip(quantiles, together, strict=True):
        assert np.array_equal(found, plainly(weights, counts, p)), p
