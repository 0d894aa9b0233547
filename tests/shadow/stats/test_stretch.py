"""The merge laws: however a session is cut into stretches, their summaries merge into that of the whole."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.stats.blocks import balanced_median_blocks
from shadow.stats.stretch import Summary, merge, quantile, summarise

MIN_PAIRS = 3
CODES = ("MATCH", "MISSING", "DUP")
pair = st.tuples(
    st.integers(-1, 11), st.integers(1, 10**8), st.integers(1, 10**8), st.booleans(), st.sampled_from(CODES)
)
sessions = st.tuples(st.lists(pair, max_size=60), st.lists(st.integers(0, 12), max_size=3))


def summary_of(rows: list[Any]) -> Summary:
    columns = [np.array([row[n] for row in rows], kind) for n, kind in enumerate((np.int64,) * 3 + (np.bool_,))]
    codes = {("new", code): sum(row[4] == code for row in rows) for code in CODES}
    return summarise(codes, columns[0], columns[1], columns[2], columns[3], MIN_PAIRS)


def cut(rows: list[Any], at: list[int]) -> list[Summary]:
    bounds = [-1, *sorted(at), 12]
    parts = ([row for row in rows if low <= row[0] < high] for low, high in pairwise(bounds))
    return [summary_of(part) for part in parts]


@given(session=sessions, order=st.randoms(use_true_random=False))
def test_merged_stretches_are_the_whole_in_any_order(session: Any, order: Any) -> None:
    rows, at = session
    parts = cut(rows, at)
    order.shuffle(parts)
    assert reduce(merge, parts) == summary_of(rows)


@given(session=sessions)
def test_merging_is_associative_and_nothing_changes_nothing(session: Any) -> None:
    rows, at = session
    one, two, three = (*cut(rows, at), Summary(), Summary(), Summary())[:3]
    rest = reduce(merge, (*cut(rows, at), Summary(), Summary(), Summary())[3:], Summary())
    assert merge(merge(one, two), merge(three, rest)) == merge(one, merge(merge(two, three), rest))
    assert merge(summary_of(rows), Summary()) == merge(Summary(), summary_of(rows)) == summary_of(rows)


@given(session=sessions)
def test_the_blocks_are_those_of_the_rows(session: Any) -> None:
    rows, at = session
    block, legacy, new = (np.array([row[n] for row in rows], np.int64) for n in range(3))
    first = np.array([row[3] for row in rows], np.bool_)
    wanted = balanced_median_blocks(block, np.log(new / legacy), first, 12, MIN_PAIRS)
    found = reduce(merge, cut(rows, at)).as_blocks(12)
    assert found.index.tolist() == wanted.index.tolist()
    assert found.y.tolist() == wanted.y.tolist()
    assert (found.pairs.tolist(), found.skipped) == (wanted.pairs.tolist(), wanted.skipped)


@given(values=st.lists(st.integers(1, 10**9), min_size=1, max_size=60), p=st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_off_by_less_than_a_cell(values: list[int], p: float) -> None:
    rows = [(0, value, value, True, "MATCH") for value in values]
    exact = sorted(values)[max(1, int(np.ceil(p * len(values)))) - 1]
    assert quantile(summary_of(rows).cells["new"], p) == pytest.approx(exact, rel=0.0021)


def test_a_block_that_was_cut_is_refused() -> None:
    half = summary_of([(3, 100, 120, True, "MATCH")] * MIN_PAIRS)
    with pytest.raises(ValueError, match="two stretches hold block 3"):
        merge(half, half)
    with pytest.raises(ValueError, match="quantile of nothing"):
        quantile({}, 0.5)
