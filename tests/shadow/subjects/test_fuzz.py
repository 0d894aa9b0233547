"""Hostile lines on both ends of the subject protocol: what a subject is told, and what it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.capture.intake import SubjectIntake
from shadow.capture.redact import Redactor
from shadow.diff.lines import read_lines
from shadow.subjects.protocol import Command, ConnectionSpec, StartLine, read_command, read_start, start_line

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
FUZZ = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SPEC = ConnectionSpec(
    "gateio.spot.private", "gateio", "spot", "private", "ws://x", "http://x", ("A_B",), ("order",), {"key": "k"}
)
START = start_line("run", "new", [SPEC], {"burn_ns": {"a": [1, {"b": 2.5}]}})
COMMANDS = [b'{"cmd":"subscribe","c":"gateio.spot.public","symbols":["A_B"]}', b'{"cmd":"stop"}']
EVENT = {"k": "event", "c": "gateio.spot.public", "t": 5, "type": "trade", "symbol": "A_B", "id": "1", "price": 1.5}
LINES = [
    json.dumps(EVENT).encode(),
    b'{"k":"error","c":"x","t":1,"kind":"decode","message":"no"}',
    b'{"k":"state","c":"x","t":1,"state":"connected"}',
    b'{"k":"bye","t":9,"emit_ns":4}',
]


@FUZZ
@given(data=st.data())
def test_a_line_to_a_subject_is_read_or_a_decode_error(hostile: Hostile, data: st.DataObject) -> None:
    line = data.draw(hostile([START, *COMMANDS]))
    for read, kind in ((read_start, StartLine), (read_command, Command)):
        try:
            assert isinstance(read(line), kind)
        except msgspec.DecodeError:
            pass
    assert read_start(START).connections == (SPEC,)


def test_nesting_without_end_and_half_characters_are_decode_errors() -> None:
    for junk in (b"[" * 100_000, b'{"cmd":"stop","x":' + b"[" * 100_000, b'{"cmd":"\xff"}', b"\xff"):
        for read in (read_start, read_command):
            try:
                read(junk)
            except msgspec.DecodeError:
                continue
            raise AssertionError(junk[:30])


@FUZZ
@given(data=st.data())
def test_every_line_of_a_subject_is_kept_and_the_next_good_one_is_an_event(
    hostile: Hostile, data: st.DataObject
) -> None:
    lines = data.draw(st.lists(hostile(LINES).map(lambda line: line.replace(b"\n", b" ")), min_size=1, max_size=5))
    lines = [line for line in lines if line] + [LINES[0]]
    intake = SubjectIntake("main", "new", Redactor(), lambda line: None)
    rows = intake.feed(b"\n".join(lines) + b"\n", 7)
    assert len(rows) == len(lines)
    assert Counter(row[2] for row in rows)["event"] == sum(intake.counts.values()) >= 1
    assert rows[-1][2] == "event"
    spoken = read_lines([(7, line) for line in lines], 100)
    assert spoken.events[-1].body == EVENT
