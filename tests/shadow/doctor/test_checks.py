"""Each check broken on purpose: its line, its way out, the code."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from shadow.doctor import command
from shadow.doctor.checks import CHECKS, Level, Need, as_json, code_of, examine, is_wanted, lines
from shadow.doctor.facts import Clock, Facts, Load, Package

NEED = Need(65.0, 600)
SOUND = Facts(
    system="linux",
    python=(3, 11, 7),
    packages=(Package("ws-shadow", "", "0.1.0"), Package("websockets", "<18,>=15", "15.0.1")),
    missing_stacks=(),
    cores=2,
    usable_cores=2,
    quota_cores=None,
    placement="shared",
    placement_error="",
    clock=Clock("clock_gettime(CLOCK_MONOTONIC)", "tsc", 20, 60.0),
    pipe_bytes=1 << 20,
    open_files=1024,
    disk_free=10 << 30,
    memory_free=4 << 30,
    has_memory_map=True,
    has_cpu_times=True,
    loopback_error="",
    chromium="/usr/bin/chromium",
    load=Load(0.1, 0.0),
    libc="glibc 2.36",
    tunables={},
)
CONCLUSIONS = {0: "a session can run here", 11: "figures would be poor: {}", 12: "no session can run here: {}"}


def clock(**changed: Any) -> Clock:
    return msgspec.structs.replace(SOUND.clock, **changed)


def test_a_sound_machine_passes_every_check() -> None:
    findings = examine(SOUND, NEED)
    assert [finding.check for finding in findings] == list(CHECKS)
    assert {finding.level for finding in findings} == {Level.OK}
    assert code_of(findings) == 0
    assert lines(findings)[-1] == "a session can run here"
    assert all(finding.says and not finding.way_out for finding in findings)


@pytest.mark.parametrize(
    ("broken", "check", "code", "says", "way_out"),
    [
        ({"system": "darwin"}, "system", 12, "darwin", "Linux"),
        ({"python": (3, 10, 4)}, "python", 12, "3.10.4", "3.11"),
        ({"packages": (Package("orjson", ">=3.10", ""),)}, "packages", 12, "orjson is missing", "make check"),
        ({"packages": (Package("orjson", ">=3.10", "3.9.9"),)}, "packages", 12, "orjson 3.9.9 (>=3.10", "make check"),
        ({"packages": (Package("ws-shadow", "", ""),)}, "packages", 12, "ws-shadow is missing", "install"),
        ({"missing_stacks": ("legacy",)}, "stacks", 0, "legacy", "--legacy CMD"),
        ({"cores": 1, "usable_cores": 1, "placement": "free"}, "cores", 11, "1 of 1", "two or more"),
        ({"usable_cores": 1, "placement": "free"}, "cores", 11, "1 of 2", "cpuset"),
        ({"quota_cores": 1.5}, "cores", 11, "1.5 cores' time", "quota"),
        ({"placement": "free"}, "placement", 11, "move between cores", "WS_SHADOW_CORES"),
        ({"placement_error": "Operation not permitted"}, "placement", 11, "not permitted", "sched_setaffinity"),
        ({"placement_error": "WS_SHADOW_CORES=x is unknown"}, "placement", 12, "unknown", "unset WS_SHADOW_CORES"),
        ({"clock": clock(implementation="mach_absolute_time()")}, "clock", 12, "mach_absolute_time", "CLOCK_MONOTONIC"),
        ({"clock": clock(source="hpet")}, "clock", 11, "hpet", "tsc"),
        ({"clock": clock(step_ns=1_000_000)}, "clock", 11, "1000000 ns", "tsc"),
        ({"clock": clock(read_ns=2500.0)}, "clock", 11, "2500 ns a reading", "tsc"),
        ({"pipe_bytes": 65536}, "pipes", 11, "64 KiB", "pipe-max-size"),
        ({"pipe_bytes": 0}, "pipes", 11, "0 KiB", "pipe-max-size"),
        ({"open_files": 128}, "open files", 12, "128", "ulimit -n"),
        ({"disk_free": 1 << 20}, "disk", 12, "1 MiB free", "--out"),
        ({"memory_free": 512 << 20}, "memory", 12, "512 MiB", "stop other programs"),
        ({"memory_free": None}, "memory", 0, "unknown", f"{NEED.memory >> 20} MiB"),
        ({"has_memory_map": False}, "process figures", 11, "smaps_rollup", "hidepid"),
        ({"has_cpu_times": False}, "process figures", 11, "schedstat", "CONFIG_SCHED_INFO"),
        ({"loopback_error": "Network is unreachable"}, "loopback", 12, "Network is unreachable", "ip link set lo up"),
        ({"chromium": ""}, "pictures", 0, "not there", "apt-get install chromium"),
        ({"load": Load(0.5, 0.0)}, "load", 11, "0.5 other tasks", "wait"),
        ({"load": Load(0.0, 0.07)}, "load", 11, "7% stolen", "wait"),
        ({"load": None}, "load", 0, "unknown", "nothing else"),
        ({"libc": "musl 1.2"}, "allocator", 0, "musl", "glibc"),
        ({"tunables": {"GLIBC_TUNABLES": "x"}}, "allocator", 0, "GLIBC_TUNABLES", "unset GLIBC_TUNABLES"),
    ],
)
def test_each_check_can_fail(broken: dict[str, Any], check: str, code: int, says: str, way_out: str) -> None:
    findings = examine(msgspec.structs.replace(SOUND, **broken), NEED)
    (finding,) = [one for one in findings if one.level is not Level.OK]
    assert finding.check == check
    assert says in finding.says
    assert way_out in finding.way_out
    assert code_of(findings) == code
    *told, conclusion = lines(findings)
    assert all("\n" not in line for line in told)
    assert [line.split()[0] for line in told if not line.startswith("ok")] == [finding.level.value]
    assert conclusion == CONCLUSIONS[code].format(check)


def test_the_worst_finding_decides() -> None:
    findings = examine(msgspec.structs.replace(SOUND, open_files=64, pipe_bytes=4096, chromium=""), NEED)
    assert code_of(findings) == 12
    assert lines(findings)[-1] == "no session can run here: open files"


def test_many_cores_bear_other_work() -> None:
    facts = msgspec.structs.replace(SOUND, cores=16, usable_cores=16, load=Load(3.0, 0.0))
    assert code_of(examine(facts, NEED)) == 0


@pytest.mark.parametrize("name", ["disk", "memory"])
def test_a_longer_session_needs_more(name: str) -> None:
    facts = msgspec.structs.replace(SOUND, **{f"{name}_free": getattr(NEED, name)})
    assert code_of(examine(facts, NEED)) == 0
    assert code_of(examine(facts, Need(66.0, 600))) == 12
    assert code_of(examine(facts, Need(65.0, 700))) == 12


def test_unlimited_files_are_enough() -> None:
    assert code_of(examine(msgspec.structs.replace(SOUND, open_files=-1), NEED)) == 0


@pytest.mark.parametrize(
    ("wanted", "found", "is_right"),
    [
        ("<18,>=15", "15", True),
        ("<18,>=15", "17.9.1", True),
        ("<18,>=15", "18.0", False),
        ("<18,>=15", "14.2", False),
        (">=3.10", "3.9", False),
        (">=3.10", "3.10.0rc1", True),
        ("", "1", True),
        ("", "", False),
    ],
)
def test_versions_are_compared_as_numbers(wanted: str, found: str, is_right: bool) -> None:
    assert is_wanted(Package("x", wanted, found)) is is_right


def test_the_command_ends_with_the_code_and_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from shadow.cli import main

    monkeypatch.setattr(command, "gather", lambda folder, rate: msgspec.structs.replace(SOUND, pipe_bytes=4096))
    assert main(["doctor", "--json"]) == 11
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["code"]) == (1, 11)
    assert told == json.loads(json.dumps(as_json(examine(msgspec.structs.replace(SOUND, pipe_bytes=4096), NEED))))
    assert {one["check"]: one["level"] for one in told["checks"]}["pipes"] == "poor"
    assert main(["doctor"]) == 11
    assert capsys.readouterr().out.count("\n") == len(CHECKS) + 1
