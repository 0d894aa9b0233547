"""`--feed live --direct` against a second venue: three stacks, each on connections of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

HERE = Path(__file__).parent
SPOT, ACCOUNT = "gateio.spot.public", "gateio.spot.private"
Outcome = tuple[int, dict[str, Any], str]
Run = Callable[..., Outcome]
LIVE = ("--feed", "live", "--direct", "--duration", "6s")


@contextmanager
def second_venue(folder: Path, *words: str) -> Iterator[dict[str, str]]:
    """A venue of its own; the environment that makes it the upstream."""
    command = [sys.executable, "-m", "shadow.cli", "venue", "--rate", "300", "--connections", f"{SPOT},{ACCOUNT}"]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        (folder / "upstream.json").write_bytes(process.stdout.readline())
        try:
            yield {"WS_SHADOW_UPSTREAM": str(folder / "upstream.json")}
        finally:
            process.terminate()


def direct(
    folder: Path, run_session: Run, monkeypatch: pytest.MonkeyPatch, *words: str, venue: tuple[str, ...] = ()
) -> tuple[Path, Outcome]:
    with second_venue(folder, *venue) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return folder / "run", run_session(folder / "run", *LIVE, *words)


def rows(run: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(run / f"{table}.parquet").to_pylist()
    return found


def rates(run: Path) -> dict[tuple[str, str], list[int]]:
    view = json.loads((run / "analysis.json").read_bytes())["dual"]
    return {(one["code"], one["connection"]): one["incidents"] for one in view["rates"]}


@pytest.mark.timeout(110)
def test_what_the_exchange_drops_is_shared_and_a_reset_of_one_side_is_a_rate(
    run_session: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """New's own connection is reset once; legacy's account stream stays as it is; nothing of it is a fact."""
    drops = [word for at in range(3, 14) for word in ("--fault", f"drop@{SPOT}:at={at}s,count=1,type=book")]
    run, (code, verdict, said) = direct(
        tmp_path,
        run_session,
        monkeypatch,
        *("--connections", f"{SPOT},{ACCOUNT}", "--fault", f"reset@{SPOT}/new:at=3s"),
        venue=tuple(drops),
    )
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
    assert sorted(opened) == ["legacy", "legacy2", "new", "new"]
    assert not [m for m in rows(run, "marks") if m["name"] in ("order-refused", "budget")]
    page = (run / "report.html").read_text()
    assert "Own connections: incidents" in page
    assert "At the exchange" in page


@pytest.mark.timeout(110)
def test_a_stack_that_damages_and_sends_an_order_is_rolled_back(
    run_session: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Judged by the frames that its own connection brought: that is a fact, whatever the others saw."""
    command = f"{sys.executable} {HERE / 'faulty_stack.py'} levels_are_left_out_and_an_order_is_sent"
    words = ("--connections", SPOT, "--duration", "4s", "--new", command)
    run, (code, verdict, _) = direct(tmp_path, run_session, monkeypatch, *words)
    assert (code, verdict["decided_by"]) == (10, "functionality"), verdict["reason"]
    blamed = [d for d in verdict["differences"] if d["severity"] == "critical"]
    assert {d["side"] for d in blamed} == {"new"}
    assert {("CONTROL", "order"), ("FIELD", "bids.levels:value")} <= {(d["code"], d["field"]) for d in blamed}
    assert {m["role"] for m in rows(run, "marks") if m["name"] == "order-refused"} == {"new"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--direct",), "add --feed live"),
        (("--feed", "live", "--direct", "--rate", "max"), "leave --rate max"),
        (("--feed", "live", "--direct", "--fault", f"drop@{SPOT}:at=1s"), "only do close and reset"),
        (("--feed", "live", "--direct"), "needs credentials"),
    ],
)
def test_mistakes_are_one_line_with_the_way_out(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shadow.cli import main

    monkeypatch.delenv("WS_SHADOW_UPSTREAM", raising=False)
    assert main(["run", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
