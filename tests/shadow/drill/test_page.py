"""The drill's table for people, for gates, and on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from shadow.drill.cells import Cell
from shadow.drill.page import as_json, head_of, page, table
from shadow.drill.plan import Drill

MACHINE = {"cores": 2, "system": "Linux", "release": "6.1", "python": "3.11.7"}
OK = Cell(
    drill=Drill("leak", "", "memory", (), 10.0),
    happened=1,
    verdict="ROLL_BACK",
    reason="memory.level: grew.",
    decided_by="memory",
    fired=("memory",),
    delay=1.1,
    bound=10.0,
)
LATE = msgspec.structs.replace(OK, delay=None)
HEAD = head_of("0.1.0", MACHINE, 7, ["mexc.spot.public"], 61.26, datetime(2026, 11, 27, 21, 0, tzinfo=UTC))


def test_the_page_tells_when_where_and_what() -> None:
    text = page([OK], HEAD)
    assert "Passed on 2026-11-27T21:00:00+00:00: version 0.1.0, stage shadow, seed 7, 2 cores, Linux 6.1" in text
    assert "| leak          | (process)  | memory    | ok     | memory     | -           | 1.1 s | 10 s  |" in text
    assert "What is not ok" not in text
    failed = page([OK, LATE], HEAD)
    assert "Failed on" in failed
    assert "* leak, process: too late. memory.level: grew." in failed


def test_the_json_holds_every_figure_and_the_words() -> None:
    record = as_json([OK, LATE], HEAD)
    assert (record["schema"], record["passed"], record["took_s"]) == (1, False, 61.3)
    assert [line["result"] for line in record["lines"]] == ["ok", "too late"]
    assert record["lines"][0]["drill"]["trigger"] == "memory"
    assert as_json([OK], HEAD)["passed"]


def test_the_columns_of_the_table_are_as_wide_as_their_widest() -> None:
    widths = {len(line) for line in table([OK, LATE]).splitlines()}
    assert len(widths) == 1
