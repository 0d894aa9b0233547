"""From a run directory on disk, through the process pool, to the files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadow.capture.manifest import write_manifest
from shadow.capture.reader import RunData
from shadow.capture.tables import SESSION_TABLES, schema
from shadow.diff.codes import LegDiff
from shadow.errors import RunError
from shadow.verdict.judge import exit_code, judge
from shadow.verdict.legs import KnownList, diff_legs, read_known
from shadow.verdict.write import write

S = 1_000_000_000


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    """A run of two legs in which nothing was ever sent."""
    rows: dict[str, list[list[Any]]] = {
        "marks": [[t * S, leg, "", "leg-begin", "{}"] for t, leg in ((1, "aa1"), (2, "main"))]
    }
    for name in (*SESSION_TABLES, "events/legacy", "events/new", "events/legacy2"):
        kind = schema(name)
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        content = [dict(zip(kind.names, row, strict=True)) for row in rows.get(name, [])]
        pq.write_table(pa.Table.from_pylist(content, kind), path)
    plan = [
        {"leg": leg, "roles": ["legacy", other], "phases": [{"phase": "paired", "seconds": 9.0}]}
        for leg, other in (("aa1", "legacy2"), ("main", "new"))
    ]
    session = {
        "connections": ["mexc.spot.public"], "symbols": ["BTC_USDT"], "calibration": True, "rate": 600,
        "channels": {"mexc.spot.public": ["book"]}, "plan": {"legs": plan, "block_s": 0.5}, "grade": "quick",
    }  # fmt: skip
    (tmp_path / "session.json").write_text(json.dumps(session))
    write_manifest(tmp_path)
    return tmp_path


def in_turn(run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList) -> dict[str, LegDiff]:
    """One leg after the other in this process."""
    return {leg: diff_legs(run, [(leg, roles)], known)[leg] for leg, roles in legs}


def test_no_data_is_hold_and_never_pass(silent: Path) -> None:
    judgement = judge(RunData(silent))
    verdict = judgement.verdict
    assert (verdict["verdict"], exit_code(verdict)) == ("HOLD", 11)
    assert {metric["verdict"] for metric in verdict["metrics"]} == {"HOLD", "NOT_JUDGED"}
    assert verdict["coverage"]["share"] == 0
    first = [path.read_bytes() for path in write(silent, judgement)]
    assert [path.read_bytes() for path in write(silent, judge(RunData(silent), in_turn))] == first
    assert json.loads(first[0]) == verdict


def test_an_altered_table_is_refused_by_name(silent: Path) -> None:
    with (silent / "sends.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match=r"sends\.parquet"):
        judge(RunData(silent))


def test_a_run_that_was_never_sealed_holds(silent: Path) -> None:
    (silent / "manifest.json").unlink()
    verdict = judge(RunData(silent), in_turn).verdict
    assert verdict["verdict"] == "HOLD"
    assert "not sealed" in verdict["reason"]


def test_the_known_list_in_the_run_comes_first_and_a_missing_one_is_named(silent: Path) -> None:
    entry = '[[known]]\nid="K1"\ncode="DUP"\nowner="a"\nreason="b"\nexpires=2030-01-01\nmax_count=3\n'
    (silent / "known.toml").write_text(entry)
    [found] = read_known(silent, {"known": "/elsewhere/known.toml"})
    assert (found.id, found.max_count) == ("K1", 3)
    assert read_known(silent, {"known": None}) == ()
    with pytest.raises(RunError, match=r"other\.toml"):
        read_known(silent, {"known": "/elsewhere/other.toml"})
