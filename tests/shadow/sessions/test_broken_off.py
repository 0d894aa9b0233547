"""A session whose own parts give up: never a pass, one line, nothing left running, what was written stays readable."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shadow.capture.manifest import write_manifest
from shadow.capture.reader import RunData
from shadow.verdict.judge import judge

from .conftest import FEW, SPOT

WORDS = (*SPOT, *FEW, "--no-calibration", "--duration", "30s")


def wait_for(condition: Callable[[], object], limit_s: float = 60.0) -> None:
    """Poll an outside process's state; there is no event to wait for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


Broken = tuple[Path, int, str]
"""Run directory, exit code, what was said."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Broken]:
    """Two sessions side by side: one whose venue is killed, one whose recorder finds the disk full."""
    folder = tmp_path_factory.mktemp("broken")
    with ExitStack() as stack:
        sessions = {name: stack.enter_context(started(folder / name)) for name in ("venue", "disk")}
        for name in sessions:
            wait_for(lambda name=name: is_under_way(folder / name))
        os.kill(part_of(sessions["venue"], "shadow.venue"), signal.SIGKILL)
        limit = max(path.stat().st_size for path in (folder / "disk").rglob("*.arrows")) + 50_000
        recorder = part_of(sessions["disk"], "shadow.capture.recorder")
        resource.prlimit(recorder, resource.RLIMIT_FSIZE, (limit, limit))
        said = {name: session.communicate(timeout=60)[1] for name, session in sessions.items()}
    return {name: (folder / name, session.returncode, said[name]) for name, session in sessions.items()}


@contextmanager
def started(run: Path) -> Iterator[subprocess.Popen[str]]:
    """A session; killed where it has not ended by itself."""
    command = [sys.executable, "-m", "shadow.cli", "run", *WORDS, "--out", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as session:
        try:
            yield session
        finally:
            session.kill()


def is_under_way(run: Path) -> bool:
    """Whether what both sides say is being written down."""
    return all(
        sum(p.stat().st_size for p in run.glob(f"events/{role}/*.arrows")) > 60_000 for role in ("legacy", "new")
    )


def part_of(session: subprocess.Popen[str], module: str) -> int:
    """The process of the session that runs a module."""
    children = Path(f"/proc/{session.pid}/task/{session.pid}/children").read_text().split()
    words = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children}
    (found,) = [pid for pid, argv in words.items() if module.encode() in argv]
    return found


@pytest.mark.timeout(150)
def test_a_venue_that_dies_leaves_a_hold_that_says_so(broken: dict[str, Broken]) -> None:
    run, code, said = broken["venue"]
    verdict = json.loads((run / "verdict.json").read_text())
    assert (code, verdict["verdict"]) == (11, "HOLD"), said
    assert "the venue ended" in verdict["reason"]
    assert "Traceback" not in said
    assert verdict["coverage"]["matched"] > 100
    assert not RunData(run).complete


@pytest.mark.timeout(150)
def test_a_full_disk_is_no_pass_and_what_was_written_is_judged_as_interrupted(broken: dict[str, Broken]) -> None:
    run, code, said = broken["disk"]
    verdict = json.loads((run / "verdict.json").read_text())
    assert (code, verdict["verdict"]) == (11, "HOLD"), said
    assert "Traceback" not in said
    assert "interrupted" in verdict["reason"].lower()
    assert not RunData(run).complete


def test_a_session_in_which_the_venue_sent_nothing_proves_nothing(recorded: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(recorded, run)
    for name in ("frames", "sends"):
        pq.write_table(pq.read_table(run / f"{name}.parquet").slice(0, 0), run / f"{name}.parquet")
    for role in ("legacy", "new"):
        lines = pq.read_table(run / "events" / f"{role}.parquet")
        pq.write_table(lines.filter(pc.not_equal(lines["k"], "event")), run / "events" / f"{role}.parquet")
    write_manifest(run)
    verdict = judge(RunData(run)).verdict
    assert verdict["verdict"] == "HOLD"
    assert verdict["reason"].startswith("Nothing was compared")
    assert verdict["coverage"]["frames_sent"] == verdict["coverage"]["matched"] == 0
    assert {line["id"]: line["verdict"] for line in verdict["triggers"]}["functionality"] == "HOLD"
