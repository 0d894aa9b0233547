"""What a fault allows is no difference; what it does not allow still is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
ROLES = ("legacy", "new")
MS = 1_000_000


def codes(diff: LegDiff) -> set[tuple[str, str, str]]:
    return {(item.code, item.side, item.type) for item in diff.differences}


def close(scene: Any, role: str, connection: str, code: int | None, cause: str) -> None:
    scene.note(role, connection, "close", code=code, cause=cause)
    scene.now += 5 * MS


def back(scene: Any, role: str, connection: str) -> None:
    scene.conn_no[role, connection] += 1
    scene.state(role, connection, "reconnecting", "connected", "subscribed")
    scene.subscribe(role, connection)
    scene.now += 5 * MS


def hold_back(scene: Any, connection: str, role: str) -> None:
    """A round that the venue sends to the other side only."""
    scene.step(connection, to=tuple(r for r in ROLES if r != role))


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
def test_frames_dropped_by_the_venue_are_owed_to_nobody(scene: Any, connection: str) -> None:
    for role in ROLES:
        hold_back(scene, connection, role)
    for _ in range(3):
        scene.step(connection)
    scene.rebuild("new", connection)
    scene.step(connection)
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["legacy"]["seeded"] == 3
    assert diff.totals["new"]["seeded"] == 0
    assert diff.conserved


def test_after_a_drop_the_rebuilt_book_must_still_be_right(scene: Any) -> None:
    hold_back(scene, GATEIO, "new")
    scene.step(GATEIO)
    scene.rebuild("new", GATEIO)
    scene.lines["new"][-1]["bids"][3][1] += 1
    scene.step(GATEIO)
    found = codes(scene.judge())
    assert found == {("FIELD", "new", "book"), ("STATE", "new", "book")}


def test_a_rebuilt_book_of_a_wrong_version_is_phantom(scene: Any) -> None:
    scene.rebuild("new", GATEIO)
    scene.lines["new"][-1]["last"] = 5
    assert codes(scene.judge()) == {("PHANTOM", "new", "book")}


def test_updates_within_a_first_rebuilt_book_are_conflated(fresh_scene: Callable[[int], Any]) -> None:
    scene = fresh_scene(0)
    scene.step(GATEIO, silent=("new",))
    scene.rebuild("new", GATEIO)
    for _ in range(3):
        scene.step(GATEIO)
    diff = scene.judge()
    assert diff.totals["new"]["codes"]["CONFLATED"] == 1
    assert not [item for item in diff.differences if item.type == "book"]


def test_a_hole_without_a_reason_that_a_rebuilt_book_covers_is_a_recovered_gap(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", GATEIO, "book")[-1])
    scene.rebuild("new", GATEIO)
    scene.step(GATEIO)
    diff = scene.judge()
    assert [(item.code, item.side, item.field, item.severity) for item in diff.differences] == [
        ("GAP", "new", "recovered", "major")
    ]
    assert diff.totals["new"]["codes"]["CONFLATED"] == 1


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
@pytest.mark.parametrize("deliver_copy", [True, False])
def test_copies_of_the_venue(scene: Any, connection: str, deliver_copy: bool) -> None:
    silent = () if deliver_copy else ROLES
    for no in scene.step(connection):
        row = scene.frames[no - 1]
        scene.push(connection, row["channel"], row["payload"], events_of(scene, connection, row), silent=silent, no=no)
    diff = scene.judge()
    wanted = {("DUP", "both", "trade")} if deliver_copy else set()
    assert codes(diff) == wanted
    assert diff.conserved


def events_of(scene: Any, connection: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The new side's last lines of the frame's type, as fields to be said again."""
    n = 2 if row["channel"] == "trade" and connection == MEXC else 1
    drop = ("k", "c", "t", "type", "symbol", "read")
    lines = scene.events("new", connection, row["channel"])[-n:]
    return [{key: value for key, value in line.items() if key not in drop} for line in lines]


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
@pytest.mark.parametrize("deliver_copy", [True, False])
def test_frames_of_two_connections_of_one_side_while_one_takes_over(
    scene: Any, connection: str, deliver_copy: bool
) -> None:
    for no in scene.step(connection):
        row = scene.frames[no - 1]
        events = events_of(scene, connection, row)
        scene.conn_no["new", connection] = 2
        silent = () if deliver_copy else ROLES
        scene.push(connection, row["channel"], row["payload"], events, to=("new",), silent=silent, no=no)
    diff = scene.judge()
    assert codes(diff) == ({("DUP", "new", "trade")} if deliver_copy else set())
    assert diff.conserved


