"""Ratio of quantiles with an interval from resampled blocks of counts on a fixed grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shadow.stats.intervals import Estimate, batch_length

__all__ = ["GridCounts", "count_on_grid", "quantile_ratio", "quantile_values", "quantiles_of", "resample_weights"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

STEP = 0.004
"""Width of a cell of the grid in ln units: 0.4 %, interpolated within the cell."""
STRIDE = 16


@dataclass(frozen=True)
class GridCounts:
    """Counts [block, cell] of ln(value); the cells are [first + i, first + i + 1) * STEP, declared for all sessions."""

    counts: Floats
    first: int


Stratum = tuple[GridCounts, GridCounts]
"""Legacy's counts and new's."""


def count_on_grid(block: Ints, value: Ints, blocks: Ints) -> GridCounts:
    """Counts of the positive values (ns) of each of `blocks` (ascending block numbers); other blocks are left out."""
    row = np.searchsorted(blocks, block)
    kept = (row < len(blocks)) & (value > 0)
    kept[kept] = blocks[row[kept]] == block[kept]
    cell = np.floor(np.log(value[kept]) / STEP).astype(np.int64)
    if not len(cell):
        return GridCounts(np.zeros((len(blocks), 1)), 0)
    first = int(cell.min())
    width = int(cell.max()) - first + 1
    flat = np.bincount(row[kept] * width + cell - first, minlength=len(blocks) * width)
    return GridCounts(flat.reshape(len(blocks), width).astype(np.float64), first)


def resample_weights(n_blocks: int, resamples: int, seed: int) -> Floats:
    """[resample, block] how often each block is drawn: circular runs of neighbouring blocks (Politis & Romano 1992).

    The first row is the sample itself. Integer valued, so that products with counts are exact in any order.
    """
    rng = np.random.default_rng(seed)
    run = batch_length(n_blocks)
    starts = rng.integers(0, n_blocks, size=(resamples, -(-n_blocks // run)))
    drawn = ((starts[:, :, None] + np.arange(run)) % n_blocks).reshape(resamples, -1)[:, :n_blocks]
    flat = np.bincount((drawn + np.arange(resamples)[:, None] * n_blocks).ravel(), minlength=resamples * n_blocks)
    return np.vstack([np.ones(n_blocks), flat.reshape(resamples, n_blocks)])


def quantiles_of(weights: Floats, cumulated: Floats, first: int, quantiles: Sequence[float]) -> list[Floats]:
    """ln of each quantile of each resample of counts, cumulated by block, linear within its cell.

    Resamples have their quantile in neighbouring cells. Which these are every STRIDE-th cell tells, and only they are
    multiplied out; all numbers are whole, so that nothing depends on the order.
    """
    total, coarse = weights @ cumulated[:, -1], weights @ cumulated[:, STRIDE - 1 :: STRIDE]
    return [_quantile_of(weights, cumulated, first, p * total, coarse) for p in quantiles]


def _quantile_of(weights: Floats, cumulated: Floats, first: int, target: Floats, coarse: Floats) -> Floats:
    """ln of the value below which each resample has `target` counts; `coarse` are its own at every STRIDE-th cell."""
    width = cumulated.shape[1]
    strides = (coarse < target[:, None]).sum(axis=1)
    begin, end = int(strides.min()) * STRIDE, min((int(strides.max()) + 1) * STRIDE, width)
    start = min(max(begin - 1, 0), width - 1)
    near = weights @ cumulated[:, start:end]
    cell = np.minimum((near < target[:, None]).sum(axis=1), end - start - 1)
    rows = np.arange(len(near))
    above = near[rows, cell]
    below = np.where(start + cell > 0, near[rows, np.maximum(cell - 1, 0)], 0.0)
    inside = np.divide(target - below, above - below, out=np.zeros(len(rows)), where=above > below)
    return np.asarray((first + start + cell + inside) * STEP)


def quantile_ratio(
    strata: Sequence[Stratum], weights: Floats, quantiles: Sequence[float], df: float
) -> list[tuple[float, float, Estimate]]:
    """For each quantile: legacy's and new's value (ns) and the estimate of ln(new / legacy).

    `strata` are (legacy, new) counts of like with like; quantiles are taken within each and averaged in ln, so that a
    quantile that falls between the strata does not move with their sizes. All are resampled with the same weights, by
    matrix products (Lindon, Sanden & Shirikian 2022 count on a grid likewise). The bound is best +- t * bootstrap
    error: with a few dozen blocks percentiles at a corrected alpha would lie beyond the resamples.
    """
    n = weights.shape[1]
    out = []
    for low, high in _logs(strata, weights, quantiles):
        ratio = high - low
        error = float(np.std(ratio[1:], ddof=1)) * math.sqrt(n / (n - 1))
        out.append((math.exp(low[0]), math.exp(high[0]), Estimate(float(ratio[0]), error, df, n, df + 1)))
    return out


def quantile_values(strata: Sequence[Stratum], quantiles: Sequence[float]) -> list[tuple[float, float]]:
    """For each quantile legacy's and new's value (ns), as in `quantile_ratio` and without its resamples."""
    itself = np.ones((1, len(strata[0][0].counts)))
    return [(math.exp(low[0]), math.exp(high[0])) for low, high in _logs(strata, itself, quantiles)]


def _logs(strata: Sequence[Stratum], weights: Floats, quantiles: Sequence[float]) -> Floats:
    """[quantile, side, resample] ln of the quantile, averaged over the strata."""
    if not quantiles:
        return np.empty((0, 2, len(weights)))
    found = [
        [quantiles_of(weights, np.cumsum(side.counts, axis=1), side.first, quantiles) for side in pair]
        for pair in strata
    ]
    return np.asarray(np.mean(found, axis=0).swapaxes(0, 1))
