"""Whatever happens to the lines, each event ends in exactly one code and the other side stays clean."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.diff.join import late_comers
from shadow.diff.leg import diff_streams

KINDS = ("drop", "copy", "swap", "price", "key", "symbol", "t", "null", "type", "levels")
damages = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 400), st.integers(0, 400)), max_size=12)


def damage(lines: list[dict[str, Any]], kind: str, i: int, j: int) -> None:
    i, j = i % len(lines), j % len(lines)
    line = lines[i]
    if kind == "drop":
        del lines[i]
    elif kind == "copy":
        lines.insert(j, dict(line))
    elif kind == "swap":
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == "price":
        line["price"] = line["bid"] = line["last"] = 3
    elif kind == "key":
        line["id"], line["last"], line["seq"] = "x", [1], {"a": 1}
    elif kind == "symbol":
        line["symbol"] = "NONE"
    elif kind == "t":
        line["t"] = j
    elif kind == "null":
        line |= dict.fromkeys(("bids", "ts", "quantity", "last", "type"))
    elif kind == "type":
        line |= {"bids": 5, "asks": [[1]], "side": 4, "ts": "now", "first": "a", "snapshot": "yes", "price": {}}
    else:
        line |= {"bids": [["x", 1]], "asks": [[None, []]], "snapshot": True}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages)
def test_totals_add_up_under_any_damage(plain_scene: Any, plan: list[tuple[str, int, int]]) -> None:
    scene = plain_scene.copy()
    for kind, i, j in plan:
        damage(scene.lines["new"], kind, i, j)
    diff = scene.judge()
    assert diff.conserved
    for role in ("legacy", "new"):
        totals = diff.totals[role]
        said = sum(line.get("k") == "event" for line in scene.lines[role])
        assert totals["input"] == said == sum(totals["delivered_codes"].values())
        assert totals["expected"] == 360 == sum(totals["expected_codes"].values())
    assert diff.totals["legacy"]["codes"] == {"MATCH": 360}
    assert {item.side for item in diff.differences} <= {"new"}


def test_beyond_the_memory_cap_events_are_unjudged_and_still_counted(scene: Any) -> None:
    diff = scene.judge(cap=100)
    totals = diff.totals["new"]
    assert totals["delivered_codes"]["UNJUDGED"] == 262
    assert totals["expected_codes"]["UNJUDGED"] == 262
    assert diff.conserved
    assert diff.frames_accounted < diff.frames_sent
    assert {(item.code, item.side) for item in diff.differences} == {("UNJUDGED", "legacy"), ("UNJUDGED", "new")}


def test_what_is_missing_before_the_cap_makes_nothing_behind_it_a_phantom(scene: Any) -> None:
    lines = scene.lines["new"]
    for trade in [line for line in lines if line.get("type") == "trade"][:6]:
        lines.remove(trade)
    diff = scene.judge(cap=100)
    differences = [item for item in diff.differences if item.code != "UNJUDGED"]
    assert {(item.code, item.side, item.type) for item in differences} == {("MISSING", "new", "trade")}
    assert sum(item.count for item in differences) == 6
    assert diff.conserved


def test_a_stream_that_fell_silent_before_the_cap_is_missing(scene: Any) -> None:
    lines = scene.lines["new"]
    scene.lines["new"] = [line for line in lines if line.get("type") != "trade"]
    for line in scene.lines["new"][60:]:
        line["read"] = line["t"] = line["t"] + 10_000_000_000
    diff = scene.judge(cap=100)
    assert ("MISSING", "new", "trade") in {(item.code, item.side, item.type) for item in diff.differences}


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=60))
def test_without_the_late_comers_the_rest_ascends_and_no_fewer_would_do(places: list[int]) -> None:
    late = late_comers(places)
    rest = [place for place in places if place not in late]
    assert rest == sorted(rest)
    longest = [1] * len(places)
    for i in range(len(places)):
        longest[i] = 1 + max((longest[j] for j in range(i) if places[j] < places[i]), default=0)
    assert len(rest) == max(longest, default=0)


@pytest.mark.parametrize(("places", "late"), [([1, 2, 3], set()), ([1, 3, 2, 4], {2}), ([2, 3, 4, 1], {1})])
def test_of_two_in_the_wrong_order_the_later_one_is_late(places: list[int], late: set[int]) -> None:
    assert late_comers(places) == late


def test_a_match_after_w_is_late_only_where_w_is_given(scene: Any) -> None:
    event = scene.lines["new"][-1]
    event["t"] += 5_000_000
    assert scene.judge().differences == []
    diff = scene.judge(late_ns=4_000_000)
    assert [(item.code, item.side, item.severity, item.count) for item in diff.differences] == [
        ("LATE", "new", "info", 1)
    ]


def test_what_was_judged_is_let_go(scene: Any) -> None:
    """An event and its delivery name each other, and no collector looks at them."""
    tables = (scene.frames, scene.sends, scene.connections, scene.marks, scene.requests)
    lines = {role: [(row["read"], json.dumps(row).encode()) for row in rows] for role, rows in scene.lines.items()}
    before = bodies_in_memory()
    assert diff_streams(*tables, lines, {"schema": 1}).conserved
    assert bodies_in_memory() == before


def bodies_in_memory() -> int:
    gc.collect()
    return sum(type(one) is dict and one.get("k") == "event" for one in gc.get_objects())
