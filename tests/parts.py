"""`make test` in three parts: whole sessions beside the stacks' tests (measured for coverage) and then the harness's.

Sessions wait for real time while the others need a CPU; one after the other they would take twice as long. What
traces lines for the coverage floor slows a test down by half, so only the tests of the stacks run under it. Options go
to all parts; a path given runs alone, in one process.

The parts keep both cores busy. Small matrix products on a second thread would only wait for that thread's turn: judging
a run would take half more of CPU time, and seconds where the machine is busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SESSIONS = "tests/shadow/sessions"
STACKS = ("tests/src", "tests/conformance")
OTHERS = ("tests", *(f"--ignore={path}" for path in (SESSIONS, *STACKS)))
COVERAGE = ["--cov=src", "--cov-branch", "--cov-report="]
NOTHING_COLLECTED = 5


def pytest(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *words]


def main(words: list[str]) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if any((ROOT / word.partition("::")[0]).exists() for word in words):
        return subprocess.call(pytest(*COVERAGE, *words), cwd=ROOT)
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(pytest(SESSIONS, *words), cwd=ROOT, stdout=said, stderr=said) as sessions:
            sys.stdout.write("whole sessions run beside the tests below; what they say comes last\n")
            sys.stdout.flush()
            stacks = subprocess.call(pytest(*STACKS, *COVERAGE, *words), cwd=ROOT)
            harness = subprocess.call(pytest(*OTHERS, *words), cwd=ROOT)
            codes = (stacks, harness, sessions.wait())
        said.seek(0)
        sys.stdout.write(said.read().decode(errors="replace"))
    return verdict(codes)


def verdict(codes: tuple[int, ...]) -> int:
    """0 when every part passed; a part in which a filter left nothing does not count unless all are so."""
    counted = [code for code in codes if code != NOTHING_COLLECTED] or list(codes)
    return 1 if any(counted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
