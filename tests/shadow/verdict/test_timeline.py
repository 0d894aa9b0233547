"""Marks as phases."""

from __future__ import annotations

import pytest

from shadow.verdict.timeline import Phase, read_marks


def mark(t: int, name: str, role: str = "", phase: str = "") -> dict[str, object]:
    return {"t": t, "leg": "main", "role": role, "name": name, "detail": f'{{"phase":"{phase}"}}' if phase else "{}"}


@pytest.mark.parametrize("ended", [True, False], ids=["ended behind it", "left open"])
def test_a_phase_that_is_cut_off_ends_where_the_first_side_is_told_to_stop(ended: bool) -> None:
    marks = [
        mark(1, "phase-begin", phase="paired"),
        mark(5, "subject-stop", "legacy"),
        mark(6, "subject-stop", "new"),
        mark(9, "phase-end", phase="paired") if ended else mark(9, "leg-end"),
    ]
    assert read_marks(marks).phases == [Phase("main", "paired", 1, 5)]


def test_a_phase_that_ran_to_its_end_keeps_it() -> None:
    marks = [
        mark(1, "phase-begin", phase="paired"),
        mark(4, "phase-end", phase="paired"),
        mark(5, "subject-stop", "new"),
        mark(9, "leg-end"),
    ]
    assert read_marks(marks).phases == [Phase("main", "paired", 1, 4)]
