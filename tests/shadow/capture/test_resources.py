import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadow.capture import resources, watch
from shadow.capture.resources import Identity, Probe, descends, identity
from shadow.capture.watch import Watch

ROLLUP = "0-1 ---p [rollup]\nRss: 100 kB\nPss: 9 kB\nPrivate_Clean: 3 kB\nPrivate_Dirty: 4 kB\nPrivate_Hugetlb: 5 kB\n"


class FakeProc:
    """One process of a made-up /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root / "7"
        self.memory(ROLLUP)

    def memory(self, text: str) -> None:
        self.root.mkdir(exist_ok=True)
        (self.root / "smaps_rollup").write_text(text)


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProc:
    """A made-up /proc with process 7."""
    monkeypatch.setattr(resources, "_PROC", tmp_path)
    monkeypatch.setattr(resources, "cpu_ns_of", lambda _: 150)
    return FakeProc(tmp_path)


def test_memory_is_what_is_private(proc: FakeProc) -> None:
    sample = Probe(7).sample()
    assert sample is not None
    assert (sample.uss, sample.rss) == (12 * 1024, 100 * 1024)


@pytest.mark.parametrize(("cost_ns", "fresh"), [(900_000, True), (1_100_000, False)])
def test_costly_memory_is_read_less_often(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch, cost_ns: int, fresh: bool
) -> None:
    now = [0]

    def clock() -> int:
        now[0] += cost_ns
        return now[0]

    monkeypatch.setattr(resources, "perf_counter_ns", clock)
    probe = Probe(7)
    probe.sample()
    proc.memory(ROLLUP.replace("Rss: 100", "Rss: 200"))
    second = probe.sample()
    assert second is not None
    assert (second.rss == 200 * 1024) == fresh
    now[0] += resources.COSTLY_EVERY_NS
    third = probe.sample()
    assert third is not None
    assert third.rss == 200 * 1024


def test_a_vanished_process_is_no_error(proc: FakeProc) -> None:
    proc.memory("")
    assert Probe(7).sample() is None
    assert Probe(8).sample() is None
    assert identity(8) is None


def test_this_process_costs_something() -> None:
    sample = Probe(os.getpid()).sample()
    assert sample is not None
    assert 0 < sample.uss <= sample.rss
    assert sample.cpu_ns > 0


def test_descent() -> None:
    assert descends(os.getpid(), os.getppid())
    assert not descends(os.getppid(), os.getpid())
    assert not descends(os.getpid(), 2**22 + 5)


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A process that leads a group, and its child."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    ) as outer:
        assert outer.stdout is not None
        yield outer.pid, int(outer.stdout.readline())
        os.killpg(outer.pid, signal.SIGKILL)


def test_a_subject_is_one_row_also_with_a_descendant_named_early(family: tuple[int, int]) -> None:
    outer, inner = family
    subject = ("main", "new")
    found = Watch()
    found.name(subject, inner)
    found.begin(subject, outer)
    (row,) = found.rows()
    assert row[3] in family
    assert found.rows() == []
    found.name(subject, os.getpid())
    (row,) = found.stop(subject)
    assert row[3] in family
    assert found.stop(subject) == []


def test_the_end_takes_the_whole_process_group(family: tuple[int, int]) -> None:
    outer, inner = family
    found = Watch()
    found.begin(("main", "new"), outer)
    ends = [os.pidfd_open(pid) for pid in family]
    found.kill_all()
    for end in ends:
        assert select.select([end], [], [], 20)[0] == [end]
        os.close(end)
    assert Probe(inner).sample() is None


def test_a_later_process_with_the_same_pid_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    program = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as child:
        found = Watch()
        found.begin(("main", "new"), child.pid)
        with monkeypatch.context() as patch:
            patch.setattr(watch, "identity", lambda pid: Identity(pid, -1))
            found.kill_all()
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(20) == 0
