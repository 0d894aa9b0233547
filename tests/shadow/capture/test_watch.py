"""What is measured of a subject that runs in more than one process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from shadow.capture.tables import schema
from shadow.capture.watch import Watch

SUBJECT = ("main", "new")
Family = Callable[[int, int], tuple[int, int]]
PARENT = """
import subprocess, sys
held = bytearray({size} * 1024 * 1024)
child = subprocess.Popen([sys.executable, "-c", {code!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""
CHILD = "held = bytearray({size} * 1024 * 1024); print(1, flush=True); input()"


@pytest.fixture
def family() -> Iterator[Family]:
    """Starts a process and its child, which hold so many MiB; gives both pids."""
    started: list[subprocess.Popen[str]] = []

    def start(parent_mib: int, child_mib: int) -> tuple[int, int]:
        code = PARENT.format(size=parent_mib, code=CHILD.format(size=child_mib))
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        assert process.stdout is not None
        return process.pid, int(process.stdout.readline())

    yield start
    for process in started:
        process.communicate("")


def sample(watch: Watch) -> dict[str, int]:
    (row,) = watch.stop(SUBJECT)
    return dict(zip(schema("resources").names, row, strict=True))


@pytest.mark.parametrize(("parent_mib", "child_mib"), [(64, 1), (1, 64)])
def test_the_larger_of_wrapper_and_stack_counts(family: Family, parent_mib: int, child_mib: int) -> None:
    """A stack behind a wrapper is found by the pid it names; one that names an idle child hides nothing."""
    parent, child = family(parent_mib, child_mib)
    watch = Watch()
    watch.begin(SUBJECT, parent)
    watch.name(SUBJECT, child)
    row = sample(watch)
    assert row["pid"] == (parent if parent_mib > child_mib else child)
    assert 64 * 2**20 < row["uss"] < 100 * 2**20


def test_a_stranger_is_not_measured(family: Family) -> None:
    parent, _ = family(1, 1)
    watch = Watch()
    watch.begin(SUBJECT, parent)
    watch.name(SUBJECT, os.getpid())
    assert sample(watch)["pid"] == parent
