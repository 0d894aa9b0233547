"""The options of the start line that our own subjects know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]
pytestmark = pytest.mark.timeout(480)  # the first test waits for all live sessions
HARMLESS = {"EDGE", "CONFLATED", "IN_FLIGHT"}


@pytest.mark.parametrize("name", ["by the direct door", "over picows"])
def test_the_same_events_by_another_door_and_over_another_transport(live: Live, name: str) -> None:
    out, (code, verdict, _) = live[name]
    assert (code, verdict["verdict"]) == (11, "HOLD"), (verdict["reason"], verdict["triggers"])
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    assert verdict["conservation"]["ok"]
    events = pq.read_table(out / "events" / "new.parquet").to_pylist()
    types = {(row["c"], row["type"]) for row in events if row["k"] == "event"}
    assert len(types) == 8
    states = [orjson.loads(row["body"])["state"] for row in events if row["k"] == "state"]
    assert {"connecting", "connected", "subscribed", "closed"} <= set(states)


def test_a_capacity_run_loses_nothing_of_new_and_says_what_each_side_keeps_up_with(live: Live) -> None:
    _, (code, verdict, _) = live["as fast as both keep up"]
    assert (code, verdict["verdict"]) == (11, "HOLD"), verdict["reason"]
    assert {entry["side"] for entry in verdict["differences"] if entry["code"] not in HARMLESS} <= {"legacy"}
    assert verdict["coverage"]["harness_drops"] == 0
    assert verdict["coverage"]["frames_sent"] > 2 * 15_000
    (ceiling,) = (metric for metric in verdict["metrics"] if metric["id"] == "throughput.max")
    assert ceiling["new"] >= 900
    assert f"{ceiling['new']:.0f} frames/s" in verdict["reason"]


def test_a_session_of_one_symbol_compares_that_one_and_ships_nothing(live: Live) -> None:
    out, (code, verdict, _) = live["one symbol"]
    assert (code, verdict["verdict"]) == (11, "HOLD"), verdict["reason"]
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    events = pq.read_table(out / "events" / "new.parquet").to_pylist()
    assert {row["symbol"] for row in events if row["k"] == "event"} == {"ETH_USDT", "ETHUSDT"}
    assert verdict["coverage"]["share"] == 1.0


def test_a_wall_clock_that_steps_is_nobodys_fault(live: Live) -> None:
    _, (code, verdict, _) = live["the wall clock steps"]
    assert (code, verdict["verdict"]) == (11, "HOLD"), verdict["reason"]
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    assert verdict["coverage"]["share"] == 1.0
