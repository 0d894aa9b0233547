"""Tails while running: each block has one vote, whose tail was fatter. Tail events come in runs; a pair is no unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shadow.stats.eprocess import SIGN_PRIOR, MajorityTest, majority_evidence

__all__ = ["TailTest", "block_votes", "tail_evidence", "tail_threshold"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def tail_threshold(calibration: Ints, p: float) -> float:
    """The p quantile (ns) of legacy's values in A/A: fixed before the first vote, never moved after."""
    return float(np.quantile(calibration, p))


def block_votes(block: Ints, legacy: Ints, new: Ints, threshold: float, margin: float, declared: int) -> Ints:
    """Vote of each declared block: 1 where more new values lie above margin * threshold than legacy values above
    threshold, -1 where fewer, 0 for a tie or no pair. A row per pair; block -1 is ignored."""
    kept = block >= 0
    offenders = [
        np.bincount(block[kept & above], minlength=declared) for above in (new > margin * threshold, legacy > threshold)
    ]
    return np.asarray(np.sign(offenders[0] - offenders[1]))


def tail_evidence(votes: Ints, a: float = SIGN_PRIOR) -> Floats:
    """ln E after each of the votes [..., block] that new's tail is fatter by more than the margin; ties out.

    The sign e-process on votes (`majority_evidence`): holds while each vote is new's with a chance of at most one half
    whatever came before.
    """
    return majority_evidence(votes > 0, votes < 0, votes.astype(np.float64), a)


class TailTest:
    """`block_votes` and `tail_evidence` block by block."""

    def __init__(self, threshold: float, margin: float, a: float = SIGN_PRIOR) -> None:
        self._new_line = margin * threshold
        self._legacy_line = threshold
        self._majority = MajorityTest(a)

    def update(self, legacy: Ints, new: Ints) -> float:
        """ln E with the next block's pairs (ns)."""
        vote = np.sign(np.count_nonzero(new > self._new_line) - np.count_nonzero(legacy > self._legacy_line))
        return self._majority.update(bool(vote > 0), bool(vote < 0), float(vote))
