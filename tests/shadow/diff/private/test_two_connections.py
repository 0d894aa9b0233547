"""An account's frames over two connections of one side: each event is owed once, and may come once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

MEXC = "mexc.spot.private"
MS = 1_000_000


def found(diff: LegDiff) -> Counter[tuple[str, str, str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in diff.differences:
        counts[item.code, item.side, item.type] += item.count
    return counts


def renew(scene: Any, again: str = "") -> int:
    """Both connections of new are sent one order's life; `again` is delivered over each. Returns how many events."""
    scene.conn_no["new", MEXC] = 2
    scene.subscribe("new", MEXC)
    scene.now += MS
    steps = scene.accounts[MEXC].life(scene.ms, "filled")
    for step in steps:
        scene.conn_no["new", MEXC] = 1
        no = scene.send(MEXC, step)
        scene.conn_no["new", MEXC] = 2
        scene.send(MEXC, step, to=("new",), no=no, silent=() if step[0] == again else ("new",))
    scene.conn_no["new", MEXC] = 1
    scene.note("new", MEXC, "close", code=1000, cause="client")
    scene.conn_no["new", MEXC] = 2
    scene.live(MEXC)
    return len([step for step in steps if step[0] == again or not again])


def test_who_delivers_each_event_once_is_not_blamed(scene: Any) -> None:
    copies = renew(scene)
    diff = scene.judge()
    assert found(diff) == {}
    assert diff.totals["new"]["codes"]["CONFLATED"] == copies
    assert diff.conserved


@pytest.mark.parametrize("channel", ["order", "fill", "balance"])
def test_an_event_that_comes_over_both_is_found(scene: Any, channel: str) -> None:
    copies = renew(scene, again=channel)
    diff = scene.judge()
    assert found(diff)["DUP", "new", channel] == copies
    assert diff.conserved


@pytest.mark.parametrize("channel", ["order", "fill", "balance"])
def test_an_event_that_comes_over_neither_is_missing_once(scene: Any, channel: str) -> None:
    start = len(scene.lines["new"])
    renew(scene)
    lost = next(row for row in scene.lines["new"][start:] if row.get("type") == channel)
    scene.lines["new"] = [row for row in scene.lines["new"] if row is not lost]
    assert found(scene.judge())["MISSING", "new", channel] == 1
