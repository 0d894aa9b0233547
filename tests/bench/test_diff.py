"""The judge's bench does the whole job on both sides, and says when one of them does not."""

from __future__ import annotations

import pytest

from bench.diff import JOBS, Figures, Job, joins, measure, row


@pytest.mark.parametrize("job", JOBS, ids=[job.what for job in JOBS])
def test_the_judge_and_lean_find_every_event_equal(job: Job) -> None:
    figures = measure(job, count=96, repetitions=2)
    assert figures.events >= 96
    assert len(figures.judge) == len(figures.lean) == 2
    assert min(*figures.judge, *figures.lean) > 0


def test_a_contender_that_leaves_an_event_out_ends_the_bench() -> None:
    lazy = Job("lazy", 1, lambda events: (joins(events)[0], lambda: len(events) - 1), ("trade",))
    with pytest.raises(AssertionError, match="lazy: 7 of 8"):
        measure(lazy, count=8, repetitions=1)


def test_a_row_is_of_the_rounds_own_ratios() -> None:
    job = Job("x", 2_000_000, joins, ())
    found = row(job, Figures([1000, 2000, 4000], [500, 1500, 1000], 2))
    assert found == {
        "job": "x", "per_s": 1_000_000, "lean_per_s": 2_000_000, "of_lean": 0.5, "goal_per_s": 2_000_000, "met": False,
    }  # fmt: skip
    assert row(job._replace(goal=1_000_000), Figures([1000], [500], 1))["met"]
