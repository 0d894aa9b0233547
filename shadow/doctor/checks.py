"""What the facts mean for a session: one finding for each, with the way out where something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final

import msgspec

from shadow.doctor.facts import PIPE_BYTES, PIPES, Facts, Package

__all__ = ["CHECKS", "CODES", "Finding", "Level", "Need", "Outcome", "as_json", "code_of", "examine", "fine", "lines"]

LEAST_PYTHON: Final = (3, 11)
LEAST_FILES: Final = 256
MIB: Final = 1 << 20
# Peaks of whole sessions over seconds times messages/s of one side: 4500 took 21 MB on disk and 521 MB of memory,
# 14 400 took 60 MB and 804 MB.
DISK_BASE: Final = 64 * MIB
DISK_PER_MESSAGE: Final = 6 * 1024
MEMORY_BASE: Final = 512 * MIB
MEMORY_PER_MESSAGE: Final = 28 * 1024
BUSY_TASKS: Final = 0.5
SPARE_CORES: Final = 4
STOLEN_SHARE: Final = 0.05
SLOW_SOURCES: Final = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
SLOW_READ_NS: Final = 1000
MONOTONIC: Final = "clock_gettime(CLOCK_MONOTONIC)"


class Level(Enum):
    """ok and note change nothing; poor: a session runs and its figures are worth little; cannot: none runs."""

    OK = "ok"
    NOTE = "note"
    POOR = "poor"
    CANNOT = "cannot"


CODES: Final = {Level.OK: 0, Level.NOTE: 0, Level.POOR: 11, Level.CANNOT: 12}


class Need(msgspec.Struct, frozen=True):
    """The session that is meant: measured seconds and messages per second and side."""

    seconds: float
    rate: float

    @property
    def disk(self) -> int:
        """Bytes that its run directory takes at most."""
        return DISK_BASE + round(self.seconds * self.rate * DISK_PER_MESSAGE)

    @property
    def memory(self) -> int:
        """Bytes that its processes, and then its judging, take together."""
        return MEMORY_BASE + round(self.seconds * self.rate * MEMORY_PER_MESSAGE)


class Finding(msgspec.Struct, frozen=True):
    """One check's outcome; `way_out` is empty where nothing is to be done."""

    check: str
    level: Level
    says: str
    way_out: str = ""


Outcome = tuple[Level, str, str]
Check = Callable[[Facts, Need], Outcome]


def fine(says: str) -> Outcome:
    return Level.OK, says, ""


def system(facts: Facts, need: Need) -> Outcome:
    if facts.system != "linux":
        return Level.CANNOT, f"{facts.system}, and sessions read /proc", "use Linux"
    return fine("Linux")


def python(facts: Facts, need: Need) -> Outcome:
    found = ".".join(map(str, facts.python))
    if facts.python < LEAST_PYTHON:
        return Level.CANNOT, found, "install Python 3.11 or newer and make the environment again"
    return fine(found)


def packages(facts: Facts, need: Need) -> Outcome:
    wrong = [one for one in facts.packages if not is_wanted(one)]
    if wrong:
        says = ", ".join(f"{one.name} {one.found or 'is missing'} ({one.wanted or 'any'} wanted)" for one in wrong)
        return Level.CANNOT, says, "remove .venv and run `make check`, or install ws-shadow again"
    return fine(", ".join(f"{one.name} {one.found}" for one in facts.packages))


def stacks(facts: Facts, need: Need) -> Outcome:
    if facts.missing_stacks:
        says = f"{', '.join(facts.missing_stacks)} cannot be imported"
        return Level.NOTE, says, "run from the checkout, install ws-shadow[stacks], or give --legacy CMD and --new CMD"
    return fine("both of ours are there")


def cores(facts: Facts, need: Need) -> Outcome:
    says = f"{facts.usable_cores} of {facts.cores} may be used"
    if facts.quota_cores is not None and facts.quota_cores < 2:
        return Level.POOR, f"{says}, for {facts.quota_cores:g} cores' time", "raise the container's CPU quota to 2"
    if facts.usable_cores < 2:
        return Level.POOR, says, "give the process two or more (taskset, the container's cpuset)"
    return fine(says)


def placement(facts: Facts, need: Need) -> Outcome:
    if facts.placement_error:
        is_word = "WS_SHADOW_CORES" in facts.placement_error
        way = "unset WS_SHADOW_CORES" if is_word else "allow sched_setaffinity (the container's seccomp profile)"
        return (Level.CANNOT if is_word else Level.POOR), facts.placement_error, way
    if facts.placement == "free" and facts.usable_cores >= 2:
        return Level.POOR, "free: subjects move between cores", "unset WS_SHADOW_CORES, use a rate up to 1000"
    is_shared = facts.placement == "shared"
    return fine("both subjects on one core, the harness on the others" if is_shared else "one core for all")


def clock(facts: Facts, need: Need) -> Outcome:
    found = facts.clock
    figures = f"step {found.step_ns} ns, {found.read_ns:.0f} ns a reading"
    says = f"{found.implementation}, source {found.source or 'unknown'}, {figures}"
    if found.implementation != MONOTONIC:
        return Level.CANNOT, says, "use a Python whose perf_counter is CLOCK_MONOTONIC, shared by all processes"
    if found.source in SLOW_SOURCES or max(found.step_ns, found.read_ns) > SLOW_READ_NS:
        return Level.POOR, says, "let the kernel use tsc or kvm-clock (clocksource=tsc)"
    return fine(says)


def pipes(facts: Facts, need: Need) -> Outcome:
    says = f"{PIPES} of {facts.pipe_bytes // 1024} KiB"
    if facts.pipe_bytes < PIPE_BYTES:
        way = "raise /proc/sys/fs/pipe-max-size to 1048576 and pipe-user-pages-soft to 16384"
        return Level.POOR, f"{says}, 1024 KiB wanted: a subject may have to wait for the recorder", way
    return fine(says)


