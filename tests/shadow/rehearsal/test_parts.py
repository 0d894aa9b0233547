"""The processes of a rehearsal do not outlive it."""

from __future__ import annotations

import subprocess
import sys

PARENT = """
import subprocess
import sys
from shadow.children import end_with_parent
subprocess.Popen(["sleep", "60"], preexec_fn=end_with_parent)
print("started", flush=True)
sys.stdin.read()
"""


def test_a_part_ends_when_the_orchestrator_is_killed() -> None:
    """The child holds our pipe: it has an end only when both are gone."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        parent.kill()
        assert parent.communicate(timeout=30) == ("", None)
