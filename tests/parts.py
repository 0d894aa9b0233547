"""`make test` in parts: whole sessions, the stacks' tests (measured for coverage), the harness's.

Sessions and served clients wait for real time while the others need a CPU; one after the other they would take twice as
long. They run three at a time, and whichever is done first takes the next part. The tests that only compute fill the
time in which those wait: they run beside all parts at a low priority, as do lint, types and import rules. What traces
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
VENUE = ("tests/shadow/venue", "tests/shadow/network", "tests/shadow/recording", "tests/witness")
"""Tests that start a venue, and wait for it."""
SERVED = (
    *("tests/bench", "tests/docs", "tests/shadow/drill/test_stages.py", "tests/shadow/online"),
    *("tests/shadow/rehearsal", "tests/shadow/test_soak.py", "tests/shadow/attach/test_application.py"),
)
"""The harness's other tests that start servers and clients, and wait for them."""
TIMED = ("tests/shadow/test_cli.py", "tests/shadow/test_profiling.py")
"""The harness's tests that time a process."""
PARTS: dict[str, tuple[str, ...]] = {
    "stacks": (*STACKS, *COVERAGE),
    "recorded sessions": RECORDED,
    "venue": VENUE,
    "live sessions": LIVE,
    "served": SERVED,
    "other sessions": (SESSIONS, *TIMED, *without(*LIVE, *RECORDED)),
}
"""What pytest is given for each, in the order in which they begin: the longest first, but no two heavy ones at once."""
COMPARING = ("tests/shadow/diff", "tests/shadow/offline", "tests/shadow/reference")
JUDGING = ("tests/shadow/capture", "tests/shadow/stats", "tests/shadow/stretches", "tests/shadow/verdict")
BESIDE: dict[str, tuple[str, ...]] = {
    "comparing": COMPARING,
    "judging": JUDGING,
    "harness": ("tests", *without(SESSIONS, *STACKS, *VENUE, *SERVED, *TIMED, *COMPARING, *JUDGING)),
}
"""The parts that take what CPU time the others leave."""
NICE = 7
"""The priority of what runs beside: a fifth of what a part gets. With less, Hypothesis finds its inputs slow."""


def pytest(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *words]


def run_part(name: str, paths: tuple[str, ...], words: list[str], nice: int = 0) -> int:
    """Run one part, then show what it said; gives its exit code."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        command = ["nice", "-n", str(nice), *pytest(*paths, *words)]
        code = subprocess.call(command, cwd=ROOT, stdout=said, stderr=said)
        said.seek(0)
        text = said.read().decode(errors="replace")
    sys.stdout.write(f"{name}, {time.monotonic() - began:.0f} s\n{text}\n")
    sys.stdout.flush()
    return code


def run_check(nice: int = 0) -> int:
    """Lint, types and import rules; gives the exit code."""
    return subprocess.call(["nice", "-n", str(nice), "make", "--no-print-directory", "check"], cwd=ROOT)


def main(words: list[str]) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if any((ROOT / word.partition("::")[0]).exists() for word in words):
        return run_check() or subprocess.call(pytest(*COVERAGE, *words), cwd=ROOT)
    sys.stdout.write(f"{len(PARTS) + len(BESIDE)} parts; what each says comes at its end\n")
    sys.stdout.flush()
    with ThreadPoolExecutor(len(BESIDE) + 1) as beside, ThreadPoolExecutor(AT_ONCE) as pool:
        check = beside.submit(run_check, NICE)
        filling = [beside.submit(run_part, name, paths, words, NICE) for name, paths in BESIDE.items()]
        codes = list(pool.map(lambda name: run_part(name, PARTS[name], words), PARTS))
        return verdict((*codes, *(part.result() for part in filling))) or check.result()


def verdict(codes: tuple[int, ...]) -> int:
    """0 when every part passed; a part in which a filter left nothing does not count unless all are so."""
    counted = [code for code in codes if code != NOTHING_COLLECTED] or list(codes)
    return 1 if any(counted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
