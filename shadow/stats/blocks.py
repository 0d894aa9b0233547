"""Blocks: the unit of inference. A single message is never one; messages of a block share their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Blocks", "balanced_median_blocks", "block_of", "median_blocks", "rate_blocks"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """One value per judged block: `index` within the declared ones, `y` its value, `pairs` behind it."""

    index: Ints
    y: Floats
    pairs: Ints
    declared: int

    @property
    def skipped(self) -> int:
        """Declared blocks that had too little to be judged."""
        return self.declared - len(self.index)


def block_of(t: Ints, begin: int, length: int, declared: int) -> Ints:
    """Block number of each time t (all in ns); -1 outside the declared blocks."""
    number = (t - begin) // length
    return np.where((number >= 0) & (number < declared), number, -1)


def median_blocks(block: Ints, d: Floats, declared: int, min_pairs: int) -> Blocks:
    """Median of d in each block; blocks with fewer than min_pairs values are skipped. Block -1 is ignored."""
    order = _by_block(block, d)
    return _medians(block[order], d[order], declared, min_pairs)


def balanced_median_blocks(block: Ints, d: Floats, stratum: Bools, declared: int, min_pairs: int) -> Blocks:
    """Mean of the medians of d within and without the stratum, for each block; skipped as in median_blocks.

    Where d has two modes that the stratum tells apart, the median of all lies in the thin middle between them and moves
    with every chance imbalance; the medians of the two modes do not. A block in which one stratum has less than a third
    of min_pairs falls back to the median of all.
    """
    order = _by_block(block, d)
    block, d, stratum = block[order], d[order], stratum[order]
    whole = _medians(block, d, declared, min_pairs)
    if not len(whole.index):
        return whole
    least = -(-min_pairs // 3)
    within, without = (_medians(block[mask], d[mask], declared, least) for mask in (stratum, ~stratum))
    total, strata = np.zeros(int(block[-1]) + 1), np.zeros(int(block[-1]) + 1, np.int8)
    total[within.index] = within.y
    total[without.index] += without.y
    strata[within.index] = 1
    strata[without.index] += 1
    y = np.where(strata[whole.index] == 2, total[whole.index] / 2, whole.y)
    return Blocks(whole.index, y, whole.pairs, declared)


def _by_block(block: Ints, d: Floats) -> npt.NDArray[np.intp]:
    """Places of the values in order of block, then of d; without block -1."""
    kept = np.flatnonzero(block >= 0)
    return np.asarray(kept[np.lexsort((d[kept], block[kept]))])


def _medians(block: Ints, d: Floats, declared: int, min_pairs: int) -> Blocks:
    """Of values in order of block, then of d."""
    if not len(block):
        return Blocks(block, np.empty(0), np.empty(0, np.int64), declared)
    start = np.concatenate(([0], np.flatnonzero(block[1:] != block[:-1]) + 1))
    count = np.diff(start, append=len(block))
    y = (d[start + (count - 1) // 2] + d[start + count // 2]) / 2
    enough = count >= min_pairs
    return Blocks(block[start][enough], y[enough], count[enough], declared)


def rate_blocks(edges: Floats, times: Floats, level: Floats, events: Ints) -> Floats:
    """Growth of a counter per event in each block.

    `level` is a counter sampled at `times` and interpolated at the block `edges` (n + 1 of them); `events` (n) are the
    events of each block. NaN where a block has no event or lies outside the samples.
    """
    growth = np.diff(np.interp(edges, times, level))
    inside = (edges[:-1] >= times[0]) & (edges[1:] <= times[-1]) & (events > 0)
    out = np.full(len(events), np.nan)
    np.divide(growth, events, out=out, where=inside)
    return out
