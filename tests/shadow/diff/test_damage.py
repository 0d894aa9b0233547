"""Each kind of damage to one side's lines gives exactly its code on that side, and nothing on the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
BOTH = (GATEIO, MEXC)
TYPES = ("book", "trade", "book_ticker", "ticker")
Line = dict[str, Any]


def found(diff: LegDiff) -> Counter[tuple[str, str, str]]:
    """(code, side, field) with counts."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in diff.differences:
        counts[item.code, item.side, item.field] += item.count
    return counts


def codes(diff: LegDiff) -> set[tuple[str, str]]:
    return {(item.code, item.side) for item in diff.differences}


def test_clean_streams_give_only_matches(scene: Any) -> None:
    diff = scene.judge()
    assert diff.differences == []
    assert diff.samples == []
    assert diff.conserved
    assert diff.totals["new"]["codes"] == {"MATCH": 362}
    assert diff.totals["legacy"]["codes"] == {"MATCH": 360}
    assert (diff.frames_sent, diff.frames_accounted) == (640, 640)


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize("connection", BOTH)
@pytest.mark.parametrize("event_type", TYPES)
def test_a_line_left_out_is_missing(scene: Any, role: str, connection: str, event_type: str) -> None:
    scene.lines[role].remove(scene.events(role, connection, event_type)[20])
    diff = scene.judge()
    events = {code for code, _ in codes(diff)} - {"GAP", "STATE"}
    assert events == {"MISSING"}
    assert {side for _, side in codes(diff)} == {role}
    assert ("GAP", role) in codes(diff) or event_type != "book"
    assert diff.totals[role]["codes"]["MISSING"] == 1
    assert diff.conserved


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize("connection", BOTH)
@pytest.mark.parametrize("event_type", TYPES)
def test_a_line_twice_is_dup(scene: Any, role: str, connection: str, event_type: str) -> None:
    lines = scene.lines[role]
    line = scene.events(role, connection, event_type)[20]
    lines.insert(lines.index(line) + 1, dict(line))
    diff = scene.judge()
    assert found(diff) == {("DUP", role, ""): 1}
    assert diff.differences[0].severity == ("major" if event_type in ("book", "trade") else "info")
    assert diff.conserved


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize("connection", BOTH)
@pytest.mark.parametrize("event_type", TYPES)
def test_two_events_of_one_symbol_swapped_is_reorder(scene: Any, role: str, connection: str, event_type: str) -> None:
    lines = scene.lines[role]
    events = scene.events(role, connection, event_type)
    a, b = (next(i for i, line in enumerate(lines) if line is event) for event in events[20:22])
    lines[a], lines[b] = lines[b], lines[a]
    for i in range(a + 1, b):
        lines[i]["t"] = lines[a]["t"]
        lines[i]["read"] = lines[a]["read"]
    lines[b]["t"], lines[b]["read"] = lines[a]["t"], lines[a]["read"]
    diff = scene.judge()
    assert found(diff) == {("REORDER", role, ""): 1}
    assert diff.differences[0].severity == "major"


