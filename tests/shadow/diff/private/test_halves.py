"""A leg compared in two halves of its connections is the leg compared as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadow.capture.writer import SegmentWriter
from shadow.diff.codes import LegDiff, Matches
from shadow.verdict.halves import Half, joined

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"


def half(scene: Any, *names: str) -> LegDiff:
    found = scene.copy()
    for table in ("frames", "sends", "connections"):
        setattr(found, table, [row for row in getattr(scene, table) if row["connection"] in names])
    found.lines = {role: [row for row in rows if row["c"] in names] for role, rows in scene.lines.items()}
    return found.judge()


def test_two_halves_are_the_whole(scene: Any) -> None:
    whole, one = scene.judge(), joined([half(scene, SPOT, MEXC), half(scene, FUTURES)])
    assert one is not None
    for name in LegDiff.__struct_fields__:
        if name not in ("matches", "first_arrival", "ends"):
            assert getattr(one, name) == getattr(whole, name), name
    for role, side in whole.matches.items():
        assert [name for name in Matches.__struct_fields__ if not same(side, one.matches[role], name)] == []
        assert (one.ends[role].books, one.ends[role].accounts) == (whole.ends[role].books, whole.ends[role].accounts)
    for ours, theirs in zip(one.first_arrival, whole.first_arrival, strict=True):
        assert (ours.connection, ours.lead_ns.tolist()) == (theirs.connection, theirs.lead_ns.tolist())


def same(one: Matches, other: Matches, name: str) -> bool:
    a, b = getattr(one, name), getattr(other, name)
    return a.dtype == b.dtype and bool(np.array_equal(a, b))


def test_where_something_differs_they_say_nothing(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", FUTURES, "fill")[4])
    assert joined([half(scene, SPOT, MEXC), half(scene, FUTURES)]) is None


@pytest.mark.parametrize("is_rest", [False, True])
def test_each_row_is_in_one_half_and_marks_are_in_both(tmp_path: Path, is_rest: bool) -> None:
    sends, marks = SegmentWriter(tmp_path, "sends"), SegmentWriter(tmp_path, "marks")
    events = SegmentWriter(tmp_path, "events/new")
    for number, name in enumerate((SPOT, FUTURES, "")):
        sends.append((number, "main", "new", name, 1, number, True, False, -1))
        events.append(("main", number, "event", name, "order", "A", number, number, b"{}"))
    marks.append((1, "main", "new", "burst", "{}"))
    for sink in (sends, marks, events):
        sink.close()
    run = Half(tmp_path, [SPOT], is_rest=is_rest)
    mine = [1, 2] if is_rest else [0]
    assert run.part("sends", ("frame_no",), "main")["frame_no"].to_pylist() == mine
    assert run.part("events/new", ("n",), "main")["n"].to_pylist() == mine
    assert run.part("marks", ("t",), "main").num_rows == 1
