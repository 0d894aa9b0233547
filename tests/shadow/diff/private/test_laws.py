"""A law of the account that a side breaks and the venue keeps is LIFECYCLE of that side; one both break is nobody's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
Damage = Callable[[dict[str, Any]], None]


def laws(diff: LegDiff) -> set[tuple[str, str, str]]:
    return {(item.side, item.type, item.field) for item in diff.differences if item.code == "LIFECYCLE"}


def order_line(scene: Any, role: str, status: str, connection: str = SPOT) -> dict[str, Any]:
    """The first order event of that status."""
    line: dict[str, Any] = next(e for e in scene.events(role, connection, "order") if e["status"] == status)
    return line


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize("connection", [SPOT, FUTURES, MEXC])
@pytest.mark.parametrize(
    ("status", "damage", "field"),
    [
        ("filled", lambda e: e.update(filled=e["quantity"] + 1), "filled above quantity"),
        ("filled", lambda e: e.update(filled=0), "filled going back"),
        ("partial", lambda e: e.update(status="filled"), "filled on after filled"),
        ("partial", lambda e: e.update(status="cancelled"), "filled on after cancelled"),
        ("open", lambda e: e.update(status="rejected"), "filled on after rejected"),
    ],
)
def test_illegal_lives(scene: Any, role: str, connection: str, status: str, damage: Damage, field: str) -> None:
    damage(order_line(scene, role, status, connection))
    diff = scene.judge()
    assert (role, "order", field) in laws(diff)
    assert {side for side, _, _ in laws(diff)} == {role}
    assert {item.severity for item in diff.differences} == {"critical"}


def test_an_order_that_is_open_again(scene: Any) -> None:
    scene.events("new", SPOT, "order")[2]["status"] = "open"
    assert laws(scene.judge()) == {("new", "order", "partial to open")}


def test_an_order_that_changes_when_it_is_over(scene: Any) -> None:
    lines = scene.lines["new"]
    over = order_line(scene, "new", "filled")
    lines.insert(lines.index(over) + 1, {**over, "status": "cancelled", "ts": over["ts"] + 1})
    diff = scene.judge()
    assert laws(diff) == {("new", "order", "changed after filled")}
    assert {item.code for item in diff.differences} == {"LIFECYCLE", "PHANTOM"}


def test_an_order_updated_twice_alike_is_dup_and_breaks_no_law(scene: Any) -> None:
    lines = scene.lines["new"]
    over = order_line(scene, "new", "filled")
    lines.insert(lines.index(over) + 1, dict(over))
    assert {item.code for item in scene.judge().differences} == {"DUP"}


@pytest.mark.parametrize(("change", "field"), [(-1, "fills below filled"), (1, "fills above filled")])
def test_fills_that_do_not_make_up_the_order(scene: Any, change: int, field: str) -> None:
    scene.events("new", SPOT, "fill")[3]["quantity"] += change
    assert laws(scene.judge()) == {("new", "fill", field)}


def test_a_position_without_its_fill(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", FUTURES, "fill")[4])
    assert laws(scene.judge()) == {
        ("new", "fill", "fills below filled"), ("new", "position", "size is not the sum of fills"),
    }  # fmt: skip


def test_a_wrong_size_breaks_the_sum_twice_and_no_more(scene: Any) -> None:
    scene.events("new", FUTURES, "position")[4]["size"] += 1
    diff = scene.judge()
    (item,) = [item for item in diff.differences if item.code == "LIFECYCLE"]
    assert (item.side, item.field, item.count) == ("new", "size is not the sum of fills", 2)


def test_a_position_left_out_breaks_no_law(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", FUTURES, "position")[4])
    assert {item.code for item in scene.judge().differences} == {"MISSING"}


def test_less_than_nothing(scene: Any) -> None:
    scene.events("new", SPOT, "balance")[3]["free"] *= -1
    scene.events("legacy", MEXC, "balance")[3]["locked"] *= -1
    assert laws(scene.judge()) == {("new", "balance", "free below zero"), ("legacy", "balance", "locked below zero")}


def venue_breaks(scene: Any) -> None:
    """Lives and sums that no exchange should send, to both sides, who deliver them as they are."""
    for connection in (SPOT, FUTURES, MEXC):
        account = scene.accounts[connection]
        order = account.new_order(scene.ms)
        steps = [
            account.order(order, scene.ms, "partial", Decimal(2)),
            account.order(order, scene.ms + 1, "open", Decimal(0)),
            account.order(order, scene.ms + 2, "filled", order["quantity"]),
            account.order(order, scene.ms + 3, "partial", Decimal(5)),
            *account.fill(order, scene.ms + 4, order["quantity"]),
            account.balance(scene.ms, -10 * account.free, -10 * account.locked - 9),
        ]
        if connection == FUTURES:
            account.position += 5
            steps += account.fill(order, scene.ms + 9, Decimal(1))
        for step in steps:
            scene.send(connection, step)


def test_what_the_venue_itself_breaks_is_nobodys_fault(scene: Any) -> None:
    venue_breaks(scene)
    diff = scene.judge()
    assert diff.differences == []
    assert set(diff.totals["new"]["codes"]) == {"MATCH"}


def test_beside_a_fault_of_the_venue_a_sides_own_is_still_seen(scene: Any) -> None:
    venue_breaks(scene)
    order_line(scene, "new", "filled")["filled"] = 0
    scene.events("new", FUTURES, "position")[3]["size"] += 1
    assert laws(scene.judge()) == {
        ("new", "order", "filled going back"),
        ("new", "fill", "fills above filled"),
        ("new", "position", "size is not the sum of fills"),
    }


def test_the_same_law_broken_at_two_places_is_of_two_sides(scene: Any) -> None:
    for place, role in enumerate(("legacy", "new")):
        scene.events(role, SPOT, "fill")[place * 3]["quantity"] -= 0.5
    assert laws(scene.judge()) == {(role, "fill", "fills below filled") for role in ("legacy", "new")}


def test_a_stray_fill_behind_the_stop_breaks_no_law(scene: Any) -> None:
    scene.marks.append({"t": scene.now, "leg": "main", "role": "", "name": "leg-end", "detail": "{}"})
    line = scene.events("new", SPOT, "fill")[-1]
    scene.lines["new"].append({**line, "id": "7", "t": scene.now + 1, "read": scene.now + 2})
    assert scene.judge().differences == []


def test_a_market_order_in_quote_currency_fills_above_its_quantity(scene: Any) -> None:
    account = scene.accounts[SPOT]
    order = account.new_order(scene.ms) | {"quantity": Decimal(3)}
    for status, filled in (("open", 0), ("partial", 400), ("filled", 900)):
        scene.send(SPOT, account.order(order, scene.ms, status, Decimal(filled)))
        scene.now += 5_000_000
    for size in (400, 500):
        scene.send(SPOT, account.fill(order, scene.ms, Decimal(size))[0])
    assert scene.judge().differences == []
    scene.events("new", SPOT, "order")[-1]["filled"] = 100
    assert ("new", "order", "filled going back") in laws(scene.judge())


def test_hedged_contracts_are_not_added_up(scene: Any) -> None:
    for role in ("legacy", "new"):
        for event in scene.events(role, FUTURES, "position"):
            event["mode"] = "long"
    scene.events("new", FUTURES, "position")[4]["size"] += 1
    assert laws(scene.judge()) == set()


@pytest.mark.parametrize("cap", [8, 11])
def test_beyond_the_memory_cap_no_law_is_judged(scene: Any, cap: int) -> None:
    scene.lines["new"].remove(scene.events("new", SPOT, "balance")[0])
    diff = scene.judge(cap=cap)
    assert laws(diff) == set()
    assert diff.conserved


@pytest.mark.parametrize("event_type", ["order", "fill", "balance", "position"])
def test_values_of_any_shape_are_a_difference_and_no_crash(scene: Any, event_type: str) -> None:
    odd: list[Any] = [None, [1], {}, "nan", "1e999999", True, "", -0.0, "x" * 50]
    names = ("id", "order_id", "status", "filled", "quantity", "size", "free", "ts", "asset", "side", "mode")
    for i, value in enumerate(odd):
        line = scene.events("new", FUTURES, event_type)[i % 6]
        line |= {name: value for name in names if name in line}
    diff = scene.judge()
    assert diff.conserved
    assert {item.side for item in diff.differences} == {"new"}
