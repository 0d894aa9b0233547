"""What is kept of a stretch of a session when its rows are not: figures that add up to those of the whole.

A stretch begins and ends between two blocks. Whatever the cuts, the summaries of the parts, merged in any order, are
the summary of the whole: counts add, blocks are laid side by side, cells of the histograms add.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shadow.stats.blocks import Blocks, balanced_median_blocks
from shadow.stats.bootstrap import STEP

__all__ = ["Summary", "merge", "quantile", "summarise"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
K = TypeVar("K")


@dataclass(frozen=True)
class Summary:
    """`codes` counts events by (side, code); `blocks` holds (typical ln ratio, pairs) by block number, those with too
    few pairs left out; `cells` counts each side's latencies by floor(ln(ns) / STEP)."""

    codes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    blocks: Mapping[int, tuple[float, int]] = field(default_factory=dict)
    cells: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def as_blocks(self, declared: int) -> Blocks:
        """The judged blocks of a session that declared so many."""
        index = sorted(self.blocks)
        y = np.array([self.blocks[n][0] for n in index], np.float64)
        return Blocks(np.array(index, np.int64), y, np.array([self.blocks[n][1] for n in index], np.int64), declared)


def summarise(
    codes: Mapping[tuple[str, str], int], block: Ints, legacy: Ints, new: Ints, legacy_first: Bools, min_pairs: int
) -> Summary:
    """Summary of a stretch: its events by code, its pairs by block number (-1: in none) and latencies in ns above 0."""
    declared = int(block.max(initial=-1)) + 1
    judged = balanced_median_blocks(block, np.log(new / legacy), legacy_first, declared, min_pairs)
    blocks = zip(judged.index.tolist(), judged.y.tolist(), judged.pairs.tolist(), strict=True)
    return Summary(
        {key: n for key, n in codes.items() if n},
        {index: (y, pairs) for index, y, pairs in blocks},
        {"legacy": _cells(legacy), "new": _cells(new)},
    )


def merge(one: Summary, other: Summary) -> Summary:
    """Summary of both stretches; ValueError where they share a block, which a median cannot be merged of."""
    shared = one.blocks.keys() & other.blocks.keys()
    if shared:
        raise ValueError(f"two stretches hold block {min(shared)}: they were not cut between blocks")
    sides = one.cells.keys() | other.cells.keys()
    return Summary(
        _added(one.codes, other.codes),
        dict(sorted({**one.blocks, **other.blocks}.items())),
        {side: _added(one.cells.get(side, {}), other.cells.get(side, {})) for side in sorted(sides)},
    )


def quantile(cells: Mapping[int, int], p: float) -> float:
    """The value in ns below which a share p lies, at most half a cell (0.2 %) off; ValueError of nothing."""
    if not cells:
        raise ValueError("there is no quantile of nothing")
    order = sorted(cells)
    reached = np.cumsum([cells[cell] for cell in order])
    rank = max(1, int(np.ceil(p * reached[-1])))
    return float(np.exp((order[int(np.searchsorted(reached, rank))] + 0.5) * STEP))


def _cells(ns: Ints) -> dict[int, int]:
    cell, count = np.unique(np.floor(np.log(ns) / STEP).astype(np.int64), return_counts=True)
    return dict(zip(cell.tolist(), count.tolist(), strict=True))


def _added(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return dict(Counter(one) + Counter(other))
