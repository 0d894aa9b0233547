"""Segments that grow: each whole batch is given once, a torn tail when its rest has come."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from shadow.capture.writer import SegmentWriter
from shadow.online.grown import Grown
from shadow.online.rest import come_late
from shadow.online.snapshot import PATIENCE_NS, SETTLE_NS, Snapshot

S = 1_000_000_000


def mark(t: int, name: str = "burst", role: str = "") -> tuple[object, ...]:
    return t, "main", role, name, "{}"


def times(batches: list[pa.RecordBatch]) -> list[list[int]]:
    return [batch["t"].to_pylist() for batch in batches]


def test_a_segment_that_is_cut_anywhere_gives_its_whole_batches_once(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    sink = SegmentWriter(whole, "marks")
    for t in (1, 2, 3):
        sink.append(mark(t))
        sink.flush()
    sink.close()
    data = (whole / "marks" / "000001.arrows").read_bytes()
    part = tmp_path / "run" / "marks"
    part.mkdir(parents=True)
    grown, seen = Grown(tmp_path / "run"), []
    for length in range(0, len(data) + 1, 8):
        (part / "000001.arrows").write_bytes(data[:length])
        seen += times([batch.rows for batch in grown.read()["marks"]])
    assert seen == [[1], [2], [3]] == times(grown.batches("marks"))


def test_the_next_segment_is_read_on_and_old_batches_can_be_left_out(tmp_path: Path) -> None:
    sink, grown = SegmentWriter(tmp_path, "marks"), Grown(tmp_path)
    for t in (1, 2):
        sink.append(mark(t))
        sink.close()
        assert times([batch.rows for batch in grown.read()["marks"]]) == [[t]]
    assert times(grown.batches("marks", after=1)) == [[2]]
    assert grown.newest("marks") == 2


def line(t: int, kind: str, c: str = "x") -> tuple[object, ...]:
    return "main", t, kind, c, "trade", "A", t, t, b"{}"


def test_what_is_no_event_stays_in_sight(tmp_path: Path) -> None:
    sink, grown = SegmentWriter(tmp_path, "events/new"), Grown(tmp_path)
    for rows in ([line(1, "hello"), line(2, "event")], [line(3, "event"), line(4, "state")]):
        for row in rows:
            sink.append(row)
        sink.flush()
    grown.read()
    assert times(grown.batches("events/new", after=2)) == [[1], [3, 4]]


def test_a_row_that_lies_in_what_is_settled_is_late(tmp_path: Path) -> None:
    sink, grown = SegmentWriter(tmp_path, "events/new"), Grown(tmp_path)
    for row in (line(1, "state", "a"), line(5, "event", "a"), line(5, "event", "b"), line(7, "event", "c")):
        sink.append(row)
    sink.flush()
    rows = pa.Table.from_batches([batch.rows for batch in grown.read()["events/new"]])
    assert come_late("events/new", rows, {"a": 4, "b": 5, "c": 6}) == {"b"}


@pytest.mark.parametrize(
    ("newest", "behind"), [(10 * S, SETTLE_NS), (10 * S - 700_000_000, 700_000_000), (5 * S, PATIENCE_NS)]
)
def test_a_look_ends_where_the_slowest_table_reaches_but_waits_for_none_for_long(
    tmp_path: Path, newest: int, behind: int
) -> None:
    (tmp_path / "session.json").write_text("{}")
    marks, events = SegmentWriter(tmp_path, "marks"), SegmentWriter(tmp_path, "events/new")
    sends = SegmentWriter(tmp_path, "sends")
    for row in (mark(1, "leg-begin"), mark(2, "subject-start", "new"), mark(3, "phase-begin")):
        marks.append(row)
    events.append(line(newest, "event"))
    sends.append((1, "main", "new", "x", 1, 10 * S, True, False, -1))
    for sink in (marks, events, sends):
        sink.flush()
    grown = Grown(tmp_path)
    grown.read()
    assert 10 * S - Snapshot(tmp_path, grown, 10 * S).end == behind
