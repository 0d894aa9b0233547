"""The recorded feed, and a close right behind data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

Run = Callable[..., tuple[int, dict[str, Any], str]]
Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]


def events(out: Path, role: str) -> Counter[str]:
    table = pq.read_table(out / "events" / f"{role}.parquet", columns=["k", "type", "body"]).to_pylist()
    return Counter(
        row["type"] for row in table if row["k"] == "event" and b'"snapshot":true' not in row["body"].replace(b" ", b"")
    )


@pytest.mark.checklist("S.2", "3.2.15")
@pytest.mark.timeout(110)
def test_the_recorded_session_is_delivered_whole_by_both(run_session: Run, captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    feed = f"capture:{captures / 'gateio-spot-2021.session'}"
    code, verdict, _ = run_session(out, "--feed", feed, "--rate", "max")
    assert (code, verdict["verdict"]) == (11, "HOLD")
    assert "latency" in verdict["reason"]
    for role in ("legacy", "new"):
        assert events(out, role) == {"book": 172, "trade": 9, "ticker": 22}, role
    assert [d for d in verdict["differences"] if d["code"] != "EDGE"] == []
    assert verdict["coverage"]["share"] == 1.0
    assert verdict["conservation"]["ok"]
    functionality = next(t for t in verdict["triggers"] if t["id"] == "functionality")
    assert functionality["verdict"] == "PASS"


@pytest.mark.checklist("5.2.13")
@pytest.mark.timeout(480)  # the first test waits for all live sessions
@pytest.mark.parametrize("connection", ["gateio.spot.public", "mexc.spot.public"])
def test_a_close_right_behind_a_burst_loses_nothing_at_new(live: Live, connection: str) -> None:
    out, (_, verdict, _) = live["close behind data"]
    by_side = Counter[str]()
    for difference in verdict["differences"]:
        if difference["connection"] == connection and difference["code"] in ("MISSING", "STALE", "GAP", "LIFECYCLE"):
            by_side[difference["side"]] += difference["count"]
    assert by_side["legacy"] > 0
    assert by_side["new"] == by_side["both"] == 0
    opened = pq.read_table(out / "connections.parquet").to_pylist()
    reconnects = [r for r in opened if (r["event"], r["subject"], r["connection"]) == ("open", "new", connection)]
    assert len(reconnects) > 1
