"""Each kind of damage to one side's account events gives its code on that side, and nothing on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
STREAMS = [
    (connection, event_type)
    for connection in (SPOT, FUTURES, MEXC)
    for event_type in ("order", "fill", "balance", "position")
    if event_type != "position" or connection == FUTURES
]
Line = dict[str, Any]
Damage = Callable[[Line], None]


def found(diff: LegDiff) -> Counter[tuple[str, str, str]]:
    """(code, side, field) with counts."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in diff.differences:
        counts[item.code, item.side, item.field] += item.count
    return counts


def events_only(diff: LegDiff) -> dict[tuple[str, str, str], int]:
    return {key: n for key, n in found(diff).items() if key[0] != "LIFECYCLE"}


def laws(diff: LegDiff) -> set[tuple[str, str]]:
    return {(side, field) for code, side, field in found(diff) if code == "LIFECYCLE"}


def test_clean_streams_give_only_matches(scene: Any) -> None:
    diff = scene.judge()
    assert diff.differences == []
    assert diff.conserved
    for role in ("legacy", "new"):
        assert diff.totals[role]["codes"] == {"MATCH": 3 * 6 * 6 + 10}
    assert diff.frames_accounted == diff.frames_sent == len(scene.sends)
    assert diff.symbols == ["", "BTCUSDT", "BTC_USDT"]
    rows = diff.matches["new"]
    assert sorted(set(rows.type)) == [4, 5, 6, 7]


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize(("connection", "event_type"), STREAMS)
def test_a_line_left_out_is_missing(scene: Any, role: str, connection: str, event_type: str) -> None:
    scene.lines[role].remove(scene.events(role, connection, event_type)[7])
    diff = scene.judge()
    assert events_only(diff) == {("MISSING", role, ""): 1}
    assert {side for side, _ in laws(diff)} <= {role}
    assert (("fill" in event_type) == bool(laws(diff))) or event_type == "order"
    assert diff.conserved


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize(("connection", "event_type"), STREAMS)
def test_a_line_twice_is_dup_and_nothing_else(scene: Any, role: str, connection: str, event_type: str) -> None:
    lines = scene.lines[role]
    line = scene.events(role, connection, event_type)[7]
    lines.insert(lines.index(line) + 1, dict(line))
    diff = scene.judge()
    assert found(diff) == {("DUP", role, ""): 1}
    assert diff.differences[0].severity == "major"
    assert diff.conserved


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize(("connection", "event_type"), STREAMS)
def test_two_events_swapped_is_reorder(scene: Any, role: str, connection: str, event_type: str) -> None:
    events = scene.events(role, connection, event_type)
    scene.swap_lines(role, events[6], events[7])
    assert events_only(scene.judge()) == {("REORDER", role, ""): 1}


