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


@pytest.mark.parametrize("kind", ["internal", "callback", "decode"])
def test_raised_errors_are_exc(scene: Any, kind: str) -> None:
    scene.lines["new"].append({"k": "error", "c": GATEIO, "t": 1, "kind": kind, "message": "boom", "read": 2})
    assert incidents(scene.judge()) == {("EXC", "new", kind)}


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
