"""What the tests fork answers as the program does that a person starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import shadow

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