FIELD_DAMAGE: list[tuple[str, str, Callable[[Line], None]]] = [
    ("trade", "price:value", lambda e: e.update(price=round(e["price"] + 0.001, 3) + 0.0001)),
    ("trade", "price:precision", lambda e: e.update(price=round(e["price"], 1))),
    ("trade", "price:unit", lambda e: e.update(price=f"{e['price'] * 1000:.0f}")),
    ("trade", "quantity:sign", lambda e: e.update(quantity=-e["quantity"])),
    ("trade", "side:side", lambda e: e.update(side={"buy": "sell", "sell": "buy"}[e["side"]])),
    ("trade", "side:value", lambda e: e.update(side=e["side"].upper())),
    ("trade", "price:null", lambda e: e.update(price=None)),
    ("trade", "price:type", lambda e: e.update(price=[1])),
    ("trade", "price:type", lambda e: e.update(price="nan")),
    ("trade", "ts:unit", lambda e: e.update(ts=e["ts"] // 1000)),
    ("trade", "ts:value", lambda e: e.update(ts=e["ts"] + 77)),
    ("trade", "ts:null", lambda e: e.update(ts=None)),
    ("book_ticker", "bid:value", lambda e: e.update(bid=e["bid"] + 0.01)),
    ("book_ticker", "ask_quantity:null", lambda e: e.update(ask_quantity=None)),
    ("ticker", "high:value", lambda e: e.update(high=e["high"] + 0.25)),
    ("ticker", "base_volume:value", lambda e: e.update(base_volume=e["base_volume"] + 0.25)),
    ("book", "bids/asks:side", lambda e: e.update(bids=e["asks"], asks=e["bids"])),
    ("book", "bids.levels:value", lambda e: e.update(bids=[level for level in e["bids"] if level[1]])),
    ("book", "asks.quantity:value", lambda e: e["asks"][1].__setitem__(1, e["asks"][1][1] + 0.5)),
    ("book", "bids.price:value", lambda e: e["bids"][1].__setitem__(0, e["bids"][1][0] + 0.003)),
    ("book", "asks:null", lambda e: e.update(asks=None)),
    ("book", "ts:value", lambda e: e.update(ts=e["ts"] + 40)),
]


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize(("event_type", "field", "damage"), FIELD_DAMAGE)
def test_a_changed_field_is_named_with_its_kind(
    scene: Any, role: str, event_type: str, field: str, damage: Callable[[Line], None]
) -> None:
    damage(scene.events(role, GATEIO, event_type)[20])
    diff = scene.judge()
    events = {key: n for key, n in found(diff).items() if key[0] != "STATE"}
    assert events == {("FIELD", role, field): 1}
    assert {side for _, side in codes(diff)} == {role}
    assert diff.totals[role]["codes"]["FIELD"] == 1
    assert {item.severity for item in diff.differences} == {"critical"}


def test_a_time_of_the_same_frame_is_a_wrong_source_and_minor(scene: Any) -> None:
    event = scene.events("new", GATEIO, "book_ticker")[5]
    event["ts"] += 1
    diff = scene.judge()
    assert found(diff) == {("FIELD", "new", "ts:time source"): 1}
    assert diff.differences[0].severity == "minor"


def test_wrong_levels_also_leave_the_book_wrong(scene: Any) -> None:
    event = scene.events("new", GATEIO, "book")[20]
    event["bids"][1][1] += 1
    assert ("STATE", "new", "size") in found(scene.judge())


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize(
    ("event_type", "damage"),
    [
        ("book", lambda e: e.update(last=e["last"] + 100_000)),
        ("trade", lambda e: e.update(id=e["id"] + "9")),
        ("trade", lambda e: e.update(symbol="ETH_USDT")),
        ("book_ticker", lambda e: e.update(seq=e["seq"] + 100_000)),
    ],
)
def test_a_damaged_key_is_missing_and_phantom(
    scene: Any, role: str, event_type: str, damage: Callable[[Line], None]
) -> None:
    damage(scene.events(role, GATEIO, event_type)[20])
    diff = scene.judge()
    counts = diff.totals[role]["codes"]
    assert (counts["MISSING"], counts["PHANTOM"]) == (1, 1)
    assert {code for code, _ in codes(diff)} - {"GAP"} == {"MISSING", "PHANTOM"}
    assert {side for _, side in codes(diff)} == {role}


def test_a_first_version_off_by_one_is_another_key(scene: Any) -> None:
    scene.events("new", GATEIO, "book")[20]["first"] -= 1
    assert {code for code, _ in codes(scene.judge())} == {"MISSING", "PHANTOM", "GAP"}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("going back", lambda e: e.update(t=e["t"] - 120_000)),
        ("before sent", lambda e: e.update(t=e["t"] - 900_000)),
        ("after read", lambda e: e.update(t=e["read"] + 1)),
        ("missing", lambda e: e.update(t=None)),
        ("missing", lambda e: e.update(t=1.5)),
        ("missing", lambda e: e.update(t=2**63)),
    ],
)
def test_a_wrong_t_is_clock_and_blames_no_other_event(scene: Any, field: str, change: Callable[[Line], None]) -> None:
    event = scene.events("new", MEXC, "trade")[21]
    if field == "going back":
        scene.events("new", MEXC, "trade")[20]["t"] += 50_000
    change(event)
    assert found(scene.judge()) == {("CLOCK", "new", field): 1}


def test_numbers_and_exact_texts_match_alike_and_rounded_ones_are_counted(scene: Any) -> None:
    for event in scene.events("new", GATEIO, "trade"):
        event["price"] = f"{event['price']:.5f}"
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["rounded"] == 0


def test_the_same_difference_on_both_sides_is_one_of_both(scene: Any) -> None:
    for role in ("legacy", "new"):
        scene.events(role, GATEIO, "trade")[20]["price"] = 7
    scene.events("new", GATEIO, "trade")[21]["price"] = 7
    assert found(scene.judge()) == {("FIELD", "both", "price:value"): 1, ("FIELD", "new", "price:value"): 1}


def test_a_field_that_a_stack_never_has_is_masked(scene: Any) -> None:
    for role in ("legacy", "new"):
        for event in scene.events(role, GATEIO, "book_ticker") + scene.events(role, GATEIO, "trade"):
            event.pop("seq", None)
            event["ts"] = None
    diff = scene.judge()
    assert diff.differences == []
    assert diff.totals["new"]["codes"] == {"MATCH": 362}


