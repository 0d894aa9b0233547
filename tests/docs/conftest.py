"""A working directory with the examples, a flag file, and `shadow` as a page would have it called."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shadow import cli
from shadow.commands import run as run_command
from tests import forked

from .documented import ROOT


def shadow(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the command line in that directory."""
    return forked.shadow(*words, cwd=cwd, timeout_s=50)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the examples at the place that the pages name."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    return folder


def accept_session(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of this session are accepted; it is not run."""
    asked: list[Any] = []

    def accept(config: Any, *, as_json: bool) -> int:
        asked.append(config)
        return 0

    monkeypatch.setattr(run_command, "_measure_and_judge", accept)
    monkeypatch.chdir(desk)
    assert cli.main(shlex.split(command)[1:]) == 0
    assert len(asked) == 1


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the flag file, empty so far; no kill file."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    return tmp_path / "flags.json"
