"""Which differences are to be shown again, and which frames belong to one."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.capture.reader import RunData
from shadow.capture.tables import COLUMNS, schema
from shadow.diff.reproduce import Wanted, held_here, recording_of, wanted_of, windows

GATEIO = "gateio.spot.public"
MS = 1_000_000


def difference(**more: Any) -> dict[str, Any]:
    row = {"code": "FIELD", "side": "new", "severity": "critical", "connection": GATEIO, "type": "trade", "count": 1}
    sample = {"frame_no": 3, "delivered": {"t": 5 * MS}}
    return {**row, "symbol": "BTC_USDT", "field": "price:value", "leg": "main", "sample": json.dumps(sample), **more}


@pytest.fixture
def run(tmp_path: Path) -> RunData:
    """Two connection numbers of ten frames each to new, the third frame of the first one twice; some to legacy."""
    blank: dict[str, Any] = {"leg": "main", "connection": GATEIO, "kind": "ws", "channel": "trade"}
    blank |= {"symbol": "BTC_USDT", "first": None, "last": None, "is_text": True, "fault": ""}
    frames = [blank | {"frame_no": no, "payload": b"frame %d" % no} for no in range(1, 21)]
    for no, version in ((21, 7), (22, 8)):
        book = {"frame_no": no, "kind": "rest", "channel": "book", "payload": b"book %d" % version}
        frames.append(blank | book)
    order = [1, 2, 3, 3, *range(4, 21)]
    sends = [(no, "new", 1 if no <= 10 else 2, 10 * at) for at, no in enumerate(order, 1)]
    sends += [(no, "legacy", 1, 10 * no + 1) for no in range(1, 21)] + [(21, "new", 0, 5), (22, "new", 0, 115)]
    rows = [
        dict(zip(COLUMNS["sends"], (no, "main", role, GATEIO, conn, t * MS, True, False, -1), strict=True))
        for no, role, conn, t in sends
    ]
    opened = [
        dict(
            zip(COLUMNS["connections"], (t * MS, "main", "new", GATEIO, no, "open", "", "", None, "", ""), strict=True)
        )
        for no, t in ((1, 1), (2, 112))
    ]
    for table, content in (("frames", frames), ("sends", rows), ("connections", opened)):
        pq.write_table(pa.Table.from_pylist(content, schema=schema(table)), tmp_path / f"{table}.parquet")
    return RunData(tmp_path)


def write_differences(run: RunData, *rows: dict[str, Any]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), Path(run) / "differences.parquet")


def wanted(**more: Any) -> Wanted:
    return Wanted(**{**WANTED, **more})


WANTED: dict[str, Any] = {
    name: value for name, value in difference().items() if name not in ("leg", "sample")
} | {"frame_no": 3, "t": None}  # fmt: skip


def test_the_gravest_come_first_and_the_most_frequent_of_them(run: RunData) -> None:
    rows = [
        difference(code="DUP", severity="major", count=9),
        difference(count=2, field="side:sign"),
        difference(count=5),
    ]
    write_differences(run, *rows)
    assert [(one.code, one.count) for one in wanted_of(run)] == [("FIELD", 5), ("FIELD", 2), ("DUP", 9)]


def test_only_what_new_is_blamed_for_in_the_main_leg_counts(run: RunData) -> None:
    others = [difference(side="legacy"), difference(leg="aa1"), difference(severity="info")]
    write_differences(run, *others, difference(side="both", code="MISSING"))
    assert [(one.code, one.side) for one in wanted_of(run)] == [("MISSING", "both")]


def test_of_several_symbols_the_one_with_evidence_is_taken(run: RunData) -> None:
    write_differences(run, difference(symbol="AAA", sample=""), difference(symbol="BBB"))
    (one,) = wanted_of(run)
    assert (one.symbol, one.frame_no, one.t, one.count) == ("BBB", 3, 5 * MS, 2)


def test_the_frames_are_those_of_the_connection_number_in_order_of_sending(run: RunData) -> None:
    recording = recording_of(run, wanted(frame_no=12))
    assert [frame.payload for frame in recording.frames] == [b"frame %d" % no for no in range(11, 21)]
    assert recording.frames[recording.focus].payload == b"frame 12"
    assert recording.cut == 0


def test_a_frame_that_was_sent_twice_is_marked_as_a_copy(run: RunData) -> None:
    frames = recording_of(run, wanted()).frames
    assert [(frame.payload, frame.fault) for frame in frames][1:5] == [
        (b"frame 2", ""),
        (b"frame 3", ""),
        (b"frame 3", "duplicate"),
        (b"frame 4", ""),
    ]


@pytest.mark.parametrize(("t", "payload"), [(75 * MS, b"frame 6"), (1, b"frame 20"), (None, b"frame 20")])
def test_without_a_frame_number_the_time_says_where(run: RunData, t: int | None, payload: bytes) -> None:
    recording = recording_of(run, wanted(frame_no=-1, t=t))
    assert recording.frames[recording.focus].payload == payload


@pytest.mark.parametrize(("frame_no", "payload"), [(3, b"book 7"), (12, b"book 8")])
def test_the_rest_book_is_the_first_one_since_the_connection_began(run: RunData, frame_no: int, payload: bytes) -> None:
    assert recording_of(run, wanted(frame_no=frame_no)).books == [("BTC_USDT", payload)]


def test_a_connection_without_frames_has_no_recording(run: RunData) -> None:
    assert recording_of(run, wanted(connection="mexc.spot.public")).frames == []


def test_a_field_that_either_side_has_may_not_be_null(run: RunData) -> None:
    for role, ids in (("legacy", ["1", "2"]), ("new", [None, None])):
        lines = [{"k": "event", "c": GATEIO, "type": "trade", "symbol": "BTC_USDT", "t": 1, "id": each} for each in ids]
        rows = [
            {"leg": "main", "n": n, "t_read": 1, "body": json.dumps(one).encode()}
            | {name: one[name] for name in ("k", "c", "type", "symbol", "t")}
            for n, one in enumerate(lines)
        ]
        (Path(run) / "events").mkdir(exist_ok=True)
        pq.write_table(
            pa.Table.from_pylist(rows, schema=schema(f"events/{role}")), Path(run) / "events" / f"{role}.parquet"
        )
    assert held_here(run, GATEIO) == {"trade": ["id"]}
    assert held_here(run, "mexc.spot.public") == {}


@given(st.integers(1, 3000), st.data())
def test_stretches_grow_around_the_focus_up_to_the_whole(count: int, data: st.DataObject) -> None:
    focus = data.draw(st.integers(0, count - 1))
    found = list(windows(count, focus))
    assert found[0] == (focus, focus + 1)
    assert found[-1] == (0, count)
    assert len(found) == len(set(found))
    for (begin, end), (wider_begin, wider_end) in pairwise(found):
        assert wider_begin <= begin <= focus < end <= wider_end
