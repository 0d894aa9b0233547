"""What the tests fork answers as the program does that a person starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.forked import shadow
from tests.forked_parts import become

FACTS = "tests.shadow.sessions.part_facts"
ROOT = Path(__file__).parents[3]

ELSEWHERE = ("run", "--feed", "live", "--connections", "gateio.spot.public")
UPSTREAM = {"WS_SHADOW_UPSTREAM": "no-such-upstream.json"}


@pytest.mark.parametrize(
    ("words", "code"), [(("report", "--index", "kept"), 0), (("run", "--bogus"), 2), (ELSEWHERE, 2)]
)
def test_a_forked_call_is_the_program(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """In its folder, with its environment, with its exit code."""
    (tmp_path / "kept").mkdir()
    program = [sys.executable, "-m", "shadow.cli", *words]
    started = subprocess.run(
        program, capture_output=True, text=True, cwd=tmp_path, env=UPSTREAM, timeout=100, check=False
    )
    forked = shadow(*words, cwd=tmp_path, timeout_s=100, **UPSTREAM)
    assert (forked.returncode, forked.stdout, forked.stderr) == (code, started.stdout, started.stderr)
    assert started.returncode == code


def test_a_call_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        shadow("venue", "--connections", "gateio.spot.public", cwd=tmp_path, timeout_s=0.1)


def test_a_forked_part_begins_and_ends_as_a_started_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its streams, descriptors, signals, environment and process group; nothing else of ours is open in it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    environment = {**os.environ, "A_PART": "of a session"}
    kept, lost = os.pipe()
    os.set_inheritable(lost, True)
    call: dict[str, Any] = {"pass_fds": (kept,), "start_new_session": True, "env": environment}
    call |= dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    forking = partial(become, FACTS, [0, 1, 2, kept], environment, None)
    said = []
    for more in ({}, {"preexec_fn": forking}):
        with subprocess.Popen([sys.executable, "-m", FACTS], **call, **more) as part:
            said.append((*part.communicate(b"first\nsecond\n", timeout=100), part.returncode))
    for fd in (kept, lost):
        os.close(fd)
    started, forked = said
    assert started[1:] == (b"complaint\n", 7)
    assert json.loads(started[0])["open"] == [0, 1, 2, kept]
    assert json.loads(forked[0]) == json.loads(started[0])
    assert forked[1:] == started[1:]


def test_a_forked_part_that_cannot_begin_says_why() -> None:
    forking = partial(become, "tests.no_such_part", [0, 1, 2], None, None)
    with subprocess.Popen([sys.executable], stderr=subprocess.PIPE, preexec_fn=forking) as part:
        _, complaint = part.communicate(timeout=100)
    assert part.returncode == 1
    assert b"no_such_part" in complaint