@pytest.mark.parametrize(
    ("event_type", "field", "damage"),
    [
        ("order", "price:value", lambda e: e.update(price=e["price"] + 0.125)),
        ("order", "side:side", lambda e: e.update(side={"buy": "sell", "sell": "buy"}[e["side"]])),
        ("order", "status:value", lambda e: e.update(status="cancelled")),
        ("order", "status:value", lambda e: e.update(status="FILLED")),
        ("order", "filled:value", lambda e: e.update(filled=e["filled"] + 0.5)),
        ("order", "filled:sign", lambda e: e.update(filled=-e["filled"])),
        ("order", "quantity:value", lambda e: e.update(quantity=e["quantity"] + 1)),
        ("order", "quantity:null", lambda e: e.update(quantity=None)),
        ("order", "kind:value", lambda e: e.update(kind="market")),
        ("order", "average_price:null", lambda e: e.update(average_price=None)),
        ("order", "ts:unit", lambda e: e.update(ts=e["ts"] // 1000)),
        ("order", "ts:null", lambda e: e.update(ts=None)),
        ("fill", "price:value", lambda e: e.update(price=str(e["price"] + 0.125))),
        ("fill", "side:side", lambda e: e.update(side={"buy": "sell", "sell": "buy"}[e["side"]])),
        ("fill", "quantity:sign", lambda e: e.update(quantity=-e["quantity"])),
        ("fill", "fee:unit", lambda e: e.update(fee=12.5)),
        ("fill", "role:value", lambda e: e.update(role="taker")),
        ("fill", "order_id:value", lambda e: e.update(order_id=e["order_id"] + "0")),
        ("fill", "id:type", lambda e: e.update(id=int(e["id"]) if e["id"].isdigit() else None)),
        ("fill", "fee:null", lambda e: e.update(fee=None)),
        ("balance", "free:value", lambda e: e.update(free=e["free"] - 1)),
        ("balance", "ts:value", lambda e: e.update(ts=e["ts"] + 5)),
    ],
)
@pytest.mark.parametrize("role", ["legacy", "new"])
def test_a_changed_field_is_named_with_its_kind(
    scene: Any, role: str, event_type: str, field: str, damage: Damage
) -> None:
    damage(scene.events(role, SPOT, event_type)[4])
    diff = scene.judge()
    assert events_only(diff) == {("FIELD", role, field): 1}
    assert {side for side, _ in laws(diff)} <= {role}
    assert {item.severity for item in diff.differences} == {"critical"}


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        ("size:sign", lambda e: e.update(size=-e["size"])),
        ("size:value", lambda e: e.update(size=e["size"] + 1)),
        ("entry_price:value", lambda e: e.update(entry_price=64000)),
        ("mode:value", lambda e: e.update(mode="long")),
        ("leverage:null", lambda e: e.update(leverage=None)),
        ("margin:value", lambda e: e.update(margin=449.75)),
        ("realised_pnl:sign", lambda e: e.update(realised_pnl=0.25)),
    ],
)
def test_fields_of_positions(scene: Any, field: str, damage: Damage) -> None:
    damage(scene.events("new", FUTURES, "position")[5])
    diff = scene.judge()
    kind = "precision" if field.startswith("entry_price") else field.partition(":")[2]
    assert events_only(diff) == {("FIELD", "new", f"{field.partition(':')[0]}:{kind}"): 1}
    assert bool(laws(diff)) == field.startswith("size")


def test_a_value_invented_for_a_field_that_the_wire_has_not(scene: Any) -> None:
    scene.events("new", FUTURES, "balance")[2]["locked"] = 0
    scene.events("new", FUTURES, "fill")[2]["fee_asset"] = "USDT"
    assert found(scene.judge()) == {("FIELD", "new", "locked:null"): 1, ("FIELD", "new", "fee_asset:null"): 1}


@pytest.mark.parametrize(
    ("event_type", "damage"),
    [
        ("order", lambda e: e.update(id=e["id"] + "9")),
        ("order", lambda e: e.update(symbol="ETH_USDT")),
        ("fill", lambda e: e.update(id=e["id"] + "9")),
        ("balance", lambda e: e.update(asset="BTC")),
    ],
)
def test_a_damaged_key_is_missing_and_phantom(scene: Any, event_type: str, damage: Damage) -> None:
    damage(scene.events("new", SPOT, event_type)[7])
    diff = scene.judge()
    assert events_only(diff) == {("MISSING", "new", ""): 1, ("PHANTOM", "new", ""): 1}
    assert {side for side, _ in laws(diff)} <= {"new"}


def test_an_id_that_went_through_a_float_is_another_id(scene: Any) -> None:
    event = next(e for e in scene.events("new", FUTURES, "order") if int(float(e["id"])) != int(e["id"]))
    event["id"] = str(int(float(event["id"])))
    assert events_only(scene.judge()) == {("MISSING", "new", ""): 1, ("PHANTOM", "new", ""): 1}


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_an_invented_fill_is_phantom_and_breaks_the_orders_sum(scene: Any, role: str) -> None:
    lines = scene.lines[role]
    line = scene.events(role, SPOT, "fill")[-1]
    lines.insert(lines.index(line) + 1, {**line, "id": "12345"})
    diff = scene.judge()
    assert found(diff) == {("PHANTOM", role, ""): 1, ("LIFECYCLE", role, "fills above filled"): 1}
    assert {item.severity for item in diff.differences} == {"critical"}


@pytest.mark.parametrize(("event_type", "name"), [("balance", "free"), ("position", "size")])
def test_an_invented_state_of_a_known_time_is_phantom(scene: Any, event_type: str, name: str) -> None:
    lines = scene.lines["new"]
    line = scene.events("new", FUTURES, event_type)[5]
    lines.insert(lines.index(line) + 1, {**line, name: line[name] + 1})
    assert events_only(scene.judge()) == {("PHANTOM", "new", ""): 1}