@pytest.mark.parametrize("healed", [True, False])
def test_swapped_by_the_venue_may_come_in_either_order(scene: Any, healed: bool) -> None:
    scene.swap(GATEIO, healed)
    scene.rebuild("new", GATEIO)
    for _ in range(2):
        scene.step(GATEIO)
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"] == {"MATCH": 362 + 8 + 1 + 8}


def test_an_older_book_update_of_a_swap_may_be_left_out_and_an_older_trade_may_not(scene: Any) -> None:
    scene.swap(GATEIO, healed=False)
    for channel in ("book", "book_ticker", "trade"):
        scene.lines["new"].remove(scene.events("new", GATEIO, channel)[-1])
    scene.rebuild("new", GATEIO)
    scene.step(GATEIO)
    diff = scene.judge()
    assert codes(diff) == {("MISSING", "new", "trade")}
    assert diff.totals["new"]["codes"]["CONFLATED"] == 2


def test_corrupt_frames_excuse_one_decode_error_each(scene: Any) -> None:
    scene.rebuild("new", MEXC)
    for role in ROLES:
        no = scene.frame(MEXC, "trade", b"\x0a\x05ab", fault="corrupt")
        scene.send(role, MEXC, no)
        line = {"k": "error", "c": MEXC, "t": scene.now, "kind": "decode", "message": "cut", "read": scene.now + MS}
        scene.lines[role].append(line)
    assert scene.judge().differences == []
    scene.lines["new"].append(scene.lines["new"][-1])
    assert codes(scene.judge()) == {("EXC", "new", "")}


@pytest.mark.parametrize(
    ("code", "cause", "wanted"),
    [
        (1006, "connect-leg", "IN_FLIGHT"),
        (None, "fault:reset", "IN_FLIGHT"),
        (1006, "fault:halfopen", "IN_FLIGHT"),
        (1001, "connect-leg", "MISSING"),
        (1001, "planned", "MISSING"),
        (1000, "client", "MISSING"),
        (1006, "client", "MISSING"),
        (None, "client", "MISSING"),
    ],
)
def test_frames_behind_the_last_received_one(scene: Any, code: int | None, cause: str, wanted: str) -> None:
    scene.step(GATEIO, silent=("legacy",))
    close(scene, "legacy", GATEIO, code, cause)
    back(scene, "legacy", GATEIO)
    for _ in range(3):
        scene.step(GATEIO)
    diff = scene.judge()
    assert diff.totals["legacy"]["codes"][wanted] == 4
    assert diff.totals["new"]["codes"] == {"MATCH": 378}
    assert {side for _, side, _ in codes(diff)} <= {"legacy"}
    assert bool(diff.differences) == (wanted == "MISSING")


def test_a_frame_lost_before_one_that_was_received_is_missing_even_at_an_abnormal_close(scene: Any) -> None:
    scene.step(GATEIO, silent=("legacy",))
    scene.step(GATEIO)
    close(scene, "legacy", GATEIO, 1006, "connect-leg")
    back(scene, "legacy", GATEIO)
    scene.step(GATEIO)
    assert scene.judge().totals["legacy"]["codes"]["MISSING"] == 4


@pytest.mark.parametrize(
    ("code", "cause", "wait_ms", "wanted"),
    [
        (1006, "connect-leg", 1500, "IN_FLIGHT"),
        (1006, "connect-leg", 2500, "MISSING"),
        (None, "fault:reset", 2500, "MISSING"),
        (1006, "fault:halfopen", 60_000, "IN_FLIGHT"),
    ],
)
def test_what_was_sent_long_before_an_abnormal_close_was_not_on_its_way(
    scene: Any, code: int | None, cause: str, wait_ms: int, wanted: str
) -> None:
    scene.step(GATEIO, silent=("new",))
    scene.now += wait_ms * MS
    close(scene, "new", GATEIO, code, cause)
    back(scene, "new", GATEIO)
    scene.rebuild("new", GATEIO)
    for _ in range(3):
        scene.step(GATEIO)
    diff = scene.judge()
    assert diff.totals["new"]["codes"].get("IN_FLIGHT", 0) == (4 if wanted == "IN_FLIGHT" else 0)
    assert diff.totals["new"]["codes"].get("MISSING", 0) == (3 if wanted == "MISSING" else 0)
    assert {item.side for item in diff.differences} == ({"new"} if wanted == "MISSING" else set())


def test_a_side_that_goes_silent_and_aborts_its_own_socket_has_lost_what_it_was_sent(scene: Any) -> None:
    for _ in range(30):
        scene.now += 100 * MS
        scene.step(GATEIO, silent=("new",))
    close(scene, "new", GATEIO, 1006, "client")
    back(scene, "new", GATEIO)
    scene.rebuild("new", GATEIO)
    for _ in range(3):
        scene.step(GATEIO)
    found = codes(scene.judge())
    assert {(code, side) for code, side, _ in found} == {("MISSING", "new"), ("STALE", "new"), ("GAP", "new")}


