"""`make test` in parts, three at a time: whole sessions, the stacks' tests (measured for coverage), the harness's.

Sessions and served clients wait for real time while the others need a CPU; one after the other they would take twice as
long. Whichever of three is done first takes the next part, so that no core is left idle at the end; lint, types and
import rules are looked at beside the first three. What traces
lines for the coverage floor slows a test down by half, so only the tests of the stacks run under it. Options go to all
parts; a path given runs alone, in one process.

The parts keep all cores busy. Small matrix products on a second thread would only wait for that thread's turn: judging
a run would take half more of CPU time, and seconds where the machine is busy. And some sixty sessions have five
processes each: where no byte code may be written, each compiles the same modules again, half a second for a session.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
AT_ONCE = 3
SESSIONS = "tests/shadow/sessions"
STACKS = ("tests/src", "tests/conformance")
COVERAGE = ("--cov=src", "--cov-branch", "--cov-report=")
NOTHING_COLLECTED = 5


def session_files(*names: str) -> tuple[str, ...]:
    return tuple(f"{SESSIONS}/test_{name}.py" for name in names)


def without(*paths: str) -> tuple[str, ...]:
    return tuple(f"--ignore={path}" for path in paths)


LIVE = session_files(
    *("accounts", "compressed_day", "failing_subjects", "faulty_stacks", "feeds", "known", "options", "release"),
    *("renewal", "share"),
)
"""Files that share the sessions of the fixture `live`."""
RECORDED = session_files("broken_off", "damage", "interrupted", "offline", "online", "reproduce", "stretches")
"""Files that share the session of the fixture `recorded`."""
SERVED = (
    *("tests/bench", "tests/docs", "tests/witness", "tests/shadow/drill/test_stages.py"),
    *("tests/shadow/network", "tests/shadow/online"),
    *("tests/shadow/recording", "tests/shadow/rehearsal", "tests/shadow/test_soak.py", "tests/shadow/venue"),
    "tests/shadow/attach/test_application.py",
)
"""The harness's tests that start servers and clients, and wait for them."""
PARTS: dict[str, tuple[str, ...]] = {
    "served": SERVED,
    "harness": ("tests", *without(SESSIONS, *STACKS, *SERVED)),
    "recorded sessions": RECORDED,
    "live sessions": LIVE,
    "stacks": (*STACKS, *COVERAGE),
    "other sessions": (SESSIONS, *without(*LIVE, *RECORDED)),
}
"""What pytest is given for each, in the order in which they begin: the longest first, but no two heavy ones at once."""


def pytest(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *words]


def run_part(name: str, words: list[str]) -> int:
    """Run one part, then show what it said; gives its exit code."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        code = subprocess.call(pytest(*PARTS[name], *words), cwd=ROOT, stdout=said, stderr=said)
        said.seek(0)
        text = said.read().decode(errors="replace")
    sys.stdout.write(f"{name}, {time.monotonic() - began:.0f} s\n{text}\n")
    sys.stdout.flush()
    return code


def run_check() -> int:
    """Lint, types and import rules; gives the exit code."""
    return subprocess.call(["make", "--no-print-directory", "check"], cwd=ROOT)


def main(words: list[str]) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if any((ROOT / word.partition("::")[0]).exists() for word in words):
        return run_check() or subprocess.call(pytest(*COVERAGE, *words), cwd=ROOT)
    sys.stdout.write(f"{len(PARTS)} parts, {AT_ONCE} at a time; what each says comes at its end\n")
    sys.stdout.flush()
    with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(AT_ONCE) as pool:
        check = beside.submit(run_check)
        return verdict(tuple(pool.map(lambda name: run_part(name, words), PARTS))) or check.result()


def verdict(codes: tuple[int, ...]) -> int:
    """0 when every part passed; a part in which a filter left nothing does not count unless all are so."""
    counted = [code for code in codes if code != NOTHING_COLLECTED] or list(codes)
    return 1 if any(counted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
