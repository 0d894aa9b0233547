"""A day in a minute: listen keys are extended as much sooner, and connections end after their 24 hours, or are left
by the new stack before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

Outcome = tuple[int, dict[str, Any], str]
Live = dict[str, tuple[Path, Outcome]]
KEY = b"/api/v3/userDataStream"
HARMLESS = {"EDGE", "CONFLATED", "IN_FLIGHT"}
SIDES = ("legacy", "new")


def key_calls(folder: Path) -> Counter[tuple[str, str]]:
    """Calls about listen keys by side and method."""
    rows = pq.read_table(folder / "requests.parquet").to_pylist()
    calls = ((row["subject"], row["payload"].split(b" ")) for row in rows if row["kind"] == "rest")
    return Counter((side, words[0].decode()) for side, words in calls if words[1].startswith(KEY))


def planned_closes(folder: Path) -> Counter[tuple[str, str]]:
    rows = pq.read_table(folder / "connections.parquet").to_pylist()
    return Counter((row["subject"], row["connection"]) for row in rows if row["cause"] == "planned")


def left_for_another(folder: Path) -> Counter[tuple[str, str]]:
    """Closes by the client while it had another socket open, by side and connection."""
    open_ones: dict[tuple[str, str], set[int]] = {}
    found: Counter[tuple[str, str]] = Counter()
    for row in sorted(pq.read_table(folder / "connections.parquet").to_pylist(), key=lambda row: row["t"]):
        who = row["subject"], row["connection"]
        if row["event"] == "open":
            open_ones.setdefault(who, set()).add(row["conn_no"])
        elif row["event"] == "close":
            open_ones[who].discard(row["conn_no"])
            found[who] += row["cause"] == "client" and bool(open_ones[who])
    return found


def copies_by_side(folder: Path) -> dict[str, int]:
    """How many events of the main leg were sent once more and not delivered again."""
    analysis = json.loads((folder / "analysis.json").read_text())
    return {side: totals["codes"].get("CONFLATED", 0) for side, totals in analysis["conservation"]["main"].items()}


@pytest.mark.timeout(480)
@pytest.mark.parametrize("name", ["an account", "an account by the direct door"])
def test_listen_keys_that_live_2_5_s_are_extended_in_time(live: Live, name: str) -> None:
    folder, (_, verdict, _) = live[name]
    calls = key_calls(folder)
    for side in SIDES:
        assert calls[side, "PUT"] >= 2, (side, calls)
        assert calls[side, "POST"] == 1, (side, calls)
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    assert "COMPRESSED DAY: 24 hours in" in (folder / "report.md").read_text()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.checklist("5.2.12")
def test_a_day_and_a_bit_of_all_connections_loses_nothing(run_session: Callable[..., Outcome], tmp_path: Path) -> None:
    words = ("--time-scale", "1440", "--no-calibration", "--duration", "130s", "--rate", "200")
    _, verdict, _ = run_session(tmp_path / "run", *words, timeout_s=280)
    assert verdict["verdict"] != "ROLL_BACK", verdict["reason"]
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    copies = copies_by_side(tmp_path / "run")
    assert copies["legacy"] == 0
    coverage = verdict["coverage"]
    # What both connections of new were sent while one took over: four times a second or so of the 130, on two of six
    # connections, is 1 %; more where it falls into the bursts.
    assert 0 < copies["new"] < 0.02 * coverage["events_expected"]
    assert coverage["matched"] + copies["new"] == coverage["events_expected"] > 50_000
    closes = planned_closes(tmp_path / "run")
    for connection in ("mexc.spot.public", "mexc.spot.private"):
        assert closes["legacy", connection] >= 1, closes
        assert closes["new", connection] == 0, closes
        assert left_for_another(tmp_path / "run")["new", connection] == 2
    for side in SIDES:
        assert key_calls(tmp_path / "run")[side, "PUT"] > 40
