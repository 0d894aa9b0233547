"""The figures of load in analysis.json."""

from __future__ import annotations

import numpy as np
import pytest

from shadow.diff.codes import LegDiff, Matches
from shadow.verdict.analysis import matched_cells, paced_load
from shadow.verdict.series import TYPES, Pairs, paired_latencies
from shadow.verdict.timeline import Phase

SECOND = 1_000_000_000
PHASE = Phase("main", "paired", 0, SECOND)


def side(bursts: list[int], queued: list[bool], begin: int = 0) -> Matches:
    """Frames every 10 ms, each answered 1 ms later."""
    n = len(bursts)
    sent = begin + np.arange(n, dtype=np.int64) * SECOND // 100
    return Matches(
        frame_no=np.arange(n), connection=np.zeros(n, np.int16), type=np.zeros(n, np.int8),
        symbol=np.zeros(n, np.int16), t_sent=sent, t_callback=sent + SECOND // 1000,
        first_written=np.ones(n, np.bool_), queued=np.array(queued), burst=np.array(bursts, np.int32),
    )  # fmt: skip


def pairs(candidate: Matches, late: int) -> Pairs:
    """With the same frames sent to the baseline so much (ns) before."""
    other = side(candidate.burst.tolist(), candidate.queued.tolist(), -late)
    return paired_latencies(other, candidate, Phase("main", "paired", -SECOND, SECOND), SECOND, 2)


@pytest.mark.parametrize("keep_one_in", [1, 44])
def test_of_a_thinned_session_a_paced_frame_stands_for_many_and_one_of_a_burst_for_itself(keep_one_in: int) -> None:
    candidate = side([-1] * 20 + [3, 3, 3], [True, True, *[False] * 18, True, False, True])
    assert paced_load(candidate, pairs(candidate, SECOND // 2000), [PHASE], keep_one_in) == {
        "rate_sent": 20 * keep_one_in,
        "queued": 2 * keep_one_in + 2,
        "overlapped": 18 * keep_one_in,
    }
    assert paced_load(candidate, pairs(candidate, SECOND // 100), [PHASE], keep_one_in)["overlapped"] == 0


def test_what_matched_is_counted_by_connection_type_and_symbol() -> None:
    cells = [(0, 0, 1), (1, 7, 0), (1, 7, 0), (1, 0, 2), (0, 0, 1), (0, 3, 0), (1, 7, 0)]
    matched = side([-1] * len(cells), [False] * len(cells))
    numbers = np.array(cells).T
    matched.connection, matched.type, matched.symbol = numbers[0].astype(np.int16), numbers[1], numbers[2]
    diff = LegDiff(
        "main", ("legacy", "new"), {"new": matched}, ["c0", "c1"], ["s0", "s1", "s2"], [], [], {}, True, [], 7, 7, []
    )
    found = matched_cells(diff, "new")
    assert found == {
        ("c0", TYPES[0], "s1"): 2,
        ("c0", TYPES[3], "s0"): 1,
        ("c1", TYPES[0], "s2"): 1,
        ("c1", TYPES[7], "s0"): 3,
    }
    assert matched_cells(diff, "legacy") == {}
