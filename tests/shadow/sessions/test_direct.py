"""`--feed live --direct` against a second venue: three stacks, each on connections of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shadow.cli import main

HERE = Path(__file__).parent
SPOT, ACCOUNT = "gateio.spot.public", "gateio.spot.private"
LIVE = ("--feed", "live", "--direct")
RESETS = f"reset@{SPOT}/new:at=2s,count=5,every=200ms"
pytestmark = pytest.mark.timeout(110)


def rows(run: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(run / f"{table}.parquet").to_pylist()
    return found


def rates(run: Path) -> dict[tuple[str, str], list[int]]:
    view = json.loads((run / "analysis.json").read_bytes())["dual"]
    return {(one["code"], one["connection"]): one["incidents"] for one in view["rates"]}


async def test_what_the_exchange_drops_is_shared_and_a_reset_of_one_side_is_a_rate(
    upstream: Any, run_session: Any, tmp_path: Path
) -> None:
    """New's own connection is reset five times within a second, which is one incident; nothing of it is a fact, and
    legacy's connections stay as they are."""
    drops = [f"drop@{SPOT}:at={at}s,count=1,type=book" for at in range(3, 14)]
    await upstream(connections=[SPOT, ACCOUNT], rate=600, faults=drops)
    words = (*LIVE, "--connections", f"{SPOT},{ACCOUNT}", "--duration", "6s", "--fault", RESETS)
    run = tmp_path / "run"
    code, verdict, said = await asyncio.to_thread(run_session, run, *words)
    assert (code, verdict["verdict"]) == (11, "HOLD"), (verdict["reason"], said)
    assert "connections of its own" in verdict["reason"]
    assert [d for d in verdict["differences"] if d["severity"] in ("critical", "major") and d["side"] != "legacy"] == []
    assert verdict["conservation"]["ok"]
    shared = [d for d in verdict["differences"] if d["code"] == "SHARED"]
    assert [(d["side"], d["severity"], d["connection"]) for d in shared] == [("both", "info", SPOT)]
    found = rates(run)
    assert found["MISSING", SPOT][0] == 1
    assert found["MISSING", SPOT][1:] == [0, 0]
    assert ("MISSING", ACCOUNT) not in found
    assert ("STATE", SPOT) not in found
    closes = {(c["subject"], c["connection"], c["cause"]) for c in rows(run, "connections") if c["event"] == "close"}
    assert {close for close in closes if close[2] not in ("client", "stop")} == {("new", SPOT, "fault:reset")}
    opened = [c["subject"] for c in rows(run, "connections") if (c["event"], c["connection"]) == ("open", SPOT)]
    assert (opened.count("legacy"), opened.count("legacy2")) == (1, 1)
    assert opened.count("new") > 1
    assert not [m for m in rows(run, "marks") if m["name"] in ("order-refused", "budget")]
    page = (run / "report.html").read_text()
    assert "Own connections: incidents" in page
    assert "At the exchange" in page


async def test_a_stack_that_damages_and_sends_an_order_is_rolled_back(
    upstream: Any, run_session: Any, tmp_path: Path
) -> None:
    """Judged by the frames that its own connection brought: that is a fact, whatever the others saw."""
    command = f"{sys.executable} {HERE / 'faulty_stack.py'} levels_are_left_out_and_an_order_is_sent"
    await upstream(connections=[SPOT], rate=300)
    words = (*LIVE, "--connections", SPOT, "--duration", "4s", "--new", command)
    run = tmp_path / "run"
    code, verdict, _ = await asyncio.to_thread(run_session, run, *words)
    assert (code, verdict["decided_by"]) == (10, "functionality"), verdict["reason"]
    blamed = [d for d in verdict["differences"] if d["severity"] == "critical"]
    assert {d["side"] for d in blamed} == {"new"}
    assert {("CONTROL", "order"), ("FIELD", "bids.levels:value")} <= {(d["code"], d["field"]) for d in blamed}
    assert {m["role"] for m in rows(run, "marks") if m["name"] == "order-refused"} == {"new"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--direct",), "add --feed live"),
        ((*LIVE, "--rate", "max"), "leave --rate max"),
        ((*LIVE, "--fault", f"drop@{SPOT}:at=1s"), "only do close and reset"),
        ((*LIVE, "--connections", f"{SPOT},{ACCOUNT}"), "take its key, secret, uid"),
    ],
)
def test_mistakes_are_one_line_with_the_way_out(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WS_SHADOW_UPSTREAM", raising=False)
    assert main(["run", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_an_exchange_out_of_reach_is_nobody_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = {"ws": {"gateio.spot": "wss://127.0.0.1:9/ws/v4/"}, "rest": {"gateio": "https://127.0.0.1:9"}}
    (tmp_path / "upstream.json").write_text(json.dumps(gone))
    monkeypatch.setenv("WS_SHADOW_UPSTREAM", str(tmp_path / "upstream.json"))
    monkeypatch.chdir(tmp_path)
    assert main(["run", *LIVE, "--connections", SPOT]) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"shadow: cannot reach 127.0.0.1 for {SPOT}: ")
    assert list(tmp_path.glob("runs/*")) == []
