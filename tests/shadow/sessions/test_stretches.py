"""A session judged and reduced while it goes on: the verdict of the whole, with bounded disk."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from shadow.capture.manifest import write_manifest
from shadow.capture.reader import RunData
from shadow.capture.writer import SegmentWriter, compact
from shadow.errors import RunError
from shadow.stretches.reducer import Reducer
from shadow.verdict.judge import Judgement, judge

from .conftest import FEW, SPOT, shadow_run

TABLES = ("marks", "connections", "requests", "frames", "sends", "events/legacy", "events/new")
SECOND = 1_000_000_000
Edit = Callable[[list[bytes]], list[bytes]]


def in_stretches(run: Path, stretch_s: float, keep_bytes: int) -> None:
    """Play a finished run again as one that grows second by second, and reduce it as it does."""
    tables = {name: pq.read_table(run / f"{name}.parquet") for name in TABLES}
    sent = tables["sends"]["t_sent"].to_numpy()
    begin, end = int(sent.min()), int(sent.max())
    frame_times = dict(zip(tables["sends"]["frame_no"].to_pylist(), sent.tolist(), strict=True))
    for name in TABLES:
        (run / f"{name}.parquet").unlink()
    session = orjson.loads((run / "session.json").read_bytes())
    session["stretch_s"] = stretch_s
    (run / "session.json").write_bytes(orjson.dumps(session))
    writers = {name: SegmentWriter(run, name) for name in TABLES}
    rows = {name: [tuple(row.values()) for row in table.to_pylist()] for name, table in tables.items()}
    at = {"frames": lambda row: frame_times.get(row[0], begin), "sends": lambda row: row[5]}
    at |= {name: lambda row: row[0] for name in ("marks", "connections", "requests")}
    reducer = Reducer(run, stretch_s, keep_bytes)
    for now in range(begin, end + 12 * SECOND, SECOND // 2):
        for name, writer in writers.items():
            time_of = at.get(name, lambda row: row[7])
            due = next((i for i, row in enumerate(rows[name]) if time_of(row) > now), len(rows[name]))
            writer.extend(rows[name][:due])
            writer.close()
            rows[name] = rows[name][due:]
        reducer.look(now)
    for name in TABLES:
        compact(run, name)
    reducer.finish()
    write_manifest(run)


def counts(judgement: Judgement) -> dict[str, Any]:
    """What the verdict counts, and what its triggers say of it."""
    verdict, analysis = judgement.verdict, judgement.analysis
    differences: Counter[tuple[str, ...]] = Counter()
    for row in judgement.differences:
        differences[tuple(row[n] for n in ("leg", "code", "side", "connection", "type", "symbol", "field"))] += row[
            "count"
        ]
    return {
        "differences": differences,
        "merged": sorted(map(str, verdict["differences"])),
        "triggers": [(line["id"], line["verdict"]) for line in verdict["triggers"]],
        "outcome": (verdict["verdict"], verdict["decided_by"], verdict["conservation"], verdict["coverage"]),
        # Events are counted by the second, so that of the last one more may be taken in.
        "metrics": [
            (m["id"], m["verdict"], m["ratio"], m["n"] if m["id"] != "cpu.per_message" else 0)
            for m in verdict["metrics"]
        ],
        "conservation": analysis["conservation"],
        "cells": analysis["coverage_cells"],
        "totals": analysis["totals"],
    }


def damaged(bodies: list[bytes]) -> list[bytes]:
    """Every second, and so at every cut: a trade lost, a copy, a wrong price."""
    out, newest = [], 0
    kinds = ["lose", "copy", "alter"]
    for body in bodies:
        fields = json.loads(body) if body.startswith(b'{"k":"event"') else {}
        if fields.get("type") == "trade" and fields["t"] > newest + SECOND // 3:
            newest = fields["t"]
            kind = kinds[newest // (SECOND // 3) % 3]
            if kind == "alter":
                body = json.dumps(fields | {"price": 1.25}).encode()
            out += {"lose": [], "copy": [body, body], "alter": [body]}[kind]
        else:
            out.append(body)
    return out


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded run is short: what comes is waited for a second, and a cut may lie near what is missing."""
    monkeypatch.setattr("shadow.stretches.reducer.LOOK_AHEAD_NS", SECOND)
    monkeypatch.setattr("shadow.diff.cut.CALM_NS", SECOND // 10)


@pytest.mark.usefixtures("hasty")
def test_in_stretches_a_run_has_the_counts_and_the_decisions_of_the_whole(
    recorded: Path, damaged_copy: Callable[[Path, Edit], Path]
) -> None:
    run = damaged_copy(recorded, damaged)
    whole = counts(judge(RunData(run)))
    assert {code for _, code, *_ in whole["differences"]} >= {"MISSING", "DUP", "FIELD"}
    in_stretches(run, 1.0, 400_000)
    assert len(list(run.glob("stretches/main/*.json"))) >= 4
    left, all_of_it = (pq.read_metadata(folder / "frames.parquet").num_rows for folder in (run, recorded))
    assert left < 0.7 * all_of_it
    assert counts(judge(RunData(run))) == whole


def test_a_changed_byte_of_a_stretch_is_refused_by_its_name(
    recorded: Path, damaged_copy: Callable[[Path, Edit], Path]
) -> None:
    run = damaged_copy(recorded, list)
    in_stretches(run, 60.0, 400_000)
    path = run / "stretches" / "main" / "000001.json"
    path.write_bytes(path.read_bytes().replace(b'"n":', b'"m":', 1).replace(b'"MATCH":', b'"MATCH": ', 1))
    with pytest.raises(RunError, match=r"stretches/main/000001\.json does not match the manifest"):
        judge(RunData(run))


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_live_session_in_stretches_keeps_the_newest_raw_data_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("--no-calibration", "--duration", "18s", "--stretch", "2s", "--keep-raw", "2MB")
    code, verdict, said = shadow_run(out, *SPOT, *FEW, *words)
    assert code == 11, said
    assert verdict["differences"] == []
    assert verdict["conservation"] == {"ok": True}
    analysis = json.loads((out / "analysis.json").read_bytes())
    (leg,) = analysis["stretches"]["legs"]
    assert leg["n"] >= 3
    left = pq.read_table(out / "frames.parquet", columns=["frame_no"])["frame_no"].to_pylist()
    assert len(left) == analysis["stretches"]["raw_frames"] < analysis["totals"]["frames"] - 1000
    assert min(left) > 1000  # what went is the begin, 300 frames a second of it
    assert "Raw data still there" in (out / "report.html").read_text()
    first = (out / "verdict.json").read_bytes(), (out / "analysis.json").read_bytes()
    again = subprocess.run([sys.executable, "-m", "shadow.cli", "judge", str(out)], capture_output=True, check=False)
    assert again.returncode == code
    assert ((out / "verdict.json").read_bytes(), (out / "analysis.json").read_bytes()) == first


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_session_in_stretches_that_is_killed_is_readable_and_a_hold(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("--no-calibration", "--duration", "60s", "--stretch", "1s", "--keep-raw", "2MB", "--out", str(run))
    session = subprocess.Popen(
        [sys.executable, "-m", "shadow.cli", "run", *SPOT, *FEW, *words], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 50
    while not list(run.glob("stretches/main/*.json")):
        assert time.monotonic() < deadline, "no stretch was reduced"
        time.sleep(0.1)
    session.send_signal(signal.SIGKILL)
    session.wait()
    while not (run / "manifest.json").exists():
        assert time.monotonic() < deadline, "the recorder did not seal what it had"
        time.sleep(0.1)
    answer = subprocess.run(
        [sys.executable, "-m", "shadow.cli", "judge", str(run), "--json"], capture_output=True, check=False
    )
    assert answer.returncode == 11, answer.stderr
    verdict = json.loads(answer.stdout)
    assert "interrupted" in verdict["reason"]
    assert verdict["coverage"]["matched"] > 0
    assert verdict["conservation"] == {"ok": True}
