"""A connection that new leaves for a second one in the middle of a session: nothing is lost, nothing comes twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]
CONNECTIONS = ("mexc.spot.public", "mexc.spot.private")
HARMLESS = {"EDGE", "CONFLATED", "IN_FLIGHT"}


def moments(folder: Path, connection: str) -> dict[tuple[int, str], int]:
    """When the first event of each kind happened to each socket of new in the main leg."""
    rows = pq.read_table(folder / "connections.parquet").to_pylist()
    mine = [row for row in rows if (row["subject"], row["connection"], row["leg"]) == ("new", connection, "main")]
    return {(row["conn_no"], row["event"]): row["t"] for row in sorted(mine, key=lambda row: row["t"], reverse=True)}


@pytest.mark.timeout(480)
@pytest.mark.checklist("5.2.12")
def test_a_connection_that_is_left_before_its_end_costs_nothing(live: Live) -> None:
    folder, (_, verdict, _) = live["renewed"]
    assert verdict["verdict"] != "ROLL_BACK", verdict["reason"]
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    for connection in CONNECTIONS:
        at = moments(folder, connection)
        assert at[1, "subscribed"] < at[2, "open"] < at[2, "subscribed"] < at[1, "close"]
        uptime = next(m for m in verdict["metrics"] if m["id"] == f"stability.uptime.{connection}")
        assert uptime["verdict"] == "PASS", uptime
        assert uptime["new"] == 1.0


@pytest.mark.timeout(480)
def test_who_delivers_what_both_connections_brought_is_found(live: Live) -> None:
    _, (code, verdict, _) = live["renewed with copies"]
    assert (code, verdict["verdict"], verdict["decided_by"]) == (10, "ROLL_BACK", "functionality"), verdict["reason"]
    blamed = {(d["code"], d["side"], d["type"]) for d in verdict["differences"] if d["severity"] != "info"}
    assert {("DUP", "new", "trade"), ("REORDER", "new", "book"), ("REORDER", "new", "ticker")} <= blamed, blamed