def test_a_field_that_only_the_new_stack_lost_is_its_difference(scene: Any) -> None:
    for event in scene.events("new", GATEIO, "book"):
        event["last"] = None
    assert found(scene.judge()) == {("FIELD", "new", "last:null"): 40}


def test_books_without_versions_are_aligned_by_content(scene: Any) -> None:
    for role in ("legacy", "new"):
        for event in scene.events(role, GATEIO, "book"):
            event["last"] = event["first"] = None
    assert scene.judge().differences == []
    scene.lines["legacy"].remove(scene.events("legacy", GATEIO, "book")[7])
    assert ("MISSING", "legacy", "") in found(scene.judge())


def test_an_invented_value_is_a_difference(scene: Any) -> None:
    scene.events("new", MEXC, "ticker")[3]["bid"] = 0
    assert found(scene.judge()) == {("FIELD", "new", "bid:null"): 1}


def test_an_event_from_nowhere_is_phantom(scene: Any) -> None:
    line = {**scene.events("new", GATEIO, "trade")[5], "id": "1", "c": "gateio.futures.public"}
    scene.lines["new"].append(line)
    scene.lines["new"].append({**line, "type": "banana", "symbol": None})
    diff = scene.judge()
    assert diff.totals["new"]["codes"]["PHANTOM"] == 2
    assert diff.conserved


def test_samples_hold_frame_and_event_and_are_at_most_twenty(scene: Any) -> None:
    for event in scene.events("new", GATEIO, "trade"):
        event["price"] = 1
    diff = scene.judge()
    assert len(diff.samples) == 20
    numbers = [sample["frame_no"] for sample in diff.samples]
    assert numbers == sorted(numbers)
    sample = diff.samples[0]
    assert (sample["code"], sample["side"], sample["expected"]["symbol"]) == ("FIELD", "new", "BTC_USDT")
    assert sample["delivered"]["price"] == 1
    assert "spot.trades" in sample["frame"]


def test_a_frame_of_several_events_gives_one_match_with_its_last_event(scene: Any) -> None:
    trades = scene.events("new", MEXC, "trade")
    trades[1]["t"] += 1000
    diff = scene.judge()
    new = diff.matches["new"]
    rows = [i for i in range(len(new.frame_no)) if new.t_callback[i] == trades[1]["t"]]
    assert len(rows) == 1
    assert len(new.frame_no) == 320
    trades[0]["price"] = 1
    assert len(scene.judge().matches["new"].frame_no) == 319


def test_matches_carry_what_the_statistics_need(scene: Any) -> None:
    diff = scene.judge()
    for role, first_written in (("legacy", True), ("new", False)):
        rows = diff.matches[role]
        assert set(rows.t_callback - rows.t_sent) == {150_000}
        assert set(rows.first_written) == {first_written}
        assert list(rows.t_sent) == sorted(rows.t_sent)
        assert {diff.connections[i] for i in rows.connection} == set(BOTH)
        assert {diff.symbols[i] for i in rows.symbol} == {"BTC_USDT", "BTCUSDT"}


def test_first_arrival_tells_by_how_much(scene: Any) -> None:
    diff = scene.judge()
    assert [item.connection for item in diff.first_arrival] == list(BOTH)
    assert [item.n for item in diff.first_arrival] == [160, 200]
    assert set(diff.first_arrival[0].lead_ns) == {-300_000}
    assert diff.first_arrival[0].baseline_first == 160


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_a_lost_book_update_leaves_the_book_wrong_from_the_next_version_on(scene: Any, role: str) -> None:
    scene.lines[role].remove(scene.events(role, GATEIO, "book")[20])
    diff = scene.judge()
    states = [item for item in diff.differences if item.code == "STATE"]
    assert [(item.side, item.count, item.severity) for item in states] == [(role, 1, "critical")]


def test_of_two_events_with_one_key_the_equal_one_is_taken(scene: Any) -> None:
    payload = next(row["payload"] for row in scene.frames if row["channel"] == "book_ticker")
    fields = {"bid": 99.9, "bid_quantity": 1.0, "ask": 100.3, "ask_quantity": 2.0, "seq": 5, "ts": 1}
    for ask in (2.0, 3.0):
        frame = json.loads(payload)
        frame["result"] |= {"u": 5, "t": 1, "B": "1", "A": str(ask)}
        scene.push(GATEIO, "book_ticker", json.dumps(frame).encode(), [fields | {"ask_quantity": ask}])
    assert scene.judge().differences == []
    scene.lines["new"].remove(scene.events("new", GATEIO, "book_ticker")[-2])
    assert found(scene.judge()) == {("MISSING", "new", ""): 1}
