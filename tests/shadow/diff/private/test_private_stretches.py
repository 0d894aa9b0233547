"""Accounts judged in stretches: a cut between an order and its fill changes no count."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shadow.diff import carry, part, side
from shadow.diff.codes import LegDiff
from shadow.diff.frames import columns_of
from shadow.diff.stretches import LegJudge, Rows
from shadow.verdict.union import as_one

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
MS = 1_000_000


def in_stretches(scene: Any, limits: list[int]) -> LegDiff:
    tables = (scene.frames, scene.sends, scene.connections, scene.marks, scene.requests)
    judge, rows = LegJudge("main", {"schema": 1}), Rows(*map(columns_of, tables), scene.written())
    diffs = []
    for limit in limits:
        found = judge.stretch(rows, limit)
        if found is not None:
            diff, _, rows = found
            diffs.append(diff)
    assert len(diffs) >= 5
    return as_one([*diffs, judge.rest(rows)])


def counts(diff: LegDiff) -> tuple[Any, ...]:
    differences: Counter[tuple[str, ...]] = Counter()
    for d in diff.differences:
        differences[d.code, d.side, d.connection, d.type, d.symbol, d.field] += d.count
    return differences, {role: total["codes"] for role, total in diff.totals.items()}, diff.conserved, diff.frames_sent


def nothing(scene: Any) -> None:
    """Leave it as it is."""


def a_fill_lost(scene: Any) -> None:
    scene.lines["new"].remove(scene.events("new", FUTURES, "fill")[3])


def an_end_lost(scene: Any) -> None:
    """The last update of an order: it is open for ever, and its fills are more than it says."""
    scene.lines["new"].remove(scene.events("new", SPOT, "order")[5])


def an_order_that_is_open_again(scene: Any) -> None:
    scene.events("new", MEXC, "order")[5]["status"] = "partial"


def a_size_that_no_fill_explains(scene: Any) -> None:
    scene.events("legacy", FUTURES, "position")[4]["size"] += 3.0


def less_than_nothing(scene: Any) -> None:
    for balance in scene.events("new", SPOT, "balance")[2:6]:
        balance["free"] = -1.0


def a_fill_twice(scene: Any) -> None:
    lines = scene.lines["new"]
    fill = scene.events("new", SPOT, "fill")[4]
    at = lines.index(fill) + 9
    lines.insert(at, fill | {"t": lines[at]["t"], "read": lines[at]["read"]})


def a_fill_again_long_after(scene: Any) -> None:
    lines = scene.lines["new"]
    fill = scene.events("new", SPOT, "fill")[3]
    at = next(i for i, line in enumerate(lines) if line["t"] > fill["t"] + 200 * MS)
    lines.insert(at, fill | {"t": lines[at]["t"], "read": lines[at]["read"]})


@pytest.mark.parametrize(
    "damage",
    [
        nothing, a_fill_lost, an_end_lost, an_order_that_is_open_again, a_size_that_no_fill_explains, less_than_nothing,
        a_fill_twice, a_fill_again_long_after,
    ],
)  # fmt: skip
@pytest.mark.parametrize("every", [1, 7])
def test_wherever_an_account_is_cut_its_counts_are_those_of_the_whole(
    scene: Any, damage: Any, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (carry, part, side):
        monkeypatch.setattr(module, "AROUND_NS", 80 * MS)
    damage(scene)
    whole = scene.judge()
    assert bool(whole.differences) == (damage is not nothing)
    times = sorted({row["t_sent"] for row in scene.sends})
    limits = times[40:80] if every == 1 else times[20::20]
    assert counts(in_stretches(scene, limits)) == counts(whole)
