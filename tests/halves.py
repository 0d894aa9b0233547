"""`make test`: whole sessions in one process, all other tests in another, at the same time; fails if either does.

Sessions wait for real time while the others need a CPU; one after the other they would take twice as long. Options
go to both; a path given runs alone, in one process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SESSIONS = "tests/shadow/sessions"
COVERAGE = ["--cov=src", "--cov-branch", "--cov-report="]
NOTHING_COLLECTED = 5


def pytest(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *words]


def main(words: list[str]) -> int:
    if any((ROOT / word.partition("::")[0]).exists() for word in words):
        return subprocess.call(pytest(*COVERAGE, *words), cwd=ROOT)
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(pytest(SESSIONS, *words), cwd=ROOT, stdout=said, stderr=said) as sessions:
            sys.stdout.write("whole sessions run beside the tests below; what they say comes last\n")
            sys.stdout.flush()
            others = subprocess.call(pytest(f"--ignore={SESSIONS}", *COVERAGE, *words), cwd=ROOT)
            codes = (others, sessions.wait())
        said.seek(0)
        sys.stdout.write(said.read().decode(errors="replace"))
    return verdict(codes)


def verdict(codes: tuple[int, ...]) -> int:
    """0 when every half passed; a half in which a filter left nothing does not count unless both are so."""
    counted = [code for code in codes if code != NOTHING_COLLECTED] or list(codes)
    return 1 if any(counted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
