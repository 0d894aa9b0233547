"""What a fault allows on private streams is no difference; what it does not allow still is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
ROLES = ("legacy", "new")
MS = 1_000_000


def found(diff: LegDiff) -> Counter[tuple[str, str, str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in diff.differences:
        counts[item.code, item.side, item.field] += item.count
    return counts


def last_step(scene: Any, connection: str, channel: str) -> tuple[str, bytes, list[dict[str, Any]]]:
    """The last frame of a channel with its event as the new side said it."""
    row = next(row for row in reversed(scene.frames) if (row["connection"], row["channel"]) == (connection, channel))
    line = scene.events("new", connection, channel)[-1]
    fields = {name: value for name, value in line.items() if name not in ("k", "c", "t", "type", "symbol", "read")}
    return channel, row["payload"], [fields]


@pytest.mark.parametrize("connection", [SPOT, FUTURES, MEXC])
@pytest.mark.parametrize("channel", ["order", "fill", "balance"])
@pytest.mark.parametrize("how", ["the frame again", "another frame"])
@pytest.mark.parametrize("is_delivered", [True, False])
def test_copies_are_delivered_once(scene: Any, connection: str, channel: str, how: str, is_delivered: bool) -> None:
    step = last_step(scene, connection, channel)
    no = max(row["frame_no"] for row in scene.frames if row["payload"] == step[1]) if how == "the frame again" else None
    fault = "" if no else "twin-fill" if channel == "fill" else "duplicate"
    scene.send(connection, step, no=no, fault=fault, silent=() if is_delivered else ROLES)
    diff = scene.judge()
    assert found(diff) == ({("DUP", "both", ""): 1} if is_delivered else {})
    assert diff.totals["new"]["codes"]["CONFLATED"] == 1
    assert diff.conserved


def test_a_fill_sent_twice_without_a_fault_is_delivered_once_too(scene: Any) -> None:
    scene.send(SPOT, last_step(scene, SPOT, "fill"), silent=("new",))
    assert found(scene.judge()) == {("DUP", "legacy", ""): 1}


def test_of_a_copied_fill_one_must_come(scene: Any) -> None:
    step = last_step(scene, SPOT, "fill")
    scene.lines["new"].remove(scene.events("new", SPOT, "fill")[-1])
    scene.send(SPOT, step, silent=("new",), fault="twin-fill")
    diff = scene.judge()
    assert diff.totals["new"]["codes"]["MISSING"] == 1
    assert {code for code, side, _ in found(diff) if side == "new"} == {"MISSING", "LIFECYCLE"}


def test_a_trade_with_oneself_has_two_fills_of_one_id(scene: Any) -> None:
    account = scene.accounts[SPOT]
    buy = account.new_order(scene.ms)
    sell, quantity = buy | {"id": "99", "side": "sell"}, buy["quantity"]
    for order in (buy, sell):
        account.trades -= order is sell
        for step in (*account.fill(order, scene.ms, quantity), account.order(order, scene.ms, "filled", quantity)):
            scene.send(SPOT, step)
    assert scene.judge().differences == []
    scene.lines["new"].remove(scene.events("new", SPOT, "fill")[-2])
    assert found(scene.judge()) == {("MISSING", "new", ""): 1, ("LIFECYCLE", "new", "fills below filled"): 1}


@pytest.mark.parametrize("connection", [SPOT, FUTURES, MEXC])
def test_a_connection_taken_over_gets_frames_twice_and_delivers_them_once(scene: Any, connection: str) -> None:
    for step in scene.accounts[connection].life(scene.ms, "filled"):
        no = scene.send(connection, step)
        before = scene.conn_no["new", connection]
        scene.conn_no["new", connection] = before + 1
        scene.send(connection, step, no=no, to=("new",), silent=("new",))
        scene.conn_no["new", connection] = before
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"]["CONFLATED"] == (8 if connection == FUTURES else 6)


@pytest.mark.parametrize("is_healed", [True, False])
def test_updates_swapped_by_the_venue_may_come_in_either_order(scene: Any, is_healed: bool) -> None:
    swap_last_updates(scene)
    if is_healed:
        for role in ROLES:
            early, late = scene.events(role, SPOT, "order")[-2:]
            scene.swap_lines(role, early, late)
    assert scene.judge().differences == []


def test_an_older_update_of_a_swap_may_be_left_out(scene: Any) -> None:
    swap_last_updates(scene)
    scene.lines["new"].remove(scene.events("new", SPOT, "order")[-1])
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"]["CONFLATED"] == 1


def test_an_older_fill_of_a_swap_may_not_be_left_out(scene: Any) -> None:
    account = scene.accounts[SPOT]
    order = account.new_order(scene.ms)
    for role in ROLES:
        scene.fault("swap", SPOT, role, channel="fill", symbol="BTC_USDT")
    early, late = (account.fill(order, scene.ms + i, order["quantity"] / 2)[0] for i in range(2))
    for step in (late, early):
        scene.send(SPOT, step)
    assert scene.judge().differences == []
    scene.lines["new"].remove(scene.events("new", SPOT, "fill")[-1])
    assert found(scene.judge()) == {("MISSING", "new", ""): 1}


def test_beside_a_copy_another_balance_of_its_time_must_come(scene: Any) -> None:
    channel, payload, (fields,) = last_step(scene, SPOT, "balance")
    _, other, (changed,) = scene.accounts[SPOT].balance(fields["ts"], 7, 0)
    scene.send(SPOT, (channel, payload, [fields]), silent=ROLES, fault="duplicate")
    scene.send(SPOT, (channel, other, [changed]), silent=("new",), fault="duplicate")
    assert found(scene.judge()) == {("MISSING", "new", ""): 1}


def swap_last_updates(scene: Any) -> None:
    """A life whose `filled` update leaves before its `partial` one, to both sides."""
    put, balance, fill, part, end, rest = scene.accounts[SPOT].life(scene.ms, "filled")
    for step in (put, balance, fill):
        scene.send(SPOT, step)
    for role in ROLES:
        scene.fault("swap", SPOT, role, channel="order", symbol="BTC_USDT")
    for step in (end, part, rest):
        scene.send(SPOT, step)


def test_fills_before_their_updates_are_exact(scene: Any) -> None:
    put, balance, fill, part, end, rest = scene.accounts[SPOT].life(scene.ms, "filled")
    for step in (fill, rest, put, balance, part, end):
        scene.send(SPOT, step, fault="fill-first")
    assert scene.judge().differences == []
    scene.lines["new"].remove(scene.events("new", SPOT, "fill")[-1])
    assert found(scene.judge())[("MISSING", "new", "")] == 1


def test_frames_that_the_venue_dropped_are_owed_to_nobody(scene: Any) -> None:
    for connection in (SPOT, FUTURES, MEXC):
        for step in scene.accounts[connection].life(scene.ms, "filled"):
            scene.send(connection, step, to=("legacy",))
        scene.live(connection)
    assert scene.judge().differences == []


@pytest.mark.parametrize(("code", "cause", "is_allowed"), [(1006, "fault:reset", True), (1001, "planned", False)])
def test_frames_in_flight_at_a_close(scene: Any, code: int, cause: str, is_allowed: bool) -> None:
    scene.live(FUTURES, silent=("new",))
    scene.note("new", FUTURES, "close", code=code, cause=cause)
    scene.live(FUTURES, to=("legacy",))
    scene.back("new", FUTURES)
    scene.live(FUTURES)
    diff = scene.judge()
    assert bool(diff.differences) is not is_allowed
    assert diff.totals["new"]["codes"]["IN_FLIGHT" if is_allowed else "MISSING"] == 8
    assert diff.conserved


def test_one_frame_lost_at_a_close_leaves_the_other_channels_whole(scene: Any) -> None:
    steps = scene.accounts[FUTURES].life(scene.ms, "filled")
    for step in steps:
        scene.send(FUTURES, step, silent=("new",) if step is steps[-1] else ())
    scene.note("new", FUTURES, "close", code=1006, cause="connect-leg")
    scene.back("new", FUTURES)
    scene.live(FUTURES)
    assert scene.judge().differences == []


@pytest.mark.parametrize("kind", ["refuse-auth", "late-auth", "expire-key"])
def test_a_side_kept_from_authenticating_is_owed_nothing_and_not_blamed(scene: Any, kind: str) -> None:
    scene.fault(kind, MEXC, "new")
    scene.error("new", MEXC, "auth")
    scene.note("new", MEXC, "refused", cause=f"fault:{kind}")
    scene.now += MS
    scene.note("new", MEXC, "refused", cause="venue", code=401)
    for _ in range(30):
        scene.now += 100 * MS
        scene.live(MEXC, to=("legacy",))
    scene.back("new", MEXC)
    scene.live(MEXC)
    assert scene.judge().differences == []


@pytest.mark.parametrize(("has_ack", "has_fault"), [(True, False), (False, True), (False, False)])
def test_a_stream_sent_to_the_other_side_only(scene: Any, has_ack: bool, has_fault: bool) -> None:
    def is_others(row: dict[str, Any]) -> bool:
        return FUTURES not in (row.get("connection"), row.get("c")) or row.get("subject") == "legacy"

    scene.sends = [row for row in scene.sends if is_others(row)]
    scene.lines["new"] = [row for row in scene.lines["new"] if is_others(row)]
    if not has_ack:
        scene.connections = [row for row in scene.connections if is_others(row)]
    if has_fault:
        scene.fault("late-auth", FUTURES, "new")
    scene.now += 3000 * MS
    scene.live(FUTURES, to=("legacy",))
    is_blamed = not has_ack and not has_fault
    assert {code for code, _, _ in found(scene.judge())} == ({"STALE"} if is_blamed else set())


def test_an_event_before_the_acceptance_is_phantom_where_a_fault_refused(scene: Any) -> None:
    early = {**scene.events("new", SPOT, "fill")[0], "id": "1", "t": 5, "read": 6}
    scene.lines["new"].insert(0, early)
    assert scene.judge().totals["new"]["codes"]["EDGE"] == 1
    scene.fault("refuse-auth", SPOT, "new")
    scene.error("new", SPOT, "auth")
    assert ("PHANTOM", "new", "") in found(scene.judge())


def test_a_refusal_that_is_told_to_nobody_is_control(scene: Any) -> None:
    for role in ROLES:
        scene.fault("refuse-auth", SPOT, role)
    scene.error("new", SPOT, "auth")
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity) == ("CONTROL", "legacy", "auth refusal untold", "minor")


def test_a_refusal_without_a_fault_is_control_of_the_side(scene: Any) -> None:
    scene.note("new", SPOT, "refused", cause="venue", channel="order")
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity) == ("CONTROL", "new", "refused", "critical")


def test_events_before_the_ack_and_behind_the_stop_are_edge(scene: Any) -> None:
    scene.note("new", FUTURES, "close", code=1001, cause="connect-leg")
    scene.conn_no["new", FUTURES] += 1
    scene.live(FUTURES, silent=("new",))
    scene.subscribe("new", FUTURES)
    scene.now += MS
    scene.live(FUTURES)
    scene.marks.append({"t": scene.now, "leg": "main", "role": "", "name": "leg-end", "detail": "{}"})
    scene.now += MS
    scene.live(FUTURES, silent=ROLES)
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"]["EDGE"] == 16


def test_corrupt_frames_excuse_one_decode_error_each(scene: Any) -> None:
    for connection, payload in ((SPOT, b'{"channel":"spot.orders","event":"upd'), (MEXC, b"\x0a\x05ab")):
        scene.send(connection, ("order", payload, []), fault="corrupt")
        for role in ROLES:
            scene.error(role, connection, "decode")
    assert scene.judge().differences == []
    scene.error("new", SPOT, "decode")
    assert found(scene.judge()) == {("EXC", "new", "decode"): 1}