def files(facts: Facts, need: Need) -> Outcome:
    is_endless = facts.open_files < 0
    says = "no limit" if is_endless else f"{facts.open_files} at once"
    if not is_endless and facts.open_files < LEAST_FILES:
        return Level.CANNOT, f"{says}, {LEAST_FILES} needed", "ulimit -n 1024"
    return fine(says)


def disk(facts: Facts, need: Need) -> Outcome:
    says = f"{facts.disk_free // MIB} MiB free, {need.seconds:g} s at {need.rate:g}/s take up to {need.disk // MIB} MiB"
    if facts.disk_free < need.disk:
        return Level.CANNOT, says, "free some, or give --out on another disk"
    return fine(says)


def memory(facts: Facts, need: Need) -> Outcome:
    if facts.memory_free is None:
        return Level.NOTE, "unknown: /proc/meminfo cannot be read", f"see that {need.memory // MIB} MiB are free"
    says = f"{facts.memory_free // MIB} MiB available, {need.memory // MIB} wanted"
    if facts.memory_free < need.memory:
        return Level.CANNOT, says, "stop other programs, raise the container's limit, or measure for a shorter time"
    return fine(says)


def probe(facts: Facts, need: Need) -> Outcome:
    if not facts.has_memory_map:
        says = "/proc/PID/smaps_rollup cannot be read: no figures of memory and CPU"
        return Level.POOR, says, "mount /proc without hidepid, use a kernel from 4.14 on"
    if not facts.has_cpu_times:
        says = "/proc/PID/schedstat cannot be read: no figures of memory and CPU"
        return Level.POOR, says, "use a kernel with CONFIG_SCHED_INFO"
    return fine("/proc/PID/smaps_rollup and schedstat can be read")


def loopback(facts: Facts, need: Need) -> Outcome:
    if facts.loopback_error:
        return Level.CANNOT, f"127.0.0.1: {facts.loopback_error}", "bring up lo (ip link set lo up)"
    return fine("127.0.0.1 connects to itself")


def chromium(facts: Facts, need: Need) -> Outcome:
    if not facts.chromium:
        return Level.NOTE, "not there: the test that looks at the report is skipped", "apt-get install chromium"
    return fine(facts.chromium)


def load(facts: Facts, need: Need) -> Outcome:
    if facts.load is None:
        return Level.NOTE, "unknown: /proc/stat cannot be read", "see that nothing else runs"
    others, stolen = f"{facts.load.running:.1f} other tasks running", f"{facts.load.stolen:.0%} stolen by the host"
    says = f"{others} on {facts.usable_cores} cores, {stolen}"
    is_crowded = facts.usable_cores - facts.load.running < SPARE_CORES
    if (facts.load.running >= BUSY_TASKS and is_crowded) or facts.load.stolen >= STOLEN_SHARE:
        return Level.POOR, says, "stop other programs, or wait until they end"
    return fine(says)


def allocator(facts: Facts, need: Need) -> Outcome:
    if not facts.libc.startswith("glibc"):
        says = f"{facts.libc or 'no glibc'}: the subjects' allocator cannot be kept steady"
        return Level.NOTE, says, "use a system with glibc, or read memory and CPU figures with care"
    if facts.tunables:
        says = f"{facts.libc}, and the environment sets {', '.join(sorted(facts.tunables))}: subjects run with it"
        return Level.NOTE, says, f"unset {' '.join(sorted(facts.tunables))}"
    return fine(f"{facts.libc}, no tunables set")


CHECKS: Final[dict[str, Check]] = {
    "system": system,
    "python": python,
    "packages": packages,
    "stacks": stacks,
    "cores": cores,
    "placement": placement,
    "clock": clock,
    "pipes": pipes,
    "open files": files,
    "disk": disk,
    "memory": memory,
    "process figures": probe,
    "loopback": loopback,
    "pictures": chromium,
    "load": load,
    "allocator": allocator,
}


def examine(facts: Facts, need: Need) -> list[Finding]:
    """Every check's finding, in order."""
    return [Finding(name, *check(facts, need)) for name, check in CHECKS.items()]


def code_of(findings: Sequence[Finding]) -> int:
    """0 when a session can run, 11 when its figures would be poor, 12 when it cannot."""
    return max(CODES[finding.level] for finding in findings)


def lines(findings: Sequence[Finding]) -> list[str]:
    """One line for each finding, and what all come to."""
    told = [
        f"{one.level.value:<7}{one.check:<16} {one.says}{f'; {one.way_out}' if one.way_out else ''}" for one in findings
    ]
    return [*told, _conclusion(findings)]


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """For `--json`."""
    return {"schema": 1, "code": code_of(findings), "checks": msgspec.to_builtins(findings)}


def is_wanted(package: Package) -> bool:
    """Whether the version found lies within `>=` and `<`; other comparisons are pip's business."""
    if not package.found:
        return False
    found = numbers(package.found)
    for bound in package.wanted.split(","):
        limit = numbers(bound)
        if (bound.startswith(">=") and found < limit) or (bound.startswith("<") and found >= limit):
            return False
    return True


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    found = re.search(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _conclusion(findings: Sequence[Finding]) -> str:
    code = code_of(findings)
    if code == 0:
        return "a session can run here"
    level = Level.CANNOT if code == CODES[Level.CANNOT] else Level.POOR
    names = ", ".join(one.check for one in findings if one.level is level)
    return f"no session can run here: {names}" if level is Level.CANNOT else f"figures would be poor: {names}"
