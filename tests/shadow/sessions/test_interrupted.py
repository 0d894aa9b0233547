"""A session that is cut off, and data that were touched: never a pass."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from shadow.capture.writer import read_segment, segment_files
from tests.forked import shadow

from .conftest import SPOT


def judge(run: Path) -> subprocess.CompletedProcess[str]:
    return shadow("judge", str(run), "--json", cwd=run.parent, timeout_s=100)


def processes_of(run: Path) -> list[int]:
    """Processes that hold a file of this run open."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            links = [os.readlink(link) for link in (entry / "fd").iterdir()]
        except OSError:
            continue
        if any(link.startswith(str(run)) for link in links):
            found.append(int(entry.name))
    return found


def readable_rows(run: Path, table: str) -> int:
    """Rows of a table in batches that are whole: bytes of one that is being written are none yet."""
    rows = 0
    for path in segment_files(run, table):
        with contextlib.suppress(pa.ArrowInvalid, OSError):
            rows += sum(batch.num_rows for batch in read_segment(path))
    return rows


def wait_until(condition: Callable[[], bool], limit_s: float) -> None:
    """Poll an outside process's state; there is no event to wait for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.mark.parametrize("whole_harness", [False, True], ids=["shadow run killed", "recorder killed too"])
def test_kill_9_leaves_readable_data_and_a_hold(tmp_path: Path, whole_harness: bool) -> None:
    run = tmp_path / "run"
    session = subprocess.Popen(
        [sys.executable, "-m", "shadow.cli", "run", *SPOT, "--no-calibration", "--duration", "40s", "--out", str(run)],
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(list(run.glob("events/new/*.arrows"))) >= 1 and len(list(run.glob("sends/*"))) >= 1, 30)
    for role in ("legacy", "new"):
        wait_until(lambda role=role: readable_rows(run, f"events/{role}") > 400, 30)
    if whole_harness:
        for pid in processes_of(run):
            os.kill(pid, signal.SIGKILL)
    session.send_signal(signal.SIGKILL)
    session.wait()
    deadline = time.monotonic() + 30
    while (left := processes_of(run)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ") for pid in left]
    answer = judge(run)
    assert answer.returncode == 11, answer.stderr
    verdict = json.loads(answer.stdout)
    assert verdict["verdict"] == "HOLD"
    assert "interrupted" in verdict["reason"].lower()
    assert verdict["coverage"]["events_expected"] > 100
    assert verdict["coverage"]["matched"] > 100


def test_a_second_ctrl_c_takes_nothing_from_what_the_first_one_seals(tmp_path: Path) -> None:
    words = ("--connections", "gateio.spot.public", "--no-calibration", "--duration", "40s", "--json")
    program = [sys.executable, "-m", "shadow.cli", "run", "--out", "run", *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as session:
        assert session.stderr is not None
        for said in ("main paired", "stopping"):
            assert any(said in line for line in session.stderr)
            session.send_signal(signal.SIGINT)
        session.send_signal(signal.SIGTERM)
        out, said = session.communicate(timeout=50)
    assert "Traceback" not in said
    assert (session.returncode, json.loads(out)["verdict"]) == (11, "HOLD")
    assert "interrupted (stopped by a signal)" in json.loads(out)["reason"]


def test_judging_twice_gives_the_same_bytes(recorded: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(recorded, run)
    written = []
    for _ in range(2):
        judge(run)
        names = ("verdict.json", "analysis.json", "differences.parquet", "report.html", "report.md", "junit.xml")
        written.append({name: (run / name).read_bytes() for name in names})
    assert written[0] == written[1]
    assert written[0] == {name: (recorded / name).read_bytes() for name in written[0]}


@pytest.mark.parametrize("name", ["frames.parquet", "sends.parquet", "events/new.parquet", "session.json"])
def test_one_changed_byte_in_a_raw_file_is_refused_by_name(recorded: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(recorded, run)
    data = bytearray((run / name).read_bytes())
    data[len(data) // 2] ^= 0x20
    (run / name).write_bytes(data)
    answer = judge(run)
    assert answer.returncode == 12
    assert name in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert answer.stdout == ""


def test_a_missing_raw_file_is_refused_by_name(recorded: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(recorded, run)
    (run / "connections.parquet").unlink()
    answer = judge(run)
    assert (answer.returncode, answer.stdout) == (12, "")
    assert "connections.parquet" in answer.stderr


def raw_bytes(run: Path) -> int:
    """What a run's tables take at this moment; a file or a folder may go while it is looked at."""
    total = 0
    for folder, _, names in os.walk(run):
        for name in (name for name in names if name.endswith((".arrows", ".parquet", ".part"))):
            with contextlib.suppress(FileNotFoundError):
                total += (Path(folder) / name).stat().st_size
    return total


@pytest.mark.timeout(60)
def test_raw_data_that_may_not_grow_end_the_session_with_a_hold(tmp_path: Path) -> None:
    run, most = tmp_path / "run", 0
    words = ("--connections", "gateio.spot.public", "--no-calibration", "--duration", "20s", "--max-disk", "4MB")
    program = [sys.executable, "-m", "shadow.cli", "run", "--json", "--out", str(run), *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as session:

        def is_over() -> bool:
            nonlocal most
            most = max(most, raw_bytes(run))
            return session.poll() is not None

        wait_until(is_over, 50)
        out, said = session.communicate()
    verdict = json.loads(out)
    assert 1_500_000 < most < 4_000_000
    assert (session.returncode, verdict["verdict"]) == (11, "HOLD")
    assert "the raw data took the 4MB that they may" in verdict["reason"]
    assert "legs begun: main" in verdict["reason"]
    assert b"its raw data may take 4MB" in said
