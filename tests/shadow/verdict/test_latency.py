"""The running tests read the same rows and blocks as the metrics of the verdict."""

import math

import numpy as np
import pytest

from shadow.stats.eprocess import mean_evidence, sign_evidence
from shadow.stats.tails import block_votes, tail_evidence, tail_threshold
from shadow.verdict.latency import typical_blocks
from shadow.verdict.series import Pairs

THETA = math.log(1.10)
BLOCKS = 120


def rows(seed: int, ratio: float, per_block: int = 20) -> Pairs:
    """Log-normal latencies about 200 us; whoever is second is a third faster, as a session has it."""
    rng = np.random.default_rng(seed)
    n = BLOCKS * per_block
    first = rng.random(n) < 0.5
    sides = [200_000 * np.exp(rng.normal(0, 0.3, n) - 0.3 * late) for late in (~first, first)]
    nothing = np.zeros(n, np.int64)
    return Pairs(
        declared=BLOCKS,
        connection=nothing,
        type=nothing,
        symbol=nothing,
        t_sent=np.arange(n) * 25_000_000,
        legacy=sides[0].astype(np.int64),
        new=(ratio * sides[1]).astype(np.int64),
        block=np.repeat(np.arange(BLOCKS), per_block),
        overlapped=np.zeros(n, np.bool_),
        legacy_first=first,
    )


@pytest.mark.parametrize(("ratio", "fires"), [(1.0, False), (1.3, True)])
def test_typical_blocks_and_pairs_go_into_the_running_tests_as_they_are(ratio: float, fires: bool) -> None:
    pairs = rows(1, ratio)
    y = typical_blocks(pairs, 10).y
    threshold = tail_threshold(rows(2, 1.0).legacy, 0.9)
    votes = block_votes(pairs.block, pairs.legacy, pairs.new, threshold, 1.10, pairs.declared)
    for evidence in (mean_evidence(y, THETA), sign_evidence(y, THETA), tail_evidence(votes)):
        assert len(evidence) == BLOCKS
        assert bool(evidence.max() >= math.log(4_000)) == fires
