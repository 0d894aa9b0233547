"""What counts as having happened, by whoever did it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from shadow.drill.observe import codes, struck
from shadow.drill.plan import Drill, DrillSession
from shadow.drill.view import Judged

ONE, OTHER = "gateio.spot.public", "mexc.spot.public"


class View:
    """Some tables of a run."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        self._tables = {name.replace("__", "/"): pa.Table.from_pylist(rows) for name, rows in tables.items()}

    def roles(self) -> list[str]:
        return [name.removeprefix("events/") for name in self._tables if name.startswith("events/")]

    def table(self, name: str) -> pa.Table:
        return self._tables[name]


def session(**how: Any) -> DrillSession:
    return DrillSession("any", 1.0, (), (ONE, OTHER), **how)


def log(kind: str, connection: str, t: int) -> dict[str, Any]:
    return {"k": "log", "body": json.dumps({"sabotage": kind, "c": connection, "t": t}, separators=(",", ":")).encode()}


def mark(t: int, name: str, leg: str = "main", role: str = "", **detail: Any) -> dict[str, Any]:
    return {"t": t, "name": name, "leg": leg, "role": role, "detail": json.dumps(detail)}


def test_a_saboteur_is_believed_for_its_kind_and_connection_alone() -> None:
    rows = [log("drop", ONE, 1), log("drop", OTHER, 2), log("swap", ONE, 3), log("drop", "*", 4)]
    rows += [{"k": "log", "body": b"no protocol"}, {"k": "event", "body": log("drop", ONE, 5)["body"]}]
    view: Any = View(events__new=rows)
    assert struck(view, Drill("drop", ONE), session(damages=("drop@*",))) == [1, 4]
    assert struck(view, Drill("leak", ""), session(damages=("leak@*",))) == []
    assert struck(View(marks=[]), Drill("drop", ONE), session(damages=("drop@*",))) == []  # type: ignore[arg-type]  # stands in


@pytest.mark.parametrize(("roles", "times"), [(("legacy", "new"), [1, 2]), (("new", "new"), [])])
def test_an_outage_is_one_of_both_sides(roles: tuple[str, str], times: list[int]) -> None:
    marks = [mark(t, "fault", role=role, kind="reset") for t, role in enumerate(roles, 1)]
    view: Any = View(marks=[*marks, mark(9, "fault", leg="aa1", role="legacy")])
    assert struck(view, Drill("outage", ONE), session(faults=("reset@*",))) == times


def test_work_counts_in_the_main_leg_and_where_there_was_some() -> None:
    view: Any = View(
        marks=[mark(1, "burn", leg="control", burn_ns={ONE: 5}), mark(2, "burn", burn_ns={ONE: 5, OTHER: 0})]
    )
    assert struck(view, Drill("slower", ONE), session(burn=0.3)) == [2]
    assert struck(view, Drill("slower", OTHER), session(burn=0.3)) == []


def test_where_the_feed_is_the_drill_its_frames_count() -> None:
    view: Any = View(marks=[mark(1, "leg-begin")], sends=[{"t_sent": 5}, {"t_sent": 6}])
    assert struck(view, Drill("quiet", ONE), session()) == [5, 6]


def test_only_grave_differences_of_the_asked_sides_count() -> None:
    from types import SimpleNamespace

    from shadow.diff.codes import Difference

    def one(code: str, side: str, severity: str) -> Difference:
        return Difference(code, side, severity, ONE, "trade", "BTC_USDT", "", 2)

    found = [one("MISSING", "new", "critical"), one("DUP", "new", "info"), one("GAP", "both", "major")]
    main: Any = SimpleNamespace(
        diffs={"main": SimpleNamespace(differences=[*found, one("STATE", "legacy", "critical")])}
    )
    judged = Judged(main, main)
    assert codes(judged, ("new", "both")) == {"GAP": 2, "MISSING": 2}
    assert codes(judged, ("legacy", "both")) == {"GAP": 2, "STATE": 2}
