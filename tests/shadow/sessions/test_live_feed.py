"""`--feed live`: a second venue over TLS is the exchange, and the verdict is the one that a direct session gives."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shadow.cli import main
from shadow.connections import CONNECTIONS
from shadow.venue.credentials import listen_key_stem

GATEIO = "gateio.spot.public"
ARGS = ("--no-calibration", "--duration", "2s", "--seed", "5")
ERRORS = [
    f"{kind}@{GATEIO}:at=0s,for=60s,count=100,type={type_}"
    for kind, type_ in (("duplicate", "trade"), ("swap", "book"), ("corrupt", "book_ticker"), ("drop", "ticker"))
]
pytestmark = pytest.mark.timeout(110)


async def session(run_session: Any, out: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code, verdict, _ = await asyncio.to_thread(run_session, out, *words)
    return code, verdict


def differences(verdict: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter(
        {(one["code"], one["side"]): one["count"] for one in verdict["differences"] if one["code"] != "EDGE"}
    )


def everything_in(folder: Path) -> bytes:
    """Every file's bytes, of tables their cells."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    plain = [path.read_bytes() for path in files]
    tables = [repr(pq.read_table(path).to_pydict()).encode() for path in files if path.suffix == ".parquet"]
    return b"\n".join([*plain, *tables])


async def test_the_verdict_is_that_of_a_direct_session(upstream: Any, run_session: Any, tmp_path: Path) -> None:
    connections = ",".join(CONNECTIONS)
    exchange = await upstream(connections=list(CONNECTIONS), rate=300, seed=5)
    words = ("--connections", connections, *ARGS, "--fault", f"close@{GATEIO}/new:at=0.5s,code=1006")
    (code, live), (direct_code, direct) = await asyncio.gather(
        session(run_session, tmp_path / "live", "--feed", "live", *words),
        session(run_session, tmp_path / "direct", *words),
    )
    assert (code, live["verdict"]) == (direct_code, direct["verdict"]) == (11, "HOLD")
    assert differences(live) == differences(direct) == Counter()
    assert (
        live["reason"]
        == "No difference found; a live session proves facts only, latency is not judged and nothing ships."
    )
    assert live["coverage"]["matched"] > 300
    assert (live["coverage"]["share"], live["coverage"]["harness_drops"]) == (1.0, 0)
    assert live["conservation"]["ok"]
    frames = pq.read_table(tmp_path / "live" / "frames.parquet", columns=["connection", "kind"]).to_pylist()
    assert {row["connection"] for row in frames if row["kind"] == "ws"} == set(CONNECTIONS)
    marks = pq.read_table(tmp_path / "live" / "marks.parquet").to_pylist()
    spent = [json.loads(row["detail"]) for row in marks if row["name"] == "budget-used"]
    assert {one["exchange"]: (one["most_connections"], one["listen_keys"], one["refused"]) for one in spent} == {
        "gateio": (4, 0, 0),
        "mexc": (2, 1, 0),
    }
    written = everything_in(tmp_path / "live")
    for account in exchange.credentials.values():
        for secret in (account["key"], account["secret"], listen_key_stem(account["secret"])):
            assert secret.encode() not in written
    assert "an upstream of its own, named by a file" in (tmp_path / "live" / "report.md").read_text()


async def test_an_upstream_that_errs_and_dies_blames_nobody(upstream: Any, run_session: Any, tmp_path: Path) -> None:
    exchange = await upstream(connections=[GATEIO], rate=300, seed=5, faults=ERRORS)
    out = tmp_path / "live"
    running = asyncio.create_task(
        session(run_session, out, "--feed", "live", "--connections", GATEIO, *ARGS[:1], "--duration", "4s")
    )
    await exchange.ws.passed_on(100_000)
    exchange.ws.drop()
    code, verdict = await running
    assert (code, verdict["verdict"]) == (11, "HOLD"), verdict["reason"]
    assert set(differences(verdict)) == {("DUP", "legacy")}
    marks = pq.read_table(out / "marks.parquet").to_pylist()
    assert {json.loads(row["detail"])["kind"] for row in marks if row["name"] == "fault"} == {
        "duplicate",
        "swap",
        "corrupt",
    }
    rows = pq.read_table(out / "connections.parquet").to_pylist()
    assert Counter(row["subject"] for row in rows if row["cause"] == "upstream" and row["event"] == "close") == {
        "legacy": 1,
        "new": 1,
    }


def test_no_network_is_one_line_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    upstream = {"ws": {"gateio.spot": "wss://127.0.0.1:9/ws/v4/"}, "rest": {"gateio": "https://127.0.0.1:9"}}
    (tmp_path / "upstream.json").write_text(json.dumps(upstream))
    monkeypatch.setenv("WS_SHADOW_UPSTREAM", str(tmp_path / "upstream.json"))
    monkeypatch.chdir(tmp_path)
    before = children()
    for words in (
        ["run", "--feed", "live", "--connections", GATEIO],
        ["venue", "--feed", "live", "--connections", GATEIO],
    ):
        assert main(words) == 2
        last = capfd.readouterr().err.splitlines()[-1]
        assert last.startswith(f"shadow: cannot reach 127.0.0.1 for {GATEIO}: ")
        assert "--feed sim" in last
    assert list(tmp_path.glob("runs/*")) == []
    assert children() == before


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
