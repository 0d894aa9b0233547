"""`shadow reproduce` on whole runs: few frames, a test that fails with the fault and passes without, honest words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.config import own_subject
from shadow.reproducer.replay import COMMAND
from tests.forked import shadow

HERE = Path(__file__).parent
FAULTY = f"{sys.executable} {HERE / 'faulty_stack.py'} one_frame_or_two_show_it"


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a stack that leaves out removed levels, and trades of the side of the one before."""
    folder = tmp_path_factory.mktemp("faulty")
    words = ["--connections", "gateio.spot.public", "--no-calibration", "--duration", "2s", "--new", FAULTY]
    answer = shadow("run", "--out", "run", *words, cwd=folder, timeout_s=110, WS_SHADOW_CORES="free")
    assert answer.returncode == 10, answer.stderr
    return folder / "run"


def reproduce(run: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return shadow("reproduce", str(run), *words, cwd=run.parent, timeout_s=100)


def verdict_of_pytest(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """By pytest alone: a reproducer asks for none of the plugins that happen to be here, and each takes CPU time."""
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    return subprocess.run(
        [*program, "test_reproducer.py"], capture_output=True, text=True, cwd=folder, timeout=50, check=False,
        env={**os.environ, **environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def frames_of(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "ws"]


@pytest.mark.parametrize(("code", "frames"), [("FIELD", 1), ("MISSING", 2)])
def test_few_frames_show_the_fault_again(faulty_run: Path, tmp_path: Path, code: str, frames: int) -> None:
    answer = reproduce(faulty_run, "--code", code, "--limit", "1", "--out", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name.startswith(f"{code}-")
    assert len(frames_of(folder)) == frames
    failed, passed = verdict_of_pytest(folder), verdict_of_pytest(folder, **{COMMAND: own_subject("new")})
    assert failed.returncode == 1, failed.stdout
    assert f"{code} " in failed.stdout
    assert passed.returncode == 0, passed.stdout
    assert "1 passed" in passed.stdout


def test_what_does_not_come_up_again_is_said(recorded: Path, damaged_copy: Callable[..., Path], tmp_path: Path) -> None:
    """The stack is whole and only the recorded lines are damaged: no replay can show that."""
    from shadow.capture.reader import RunData
    from shadow.verdict.judge import judge
    from shadow.verdict.write import write

    def without_a_trade(lines: list[bytes]) -> list[bytes]:
        places = [n for n, line in enumerate(lines) if line.startswith(b'{"k":"event"') and b'"type":"trade"' in line]
        gone = places[len(places) // 4]
        return lines[:gone] + lines[gone + 1 :]

    run = damaged_copy(recorded, without_a_trade)
    write(run, judge(RunData(run)))
    answer = reproduce(run, "--code", "missing", "--out", str(tmp_path / "out"))
    assert answer.returncode == 11, answer.stderr
    assert "not reproduced: all " in answer.stderr
    assert "0 of 1 reproduced" in answer.stderr
    assert not (tmp_path / "out").exists()
