"""Ratio of quantiles with an interval from resampled blocks of counts on a fixed grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shadow.stats.intervals import Estimate, batch_length

__all__ = ["GridCounts", "count_on_grid", "quantile_of", "quantile_ratio", "resample_weights"]

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


def quantile_of(weights: Floats, cumulated: Floats, first: int, p: float) -> Floats:
    """ln of the p quantile of each resample of counts, cumulated by block, linear within its cell.

    Resamples have their quantile in neighbouring cells. Which these are every STRIDE-th cell tells, and only they are
    multiplied out; all numbers are whole, so that nothing depends on the order.
    """
    width = cumulated.shape[1]
    target = p * (weights @ cumulated[:, -1])
    strides = (weights @ cumulated[:, STRIDE - 1 :: STRIDE] < target[:, None]).sum(axis=1)
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
    strata: Sequence[tuple[GridCounts, GridCounts]], weights: Floats, quantiles: tuple[float, ...], df: float
) -> list[tuple[float, float, Estimate]]:
    """For each quantile: legacy's and new's value (ns) and the estimate of ln(new / legacy).

    `strata` are (legacy, new) counts of like with like; quantiles are taken within each and averaged in ln, so that a
    quantile that falls between the strata does not move with their sizes. All are resampled with the same weights, by
    matrix products (Lindon, Sanden & Shirikian 2022 count on a grid likewise). The bound is best +- t * bootstrap
    error: with a few dozen blocks percentiles at a corrected alpha would lie beyond the resamples.
    """
    cumulated = [[(np.cumsum(side.counts, axis=1), side.first) for side in pair] for pair in strata]
    n = weights.shape[1]
    out = []
    for p in quantiles:
        logs = np.array([[quantile_of(weights, counts, first, p) for counts, first in pair] for pair in cumulated])
        low, high = logs.mean(axis=0)
        ratio = high - low
        error = float(np.std(ratio[1:], ddof=1)) * math.sqrt(n / (n - 1))
        out.append((math.exp(low[0]), math.exp(high[0]), Estimate(float(ratio[0]), error, df, n, df + 1)))
    return out