def test_of_two_updates_of_one_order_and_time_each_must_come(scene: Any) -> None:
    account = scene.accounts[SPOT]
    order = account.new_order(scene.ms)
    for status, filled in (("open", 0), ("cancelled", 0)):
        scene.send(SPOT, account.order(order, order["created"], status, Decimal(filled)))
    assert scene.judge().differences == []
    scene.lines["new"].remove(scene.events("new", SPOT, "order")[-1])
    assert found(scene.judge()) == {("MISSING", "new", ""): 1}


def test_a_time_of_the_same_frame_is_a_wrong_source_and_minor(scene: Any) -> None:
    scene.events("new", SPOT, "order")[5]["ts"] += 1
    diff = scene.judge()
    assert found(diff) == {("FIELD", "new", "ts:time source"): 1}
    assert diff.differences[0].severity == "minor"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("before sent", lambda e: e.update(t=e["t"] - 200_000)),
        ("after read", lambda e: e.update(t=e["read"] + 1)),
        ("missing", lambda e: e.update(t=None)),
    ],
)
def test_a_wrong_t_is_clock(scene: Any, field: str, change: Damage) -> None:
    change(scene.events("new", MEXC, "fill")[8])
    assert found(scene.judge()) == {("CLOCK", "new", field): 1}


def test_t_going_back_is_clock_of_the_later_event(scene: Any) -> None:
    lines = [line for line in scene.lines["new"] if line["c"] == MEXC]
    before, event = lines[7], lines[8]
    before["t"] = before["read"] = event["t"] + 50_000
    assert found(scene.judge()) == {("CLOCK", "new", "going back"): 1}


def test_assets_in_any_case_and_numbers_as_text_are_equal(scene: Any) -> None:
    for event in scene.events("new", SPOT, "balance") + scene.events("new", FUTURES, "balance"):
        event["asset"] = event["asset"].lower()
        event["free"] = f"{event['free']:.6f}"
    for event in scene.events("new", SPOT, "fill"):
        event["fee_asset"] = "btc"
    assert scene.judge().differences == []


def test_a_field_that_a_stack_never_has_is_masked_and_one_that_only_new_lost_is_not(scene: Any) -> None:
    for event in scene.events("legacy", SPOT, "order") + scene.events("new", SPOT, "order"):
        event["average_price"] = event["client_id"] = None
    assert scene.judge().differences == []
    for event in scene.events("new", MEXC, "order"):
        event["client_id"] = None
    assert found(scene.judge()) == {("FIELD", "new", "client_id:null"): 6}


def test_two_equal_balances_at_two_times_are_two_events(scene: Any) -> None:
    account = scene.accounts[SPOT]
    for later in (0, 0):
        scene.now += 50_000_000
        scene.send(SPOT, account.balance(scene.ms, later, 0))
    diff = scene.judge()
    assert diff.differences == []
    scene.lines["new"].remove(scene.events("new", SPOT, "balance")[-2])
    assert found(scene.judge()) == {("MISSING", "new", ""): 1}


def test_the_same_damage_on_both_sides_is_one_of_both(scene: Any) -> None:
    for role in ("legacy", "new"):
        scene.lines[role].remove(scene.events(role, FUTURES, "fill")[5])
    assert found(scene.judge()) == {
        ("MISSING", "both", ""): 1,
        ("LIFECYCLE", "both", "fills below filled"): 1,
        ("LIFECYCLE", "both", "size is not the sum of fills"): 1,
    }


def test_samples_show_frame_and_both_events(scene: Any) -> None:
    scene.events("new", FUTURES, "fill")[5]["quantity"] += 1
    samples = {(sample["code"], sample["type"]): sample for sample in scene.judge().samples}
    assert set(samples) == {("FIELD", "fill"), ("LIFECYCLE", "fill"), ("LIFECYCLE", "position")}
    assert samples["FIELD", "fill"]["expected"]["role"] == "maker"
    assert "futures.positions" in samples["LIFECYCLE", "position"]["frame"]
    assert samples["LIFECYCLE", "position"]["delivered"]["type"] == "position"
