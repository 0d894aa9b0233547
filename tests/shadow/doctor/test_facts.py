"""What is looked up on the machine that runs the tests, against what can be known otherwise."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from shadow.doctor import facts
from shadow.doctor.facts import PIPE_BYTES, Facts, gather, tunables_of


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return gather(tmp_path_factory.mktemp("doctor") / "not" / "made" / "yet", 600)


def test_the_machine_is_seen_as_it_is(found: Facts) -> None:
    assert found.python == sys.version_info[:3]
    assert found.cores == os.cpu_count()
    assert found.usable_cores == len(os.sched_getaffinity(0))
    assert found.open_files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert found.clock.implementation == "clock_gettime(CLOCK_MONOTONIC)"
    assert 0 < found.clock.step_ns <= 1_000_000
    assert found.clock.read_ns > 0
    assert found.disk_free > 0
    assert found.memory_free is None or found.memory_free > 0
    assert (found.has_memory_map, found.has_cpu_times) == (True, True)
    assert found.missing_stacks == ()
    assert found.load is not None
    assert found.load.running >= 0
    assert 0 <= found.load.stolen <= 1


def test_the_packages_are_those_of_the_project(found: Facts) -> None:
    versions = {one.name: one.found for one in found.packages}
    assert versions["websockets"] == metadata.version("websockets")
    assert versions["ws-shadow"] == metadata.version("ws-shadow")
    assert "pytest" not in versions
    assert all(one.found for one in found.packages)


def test_pipes_are_as_large_as_the_system_lets_them_be(found: Facts) -> None:
    limit = int(Path("/proc/sys/fs/pipe-max-size").read_text())
    assert found.pipe_bytes <= max(limit, PIPE_BYTES)
    if limit >= PIPE_BYTES:
        assert found.pipe_bytes == PIPE_BYTES


def test_a_small_limit_of_files_leaves_no_pipes_and_no_loopback() -> None:
    script = (
        "import os, resource\nfrom shadow.doctor import facts\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')) + 1,) * 2)\n"
        "print(facts._pipe_bytes(), facts._loopback_error(), sep='|')"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "0|Too many open files\n"


def test_the_loopback_works_here() -> None:
    assert facts._loopback_error() == ""


def test_other_work_is_counted() -> None:
    spin = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        load = facts._load()
    finally:
        for process in spin:
            process.kill()
            process.wait()
    assert load is not None
    assert load.running >= 1.5


def test_a_wish_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WS_SHADOW_CORES", "pinned")
    assert facts._placement(600)[1].startswith("WS_SHADOW_CORES=pinned is unknown")


def test_what_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(facts, "_PROC", tmp_path)
    monkeypatch.setattr(facts, "_CGROUP", tmp_path)
    assert facts._load() is None
    assert facts._memory_free() is None
    assert facts._quota_cores() is None
    assert not facts._is_readable(tmp_path / "smaps_rollup")


def test_a_containers_limits_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(facts, "_CGROUP", tmp_path)
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("4096\n")
    (tmp_path / "memory.current").write_text("1024\n")
    assert facts._quota_cores() == 1.5
    assert facts._memory_free() == 3072
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert facts._quota_cores() is None


def test_only_the_allocators_settings_are_tunables() -> None:
    environment = {"GLIBC_TUNABLES": "a", "MALLOC_ARENA_MAX_": "2", "MALLOC_CONF": "jemalloc", "PATH": "/bin"}
    assert tunables_of(environment) == {"GLIBC_TUNABLES": "a", "MALLOC_ARENA_MAX_": "2"}
