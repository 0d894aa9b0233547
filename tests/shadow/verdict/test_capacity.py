"""The ceiling of each side follows from what was written, what came, and how late it was at the end of a step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from shadow.diff.codes import Matches
from shadow.verdict.capacity import Step, capacity_metric, steps_of
from shadow.verdict.timeline import Phase

MS = 1_000_000
ROLES = ("legacy", "new")


def step(asked: int, *, lost: int = 0, lag_ms: float = 1.0, written: float | None = None) -> Step:
    return Step(asked, asked if written is None else written, 1000, 1000 - lost, lag_ms * MS)


def metric(legacy: list[Step], new: list[Step]) -> Any:
    return capacity_metric({"legacy": legacy, "new": new}, ROLES, 1.10)


def test_the_ceiling_is_the_last_step_before_the_first_that_did_not_hold() -> None:
    late = [step(1000), step(2000, lag_ms=250), step(3000)]
    found = metric(late, [step(1000), step(2000), step(3000, lost=2)])
    assert (found.legacy, found.new) == (1000, 2000)
    assert found.census.verdict == "NOT_JUDGED"
    assert found.census.note == "lost 2 of 1000 at 3000/s"


def test_a_side_never_keeps_up_with_more_than_was_written() -> None:
    found = metric([step(1000)], [step(1000), step(2000, written=1600.0)])
    assert found.new == 1600.0
    assert found.census.note.endswith("higher, no more could be written here")
    assert metric([step(1000)], [step(1000)]).census.note.endswith("higher")


@pytest.mark.parametrize(("new", "verdict"), [(1900.0, "NOT_JUDGED"), (1800.0, "HOLD"), (1000.0, "HOLD")])
def test_keeping_up_with_less_than_legacy_by_more_than_the_margin_is_hold(new: float, verdict: str) -> None:
    found = metric([step(1000), step(2000)], [step(1000), step(2000, written=new)])
    assert found.census.verdict == verdict


@pytest.mark.parametrize("new", [[], [step(1000, lost=1)]])
def test_a_candidate_that_keeps_up_with_nothing_is_hold(new: list[Step]) -> None:
    found = metric([step(1000)], new)
    assert (found.new, found.census.verdict) == (None, "HOLD")


class Run:
    """Tables of 20 frames at 1 ms distance to each side; the last is no data frame."""

    def table(self, name: str) -> pa.Table:
        numbers = list(range(20))
        if name == "frames":
            return pa.table({"frame_no": numbers, "kind": ["ws"] * 19 + ["control"]})
        rows = [(n, "main", side, n * MS) for n in numbers for side in ROLES]
        return pa.table(
            dict(zip(("frame_no", "leg", "subject", "t_sent"), map(list, zip(*rows, strict=True)), strict=True))
        )


def matches(frames: range, lag: int) -> Matches:
    import numpy as np

    sent = np.array(frames, np.int64) * MS
    none = np.zeros(len(sent), np.int64)
    return Matches(sent // MS, none, none, none, sent, sent + lag, none == 0, none == 1, none - 1)  # type: ignore[arg-type]


def test_steps_are_counted_from_the_tables() -> None:
    sides = {"legacy": matches(range(19), 5 * MS), "new": matches(range(1, 19), 200 * MS)}
    diff: Any = SimpleNamespace(roles=ROLES, matches=sides)
    phases = [Phase("main", "warm-up", 0, 4 * MS), Phase("main", "capacity-1000", 10 * MS, 30 * MS)]
    found = steps_of(Run(), diff, phases)  # type: ignore[arg-type]
    assert found == {
        "legacy": [Step(1000, 1000.0, 9, 9, 5.0 * MS)],
        "new": [Step(1000, 1000.0, 9, 9, 200.0 * MS)],
    }
    assert [side[0].held for side in found.values()] == [True, False]
    diff.matches["new"] = matches(range(1, 18), MS)
    assert steps_of(Run(), diff, phases)["new"][0].delivered == 8  # type: ignore[arg-type]
