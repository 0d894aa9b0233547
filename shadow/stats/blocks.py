"""Blocks: the unit of inference. A single message is never one; messages of a block share their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Blocks", "block_of", "median_blocks", "rate_blocks"]

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
    kept = np.flatnonzero(block >= 0)
    order = kept[np.lexsort((d[kept], block[kept]))]
    sorted_block, sorted_d = block[order], d[order]
    index, start, count = np.unique(sorted_block, return_index=True, return_counts=True)
    if not len(index):
        return Blocks(index, np.empty(0), count, declared)
    y = (sorted_d[start + (count - 1) // 2] + sorted_d[start + count // 2]) / 2
    enough = count >= min_pairs
    return Blocks(index[enough], y[enough], count[enough], declared)


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
