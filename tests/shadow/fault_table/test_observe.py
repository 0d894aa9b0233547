"""Reading a session's ledger, lines and diff into cells."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from shadow.diff.codes import Difference, Ends
from shadow.fault_table.observe import count, hits, losses, refusals, tail, unequal_books

PLACE = "gateio.spot.public"
SECOND = 1_000_000_000


class Run:
    """A run directory's tables, by hand."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        self.tables = {name.replace("__", "/"): rows for name, rows in tables.items()}

    def roles(self) -> list[str]:
        return [name.partition("/")[2] for name in self.tables if name.startswith("events/")]

    def table(self, name: str) -> pa.Table:
        return pa.Table.from_pylist(self.tables[name])


def mark(name: str, t: int = 1, **detail: Any) -> dict[str, Any]:
    return {"t": t, "leg": "main", "role": "", "name": name, "detail": json.dumps(detail)}


def test_a_strike_at_nothing_is_no_hit() -> None:
    marks = [
        mark("leg-begin"),
        mark("fault", 2, kind="close", connection=PLACE, role="new", conn_no=[]),
        mark("fault", 3, kind="burst", connection=PLACE, role="new", frames=0),
        mark("fault", 4, kind="close", connection=PLACE, role="new", conn_no=[1]),
        mark("fault", 5, kind="drop", connection=PLACE, role="new"),
        mark("fault", 6, kind="close", connection=PLACE, role="legacy", conn_no=[2]),
    ]
    run: Any = Run(marks=marks)
    assert hits(run, "close") == {(PLACE, "new"): [4], (PLACE, "legacy"): [6]}
    assert hits(run, "burst") == {}


def test_a_refusal_stands_until_the_subscription_is_accepted() -> None:
    def row(t: int, event: str, channel: str, cause: str) -> dict[str, Any]:
        place = {"subject": "new", "connection": PLACE, "channel": channel, "symbol": "BTC_USDT"}
        return {"t": t, "event": event, "cause": cause, **place}

    run: Any = Run(
        connections=[
            row(3, "subscribed", "trade", "client"),
            row(1, "refused", "book", "fault:refuse-subscribe"),
            row(2, "refused", "trade", "fault:refuse-auth"),
            row(4, "refused", "ticker", "venue"),
        ]
    )
    assert refusals(run) == {("new", PLACE, "book", "BTC_USDT")}


def test_losses_are_what_is_grave_on_the_side_and_its_connection() -> None:
    def one(code: str, side: str, severity: str, connection: str, kind: str = "trade", field: str = "") -> Difference:
        return Difference(code, side, severity, connection, kind, "BTC_USDT", field, 2)

    differences = [
        one("MISSING", "new", "critical", PLACE),
        one("MISSING", "both", "critical", PLACE),
        one("DUP", "new", "major", PLACE),
        one("DUP", "new", "info", PLACE, "ticker"),
        one("CONTROL", "new", "minor", PLACE),
        one("STATE", "legacy", "critical", PLACE, "book"),
        one("STATE", "new", "critical", "mexc.spot.public", "book"),
        one("EXC", "new", "critical", "", "", "died"),
    ]
    assert losses(differences, "new", PLACE) == {"DUP trade": 2, "EXC died": 2, "MISSING trade": 4}
    assert losses(differences, "legacy", PLACE) == {"MISSING trade": 2, "STATE book": 2}


def test_what_was_told_before_the_first_strike_does_not_count() -> None:
    lines = [
        {"k": "error", "c": PLACE, "t": 5, "kind": "connect"},
        {"k": "error", "c": PLACE, "t": 15, "kind": "decode"},
        {"k": "error", "c": PLACE, "t": 25, "kind": "decode"},
        {"k": "error", "c": "mexc.spot.public", "t": 25, "kind": "auth"},
        {"k": "state", "c": PLACE, "t": 25, "state": "error"},
    ]
    assert count(lines, "error", "kind", PLACE, [20, 10]) == {"decode": 2}
    assert count(lines, "error", "kind", PLACE, []) == {}


def test_only_the_books_that_the_venue_fed_are_asked_for() -> None:
    here = {(PLACE, "book", "BTC_USDT"), (PLACE, "book", "ETH_USDT"), (PLACE, "trade", "BTC_USDT")}
    ends = Ends({(PLACE, "BTC_USDT"): True, ("mexc.spot.public", "BTCUSDT"): False}, {})
    assert unequal_books(ends, here) == ["ETH_USDT"]


def test_the_last_moments_tell_what_was_fed_and_what_came() -> None:
    def frame(number: int, channel: str, kind: str = "ws") -> dict[str, Any]:
        return {"frame_no": number, "kind": kind, "connection": PLACE, "channel": channel, "symbol": "BTC_USDT"}

    def event(kind: str, t: int) -> dict[str, Any]:
        return {"k": "event", "c": PLACE, "type": kind, "symbol": "BTC_USDT", "t": t}

    end = 10 * SECOND
    run: Any = Run(
        marks=[mark("phase-begin", 0, phase="paired"), mark("phase-end", end, phase="paired")],
        frames=[frame(1, "book"), frame(2, "trade"), frame(3, "ticker"), frame(4, "book", "rest")],
        sends=[
            {"frame_no": 1, "t_sent": end - SECOND},
            {"frame_no": 2, "t_sent": end - 2 * SECOND},
            {"frame_no": 3, "t_sent": end - SECOND // 10},
            {"frame_no": 4, "t_sent": end - SECOND},
        ],
        events__new=[event("book", end - 3 * SECOND), event("trade", end - SECOND)],
    )
    fed, given = tail(run)
    assert fed == {(PLACE, "book", "BTC_USDT")}
    assert given == {"new": {(PLACE, "trade", "BTC_USDT")}, "legacy": set()}
