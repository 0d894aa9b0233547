"""Candidates that fail live: ROLL BACK by functionality, the other side's data kept, nothing left running."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

Outcome = tuple[int, dict[str, Any], str]
Run = Callable[..., Outcome]
SHORT = ("--no-calibration", "--duration", "4s")


def command(script: str) -> str:
    return shlex.join([sys.executable, "-c", script])


def delivered(out: Path, role: str) -> int:
    table = pq.read_table(out / "events" / f"{role}.parquet")
    return int(pc.sum(pc.equal(table["k"], "event")).as_py() or 0)


def leftovers(out: Path) -> list[str]:
    """Processes whose command line names this run, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(out) in line:
                found.append(line)
    return found


@pytest.mark.checklist("R.4")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import a_stack_that_does_not_exist", "exited-before-hello"),
        ("raise SystemExit(0)", "exited-before-hello"),
        ("import sys; sys.stdin.read()", "no-hello"),
    ],
    ids=["cannot be imported", "exits at once", "never says hello"],
)
def test_a_candidate_that_cannot_start_is_named(run_session: Run, tmp_path: Path, script: str, reason: str) -> None:
    out = tmp_path / "run"
    code, verdict, said = run_session(out, *SHORT, "--new", command(script))
    assert (code, verdict["verdict"], verdict["decided_by"]) == (10, "ROLL_BACK", "functionality")
    assert "new" in verdict["reason"]
    assert [d["side"] for d in verdict["differences"] if d["code"] == "EXC"] == ["new"]
    assert reason.replace("-", " ") in said
    assert delivered(out, "legacy") > 500
    assert leftovers(out) == []


@pytest.mark.timeout(60)
def test_a_legacy_that_cannot_start_is_not_fit_never_an_improvement(run_session: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    code, verdict, _ = run_session(out, *SHORT, "--legacy", command("raise SystemExit(1)"))
    assert (code, verdict["verdict"]) == (12, "NOT_FIT")
    assert "legacy" in verdict["reason"]


@pytest.mark.checklist("R.4", "S.5")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("silent", {"STALE", "MISSING"}),
        ("dies", {"EXC"}),
        ("hangs", {"EXC", "STALE", "MISSING"}),
        ("garbage", {"MISSING", "STALE"}),
    ],
)
def test_a_candidate_that_fails_while_it_runs(
    run_session: Run, relay: Callable[..., str], tmp_path: Path, kind: str, codes: set[str]
) -> None:
    out = tmp_path / "run"
    code, verdict, _ = run_session(out, *SHORT, "--new", relay(kind))
    assert (code, verdict["verdict"], verdict["decided_by"]) == (10, "ROLL_BACK", "functionality")
    critical = {d["code"] for d in verdict["differences"] if d["side"] == "new" and d["code"] in codes}
    assert critical
    assert not [d for d in verdict["differences"] if d["side"] in ("legacy", "both") and d["code"] in codes]
    assert verdict["conservation"]["ok"]
    assert delivered(out, "legacy") > 500
    assert leftovers(out) == []
