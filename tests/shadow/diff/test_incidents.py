"""Silence, deaths, errors, states: incidents counted beside the events."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.diff.codes import LegDiff

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
MS = 1_000_000


def incidents(diff: LegDiff) -> set[tuple[str, str, str]]:
    return {(item.code, item.side, item.field) for item in diff.differences}


def long_silence(scene: Any, role: str, connection: str = GATEIO) -> None:
    for _ in range(30):
        scene.now += 100 * MS
        scene.step(connection, silent=(role,))


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_a_side_that_falls_silent_is_stale_and_missing(scene: Any, role: str) -> None:
    long_silence(scene, role)
    found = incidents(scene.judge())
    assert {code for code, _, _ in found} == {"STALE", "MISSING", "GAP"}
    assert {side for _, side, _ in found} == {role}


def test_a_side_that_was_silent_from_its_ack_on_is_stale(scene: Any) -> None:
    scene.lines["new"] = [line for line in scene.lines["new"] if line["k"] == "state"]
    scene.now += 2500 * MS
    scene.step(GATEIO, silent=("new",))
    stale = [item for item in scene.judge().differences if item.code == "STALE"]
    assert {(item.connection, item.side, item.severity) for item in stale} == {(GATEIO, "new", "critical")}


def test_a_quiet_venue_is_no_silence_of_a_side(scene: Any) -> None:
    scene.now += 60_000 * MS
    scene.step(GATEIO)
    assert scene.judge().differences == []


def test_a_stream_sent_to_one_side_only_is_stale_for_the_other(scene: Any) -> None:
    scene.now += 3000 * MS
    scene.step(MEXC)
    keep = {row["frame_no"] for row in scene.frames if (row["connection"], row["channel"]) != (MEXC, "trade")}
    scene.sends = [row for row in scene.sends if row["subject"] == "legacy" or row["frame_no"] in keep]
    scene.lines["new"] = [line for line in scene.lines["new"] if (line["c"], line.get("type")) != (MEXC, "trade")]
    assert incidents(scene.judge()) == {("STALE", "new", "not subscribed")}


def deliver_late(scene: Any, upto: int, *types: str, begin: int = 0) -> None:
    """The new side hands on what it was sent between two times at the later one, in order."""
    for line in scene.lines["new"]:
        if line["k"] == "event" and line["type"] in types and begin <= line["t"] < upto:
            line["t"], line["read"] = upto, upto + MS
    scene.lines["new"].sort(key=lambda line: line["read"])


def run_on(scene: Any, rounds: int, step_ms: int = 100) -> int:
    """So many rounds more; returns when they began."""
    begin: int = scene.now
    for _ in range(rounds):
        scene.now += step_ms * MS
        scene.step(GATEIO)
    return begin


@pytest.mark.parametrize("types", [("ticker",), ("trade", "book_ticker"), ("book", "trade", "book_ticker", "ticker")])
def test_a_silence_is_stale_though_all_that_was_owed_came_later(scene: Any, types: tuple[str, ...]) -> None:
    begin = run_on(scene, 40)
    deliver_late(scene, scene.now + 20 * MS, *types, begin=begin)
    run_on(scene, 3)
    diff = scene.judge()
    assert {(item.code, item.side, item.connection, item.type, item.severity) for item in diff.differences} == {
        ("STALE", "new", GATEIO, kind, "critical") for kind in types
    }
    assert diff.totals["new"]["codes"].keys() == {"MATCH"}


def test_a_delay_shorter_than_t_is_no_silence(scene: Any) -> None:
    begin = run_on(scene, 15)
    deliver_late(scene, scene.now + 20 * MS, "ticker", begin=begin)
    assert scene.judge().differences == []


def test_what_waits_behind_a_backlog_that_is_worked_off_is_no_silence(scene: Any) -> None:
    """A flood of books and trades takes four seconds; the tickers that were sent behind it come behind it."""
    begin = scene.now
    flood = {no for _ in range(80) for no in scene.step(GATEIO)}
    flood = {row["frame_no"] for row in scene.frames if row["channel"] in ("ticker", "book_ticker")} & flood
    scene.sends = [row for row in scene.sends if row["frame_no"] not in flood]
    for role, lines in scene.lines.items():
        scene.lines[role] = [
            line for line in lines if line["t"] < begin or line.get("type") not in ("ticker", "book_ticker")
        ]
    behind = run_on(scene, 40, 75)
    end = begin
    for line in scene.lines["new"]:
        if line["k"] == "event" and line["c"] == GATEIO and line["t"] >= begin:
            line["t"] = end = max(line["t"], end + (30 if line["t"] < behind else 1) * MS)
            line["read"] = line["t"] + MS
    late = [line["t"] for line in scene.events("new", GATEIO, "ticker") if line["t"] >= behind]
    assert late[0] - behind > 3000 * MS
    assert scene.judge().differences == []


def test_a_machine_that_stands_still_makes_nobody_stale(scene: Any) -> None:
    scene.step(GATEIO)
    stopped = scene.now
    for role in ("legacy", "new"):
        for line in [line for line in scene.lines[role] if line["k"] == "event" and line["c"] == GATEIO][-5:]:
            line["t"], line["read"] = stopped + 5000 * MS, stopped + 5001 * MS
    scene.now += 5000 * MS
    run_on(scene, 5)
    assert scene.judge().differences == []


def test_updates_that_wait_for_a_book_to_be_rebuilt_are_no_silence(scene: Any) -> None:
    scene.step(GATEIO, to=("legacy",))
    scene.rebuild("new", GATEIO)
    whole = scene.lines["new"].pop()
    begin = run_on(scene, 30)
    end = scene.now + 20 * MS
    held = [line for line in scene.events("new", GATEIO, "book") if line["t"] >= begin]
    scene.lines["new"] = [line for line in scene.lines["new"] if not any(line is other for other in held)]
    scene.lines["new"] += [{**line, "t": end, "read": end + MS} for line in (whole, *held)]
    run_on(scene, 3)
    assert scene.judge().differences == []


@pytest.mark.parametrize("kind", ["internal", "callback", "decode"])
def test_raised_errors_are_exc(scene: Any, kind: str) -> None:
    scene.lines["new"].append({"k": "error", "c": GATEIO, "t": 1, "kind": kind, "message": "boom", "read": 2})
    assert incidents(scene.judge()) == {("EXC", "new", kind)}


@pytest.mark.parametrize("kind", ["exception", "", "Callback", None, ["auth"]])
def test_an_error_of_a_kind_that_there_is_none_of_is_exc(scene: Any, kind: Any) -> None:
    line = {"k": "error", "c": GATEIO, "t": 1, "kind": kind, "message": "ValueError: consumer raised", "read": 2}
    scene.lines["new"] += [line] * 4
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity, item.count) == (
        "EXC", "new", "unknown kind", "critical", 4
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["connect", "auth", "subscribe"])
def test_typed_connection_errors_are_none(scene: Any, kind: str) -> None:
    scene.lines["new"].append({"k": "error", "c": GATEIO, "t": 1, "kind": kind, "message": "refused", "read": 2})
    assert scene.judge().differences == []


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_a_failed_subject_is_exc_once_with_its_reason(scene: Any, role: str) -> None:
    scene.mark("subject-failed", role, reason="died", text="signal 9")
    scene.mark("subject-exit", role, code=-9, signal="SIGKILL")
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity, item.count) == ("EXC", role, "died", "critical", 1)


def test_an_exit_with_a_code_is_exc_and_a_clean_one_is_not(scene: Any) -> None:
    scene.mark("subject-exit", "new", code=0, signal=None)
    assert scene.judge().differences == []
    scene.mark("subject-exit", "legacy", code=1, signal=None)
    assert incidents(scene.judge()) == {("EXC", "legacy", "died")}


@pytest.mark.parametrize(
    ("states", "field"),
    [
        (["closed", "connected"], "closed to connected"),
        (["disconnected", "subscribed"], "disconnected to subscribed"),
        (["flying"], "subscribed to unknown state"),
    ],
)
def test_illegal_states(scene: Any, states: list[str], field: str) -> None:
    scene.state("new", GATEIO, *states)
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity) == ("LIFECYCLE", "new", field, "critical")


def test_reconnecting_and_closing_are_legal(scene: Any) -> None:
    for states in (
        ["reconnecting", "connecting", "connected", "subscribed"],
        ["error", "reconnecting"],
        ["closed"] * 2,
    ):
        scene.state("new", GATEIO, *states)
    assert scene.judge().differences == []


def test_lines_that_are_no_protocol_are_log(scene: Any) -> None:
    scene.lines["new"].append({"hello": "world", "read": 1})
    scene.lines["new"].append({"k": "log", "text": "x", "read": 1})
    assert scene.judge().differences == []


def test_a_subject_that_a_fault_kept_from_subscribing_did_not_fail(scene: Any) -> None:
    scene.mark("subject-failed", "new", reason="no-subscription", text=GATEIO)
    assert incidents(scene.judge()) == {("EXC", "new", "no-subscription")}
    row = {"t": 1, "leg": "main", "role": "new", "name": "fault"}
    scene.marks.append(row | {"detail": f'{{"kind": "refuse-subscribe", "connection": "{GATEIO}", "role": "new"}}'})
    assert scene.judge().differences == []
