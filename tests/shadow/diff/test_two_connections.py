"""While one connection of a side takes over from another, a frame goes to both: it is owed once, and may come once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import pytest

from shadow.diff.codes import LegDiff

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
MS = 1_000_000
ROUNDS = 6


def found(diff: LegDiff) -> Counter[tuple[str, str, str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in diff.differences:
        if item.severity != "info":
            counts[item.code, item.side, item.type] += item.count
    return counts


def round_for_both(scene: Any, connection: str, again: Collection[str] = (), silent: tuple[str, ...] = ()) -> None:
    """A round that both connections of new are sent; types in `again` are delivered over each."""
    told = len(scene.lines["new"])
    for no in scene.step(connection, silent=silent):
        row = next(row for row in reversed(scene.sends) if (row["frame_no"], row["subject"]) == (no, "new"))
        copy = {"conn_no": row["conn_no"] + 1, "t_sent": row["t_sent"] + 1000, "first_written": False}
        scene.sends.append({**row, **copy})
    for line in scene.lines["new"][told:]:
        if line["type"] in again:
            scene.lines["new"].append({**line, "t": scene.now, "read": scene.now + 10 * MS})
    scene.now += 5 * MS


def renew(scene: Any, connection: str, rounds: int = ROUNDS, **how: Any) -> None:
    """New opens a second connection, has both for some rounds, leaves the first, and goes on."""
    scene.conn_no["new", connection] = 2
    scene.subscribe("new", connection)
    scene.conn_no["new", connection] = 1
    scene.now += MS
    for _ in range(rounds):
        round_for_both(scene, connection, **how)
    scene.note("new", connection, "close", code=1000, cause="client")
    scene.conn_no["new", connection] = 2
    for _ in range(3):
        scene.step(connection)


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
def test_who_delivers_each_event_once_is_not_blamed(scene: Any, connection: str) -> None:
    renew(scene, connection)
    diff = scene.judge()
    assert found(diff) == {}
    events = ROUNDS * (5 if connection == MEXC else 4)
    assert diff.totals["new"]["codes"] == {**diff.totals["legacy"]["codes"], "CONFLATED": events} | {
        "MATCH": diff.totals["new"]["codes"]["MATCH"]
    }
    assert diff.totals["new"]["expected_codes"]["MATCH"] == diff.totals["legacy"]["expected_codes"]["MATCH"]
    assert diff.conserved


@pytest.mark.parametrize(("connection", "count"), [(GATEIO, ROUNDS), (MEXC, 2 * ROUNDS)])
def test_a_trade_that_comes_over_both_is_found(scene: Any, connection: str, count: int) -> None:
    renew(scene, connection, again=("trade",))
    diff = scene.judge()
    assert found(diff) == {("DUP", "new", "trade"): count}
    assert diff.conserved


@pytest.mark.parametrize("event_type", ["book", "book_ticker", "ticker"])
def test_what_goes_back_to_where_the_second_began_is_found(scene: Any, event_type: str) -> None:
    """Each of these may be delivered twice, but not behind a later one."""
    start = len(scene.lines["new"])
    renew(scene, MEXC)
    lines = [row for row in scene.lines["new"][start:] if row["k"] == "event"]
    copies = [row for row in lines if row["type"] == event_type][:ROUNDS]
    place = next(i for i, row in enumerate(scene.lines["new"]) if row is copies[-1]) + 1
    t, read = copies[-1]["t"], copies[-1]["read"]
    scene.lines["new"][place:place] = [{**row, "t": t, "read": read} for row in copies]
    assert found(scene.judge())["REORDER", "new", event_type] > 0


@pytest.mark.parametrize("event_type", ["book", "trade", "book_ticker", "ticker"])
def test_what_comes_over_neither_is_missing_once(scene: Any, event_type: str) -> None:
    start = len(scene.lines["new"])
    renew(scene, MEXC)
    lines = scene.lines["new"]
    lost = next(row for row in lines[start + 10 :] if row.get("type") == event_type)
    lines[:] = [row for row in lines if row is not lost]
    assert found(scene.judge())["MISSING", "new", event_type] == 1
