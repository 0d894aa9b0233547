"""What is measured of a subject that runs in more than one process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shadow.capture.resources import Probe
from shadow.capture.tables import schema
from shadow.capture.watch import Family as Processes
from shadow.capture.watch import Watch
from shadow.children import keep_offspring

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
def test_the_pid_is_that_of_the_larger_of_wrapper_and_stack(family: Family, parent_mib: int, child_mib: int) -> None:
    """A stack behind a wrapper is found by the pid it names; one that names an idle child hides nothing."""
    parent, child = family(parent_mib, child_mib)
    watch = Watch()
    watch.begin(SUBJECT, parent)
    watch.name(SUBJECT, child)
    row = sample(watch)
    assert row["pid"] == (parent if parent_mib > child_mib else child)
    assert 64 * 2**20 < row["uss"] < 100 * 2**20


def test_memory_of_a_stack_in_two_processes_adds_up(family: Family) -> None:
    parent, _ = family(60, 50)
    watch = Watch()
    watch.begin(SUBJECT, parent)
    assert 110 * 2**20 < sample(watch)["uss"] < 160 * 2**20


FORKED = """
import os, sys
held = b"x" * (100 << 20)
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(1, flush=True)
sys.stdin.read()
os.wait()
"""


def test_memory_is_not_hidden_by_an_idle_child_that_has_it_in_common() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", FORKED], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = Processes(process.pid).sample()
        process.communicate("")
    assert found is not None
    assert 100 * 2**20 < found.uss < 130 * 2**20


def test_a_process_alone_has_what_is_private_to_it(family: Family) -> None:
    """No share of libraries: what else runs on the machine would change it."""
    _, child = family(1, 20)
    found = Processes(child).sample()
    lines = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    assert found is not None
    assert found.uss == 1024 * private


def test_a_stranger_is_not_measured(family: Family) -> None:
    parent, _ = family(1, 1)
    watch = Watch()
    watch.begin(SUBJECT, parent)
    watch.name(SUBJECT, os.getpid())
    assert sample(watch)["pid"] == parent


def test_nothing_hides_in_a_child_that_no_hello_names(family: Family) -> None:
    parent, child = family(1, 64)
    alone = Probe(child).sample()
    watch = Watch()
    watch.begin(SUBJECT, parent)
    watch.name(SUBJECT, parent)
    row = sample(watch)
    assert alone is not None
    assert row["pid"] == child
    assert row["uss"] > 64 * 2**20
    assert row["cpu_ns"] > alone.cpu_ns


REAPER = """
import subprocess, sys
burn = "sum(range(2_000_000)); print(1, flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(1, flush=True)
sys.stdin.readline()
child.communicate(b"end")
print(2, flush=True)
sys.stdin.read()
"""


def test_what_a_child_has_spent_stays_when_it_is_gone() -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", REAPER]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        both = Processes(process.pid)
        process.stdout.readline()
        before, alone = both.sample(), Probe(process.pid).sample()
        process.stdin.write("end\n")
        process.stdout.readline()
        after = both.sample()
        process.communicate("")
    assert before is not None
    assert alone is not None
    assert after is not None
    assert after.cpu_ns > before.cpu_ns > alone.cpu_ns + 20_000_000


BURNER = """
import os, signal, sys, threading, time
def burn():
    end = time.thread_time_ns() + 4_000_000
    while time.thread_time_ns() < end:
        pass
def thread():
    one = threading.Thread(target=burn)
    one.start()
    one.join()
def child(is_awaited):
    pid = os.fork()
    if not pid:
        burn()
        os._exit(0)
    if is_awaited:
        os.waitpid(pid, 0)
kinds = {"thread": thread, "awaited child": lambda: child(True), "zombie": lambda: child(False)}
print(1, flush=True)
for kind in sys.stdin:
    for _ in range(50):
        kinds[kind.strip()]()
    while kind == "zombie\\n" and any(
        open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
        for pid in open(f"/proc/self/task/{os.getpid()}/children").read().split()
    ):
        pass
    print(2, flush=True)
"""


@pytest.mark.parametrize("kind", ["thread", "awaited child", "zombie"])
def test_what_lives_between_two_looks_counts_once(kind: str) -> None:
    """Fifty threads or children of 4 ms each begin and end between two looks."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", BURNER], stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        whole = Processes(process.pid)
        process.stdout.readline()
        looks = [whole.sample()]
        process.stdin.write(f"{kind}\n")
        process.stdout.readline()
        looks += [whole.sample(), whole.sample()]
        process.communicate("")
    before, after, again = (look.cpu_ns for look in looks if look is not None)
    assert after - before > 50 * 4_000_000 - 20_000_000
    assert again - before < 350_000_000


LEAVER = """
import os, sys
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(write, str(os.getpid()).encode())
        os.execvp("sleep", ["sleep", "60"])
    os._exit(0)
os.wait()
print(os.read(read, 20).decode(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["stopped", "harness gone"])
def test_a_process_in_a_session_of_its_own_does_not_outlive_its_subject(how: str) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", LEAVER]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, preexec_fn=keep_offspring) as process:
        assert process.stdout is not None
        left = os.pidfd_open(int(process.stdout.readline()))
        watch = Watch()
        watch.begin(SUBJECT, process.pid)
        assert len(watch.rows()) == 1
        if how == "stopped":
            process.kill()
            process.wait()
            watch.stop(SUBJECT)
        else:
            watch.kill_all()
    assert select.select([left], [], [], 5)[0] == [left]
