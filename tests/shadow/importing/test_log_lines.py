"""A log's lines: what is read, and for each bad one the line's number and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.errors import UsageError
from shadow.importing.log_lines import Kind, Line, read_log

Write = Callable[[Sequence[dict[str, Any] | bytes]], Path]
Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
SPOT, FUTURES, PRIVATE = "gateio.spot.public", "gateio.futures.public", "gateio.spot.private"
GOOD: dict[str, Any] = {"connection": SPOT, "t_ns": 5_000_000, "text": "{}"}


def without(name: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name} | more


def test_every_line_is_read_as_what_it_is(write_log: Write) -> None:
    lines = [
        GOOD,
        without("t_ns", t_ms=7.25, direction="in"),
        without("text", base64="AAEC", t_ns=8_000_000),
        GOOD | {"direction": "out"},
        GOOD | {"rest": "http://x/?a=b"},
        b"",
    ]
    assert list(read_log(write_log(lines))) == [
        Line(1, Kind.FRAME, SPOT, 5_000_000, b"{}"),
        Line(2, Kind.FRAME, SPOT, 7_250_000, b"{}"),
        Line(3, Kind.FRAME, SPOT, 8_000_000, b"\0\1\2", is_text=False),
        Line(4, Kind.SENT, SPOT, 5_000_000, b"{}"),
        Line(5, Kind.REST, SPOT, 5_000_000, b"{}", url="http://x/?a=b"),
        Line(6, Kind.BLANK),
    ]


def test_one_connection_is_picked_and_nameless_lines_are_its_own(write_log: Write) -> None:
    lines = [GOOD | {"connection": FUTURES}, without("connection"), GOOD, GOOD | {"connection": PRIVATE}]
    found = list(read_log(write_log(lines), SPOT))
    assert [line.kind for line in found] == [Kind.OTHER, Kind.FRAME, Kind.FRAME, Kind.OTHER]
    assert {line.connection for line in found if line.kind is Kind.FRAME} == {SPOT}


@pytest.mark.parametrize(
    ("bad", "says", "way_out"),
    [
        (b"{", "truncated", "write one JSON object"),
        (b"[1]", "object", "write one JSON object"),
        (b"\xff", "invalid", "write one JSON object"),
        (b'{"text":"\xff"}', "UTF-8", "base64"),
        (b"[" * 5000, "", "write one JSON object"),
        (GOOD | {"conection": "x"}, "conection", "write one JSON object"),
        (without("connection"), "no connection", "--connection"),
        (GOOD | {"connection": "spot"}, "unknown connection 'spot'", SPOT),
        (GOOD | {"connection": FUTURES}, f"of {FUTURES}", "--connection"),
        (without("t_ns"), "no time", "t_ns or t_ms"),
        (GOOD | {"t_ms": 5}, "two times", "t_ns or t_ms"),
        (GOOD | {"t_ns": -1}, "no clock", "nanoseconds"),
        (GOOD | {"t_ns": 1 << 70}, "no clock", "milliseconds"),
        (without("t_ns", t_ms=1.79e18), "no clock", "milliseconds"),
        (without("t_ns", t_ms=1e300), "no clock", "milliseconds"),
        (without("t_ns", t_ms=1e306), "no clock", "milliseconds"),
        (GOOD | {"t_ns": 4_999_999}, "before the frame above", "never goes back"),
        (GOOD | {"t_ns": 1.5}, "t_ns", "t_ms"),
        (GOOD | {"direction": "up"}, "direction", "write one JSON object"),
        (without("text"), "no payload", "base64"),
        (GOOD | {"base64": "AAEC"}, "two payloads", "base64"),
        (without("text", base64="A!"), "base64", "write one JSON object"),
        (GOOD | {"text": "\ud800"}, "truncated", "write one JSON object"),
        (GOOD | {"text": "\ud800 and more"}, "surrogate", "write one JSON object"),
    ],
)
def test_a_bad_line_is_named_with_the_way_out(write_log: Write, bad: Any, says: str, way_out: str) -> None:
    path = write_log([GOOD, b"", bad, GOOD])
    with pytest.raises(UsageError) as caught:
        list(read_log(path))
    text = str(caught.value)
    assert text.startswith(f"{path}, line 3: ")
    assert "\n" not in text
    wrong, _, instead = text.removeprefix(f"{path}, line 3: ").partition("; ")
    assert says in wrong
    assert way_out in instead


def test_a_private_connection_is_refused_unless_another_is_picked(write_log: Write) -> None:
    path = write_log([GOOD | {"connection": PRIVATE}, GOOD])
    with pytest.raises(UsageError, match=r"line 1: gateio\.spot\.private is private.*--connection"):
        list(read_log(path))
    assert [line.kind for line in read_log(path, SPOT)] == [Kind.OTHER, Kind.FRAME]


def test_a_complaint_holds_no_secret_and_no_control_character(write_log: Write) -> None:
    path = write_log([GOOD | {"connection": "token=hunter22 \x1b[2J"}])
    with pytest.raises(UsageError) as caught:
        list(read_log(path))
    assert "hunter22" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.jsonl: No such file"):
        list(read_log(tmp_path / "no.jsonl"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_line_is_read_or_refused_in_one_sentence(write_log: Write, hostile: Hostile, data: st.DataObject) -> None:
    path = write_log([data.draw(hostile([json.dumps(GOOD).encode()])).replace(b"\n", b" ")])
    try:
        lines = list(read_log(path))
    except UsageError as error:
        refusal = str(error)
    else:
        assert all(0 <= line.at_ns < 1 << 63 for line in lines)
        return
    assert "\n" not in refusal
    assert str(path) in refusal