def test_the_hole_between_close_and_resubscription_is_allowed(scene: Any) -> None:
    for role in ROLES:
        close(scene, role, GATEIO, 1001, "connect-leg")
        hold_back(scene, GATEIO, role)
        back(scene, role, GATEIO)
    scene.rebuild("new", GATEIO)
    for _ in range(3):
        scene.step(GATEIO)
    assert scene.judge().differences == []


def test_events_before_the_ack_and_behind_the_stop_are_edge(scene: Any) -> None:
    close(scene, "new", MEXC, 1001, "connect-leg")
    scene.conn_no["new", MEXC] += 1
    early = scene.step(MEXC, silent=("new",))
    scene.subscribe("new", MEXC)
    scene.now += MS
    for role in ROLES:
        scene.mark("subject-stop", role)
    scene.now += MS
    scene.step(GATEIO, silent=ROLES)
    scene.step(MEXC)
    diff = scene.judge()
    assert len(early) == 4
    assert diff.differences == []
    assert diff.totals["new"]["codes"]["EDGE"] == 5 + 4 + 5
    assert diff.totals["legacy"]["codes"]["EDGE"] == 4 + 5
    assert diff.conserved


def test_a_refusal_is_control_unless_a_fault_asked_for_it(scene: Any) -> None:
    scene.note("new", GATEIO, "refused", cause="fault:refuse-subscribe")
    assert scene.judge().differences == []
    scene.note("new", GATEIO, "refused", channel="book", symbol="BTC_USDT", cause="venue")
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity) == ("CONTROL", "new", "refused", "critical")


def test_rest_error_pages_are_no_book(scene: Any) -> None:
    scene.frame(GATEIO, "book", json.dumps({"label": "X"}).encode(), "rest")
    assert scene.judge().differences == []


def test_a_rebuilt_book_long_after_does_not_cover_a_lost_update(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", GATEIO, "book")[-1])
    scene.now += 6_000 * MS
    scene.rebuild("new", GATEIO)
    scene.step(GATEIO)
    found = codes(scene.judge())
    assert found == {("MISSING", "new", "book"), ("GAP", "new", "book")}


def test_a_strange_event_before_the_first_ack_is_edge_and_later_phantom(scene: Any) -> None:
    line = dict(scene.events("new", GATEIO, "trade")[0])
    early = {**line, "id": "7", "t": 5, "read": 6}
    scene.lines["new"].insert(0, early)
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"]["EDGE"] == 1
    early["t"] = early["read"] = line["t"]
    assert codes(scene.judge()) == {("PHANTOM", "new", "trade")}


@pytest.mark.parametrize("forged", [1, 2**62, -(2**62), None])
@pytest.mark.parametrize("changes", [{"id": "777"}, {"c": "binance.spot.public"}, {"type": "liquidation"}])
def test_an_invention_whose_own_time_claims_the_edge_is_phantom(
    scene: Any, forged: Any, changes: dict[str, str]
) -> None:
    line = scene.events("new", GATEIO, "trade")[20]
    scene.now += 100 * MS
    scene.mark("leg-end")
    scene.lines["new"].insert(scene.lines["new"].index(line) + 1, {**line, **changes, "t": forged})
    diff = scene.judge()
    assert {(item.code, item.side, item.count) for item in diff.differences} == {("PHANTOM", "new", 1)}
    assert "EDGE" not in diff.totals["new"]["codes"]


def test_a_strange_event_that_was_read_behind_the_stop_is_edge(scene: Any) -> None:
    line = scene.events("new", GATEIO, "trade")[20]
    scene.mark("leg-end")
    scene.lines["new"].append({**line, "id": "777", "t": scene.now + MS, "read": scene.now + 2 * MS})
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"]["EDGE"] == 1


@pytest.mark.parametrize(("roles", "sides"), [(("legacy", "new"), []), (("new",), ["new"])])
def test_what_the_exchange_behind_the_venue_refuses_both_blames_nobody(
    scene: Any, roles: tuple[str, ...], sides: list[str]
) -> None:
    for role in roles:
        scene.note(role, GATEIO, "refused", channel="book", symbol="BTC_USDT", cause="upstream")
    scene.note("new", MEXC, "refused", channel="book", symbol="BTCUSDT", cause="fault:refuse-subscribe")
    assert [(item.code, item.side) for item in scene.judge().differences] == [("CONTROL", side) for side in sides]
