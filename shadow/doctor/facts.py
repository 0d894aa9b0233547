"""What a session needs to know of this machine, looked up in half a second; nothing is judged here."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import resource
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from shadow.errors import UsageError
from shadow.placement import choose_placement

__all__ = ["PIPES", "PIPE_BYTES", "Clock", "Facts", "Load", "Package", "gather"]

PIPES: Final = 8
"""Subjects' pipes of one session: four legs of two."""
PIPE_BYTES: Final = 1 << 20
WATCHED_S: Final = 0.5
LOOKS: Final = 25
_PROC: Final = Path("/proc")
_CGROUP: Final = Path("/sys/fs/cgroup")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)\s*([<>=!~0-9.,]*)")


class Package(msgspec.Struct, frozen=True):
    """A package that we need: the versions that we take, as in `>=15,<18`, and the one found, "" for none."""

    name: str
    wanted: str
    found: str


class Clock(msgspec.Struct, frozen=True):
    """The clock of all times: how Python reads it, the kernel's source, its smallest step and the cost of a reading."""

    implementation: str
    source: str
    step_ns: int
    read_ns: float


class Load(msgspec.Struct, frozen=True):
    """What others do: tasks that run or wait for a core on average, and the share of time taken by the hypervisor."""

    running: float
    stolen: float


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """This machine. Memory and disk in bytes; texts are "" and numbers None where nothing could be found out.

    `quota_cores` is how many cores' time a container may use, None for as much as there is.
    """

    system: str
    python: tuple[int, int, int]
    packages: tuple[Package, ...]
    missing_stacks: tuple[str, ...]
    cores: int
    usable_cores: int
    quota_cores: float | None
    placement: str
    placement_error: str
    clock: Clock
    pipe_bytes: int
    open_files: int
    disk_free: int
    memory_free: int | None
    has_memory_map: bool
    has_cpu_times: bool
    loopback_error: str
    chromium: str
    load: Load | None
    libc: str
    tunables: dict[str, str]


def gather(folder: Path, rate: float) -> Facts:
    """Look at this machine; `folder` is where runs would go, `rate` what a session would send each side per second."""
    placement, placement_error = _placement(rate)
    return Facts(
        system=sys.platform,
        python=sys.version_info[:3],
        packages=_packages(),
        missing_stacks=tuple(name for name in ("infrastructure", "legacy") if importlib.util.find_spec(name) is None),
        cores=os.cpu_count() or 1,
        usable_cores=len(os.sched_getaffinity(0)),
        quota_cores=_quota_cores(),
        placement=placement,
        placement_error=placement_error,
        clock=_clock(),
        pipe_bytes=_pipe_bytes(),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        disk_free=shutil.disk_usage(_existing(folder)).free,
        memory_free=_memory_free(),
        has_memory_map=_is_readable(_PROC / str(os.getpid()) / "smaps_rollup"),
        has_cpu_times=_is_readable(_PROC / str(os.getpid()) / "schedstat"),
        loopback_error=_loopback_error(),
        chromium=shutil.which("chromium") or "",
        load=_load(),
        libc=_libc(),
        tunables=tunables_of(os.environ),
    )


def tunables_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of glibc's allocator among the variables."""
    return {
        name: value
        for name, value in environment.items()
        if name == "GLIBC_TUNABLES" or (name.startswith("MALLOC_") and name.endswith("_"))
    }


def _packages() -> tuple[Package, ...]:
    """What ws-shadow requires without its extras, itself first."""
    own = Package("ws-shadow", "", _version("ws-shadow"))
    required = (metadata.requires(own.name) or []) if own.found else []
    needed = (_REQUIREMENT.match(text) for text in required if "extra ==" not in text)
    return own, *(Package(one[1], one[2], _version(one[1])) for one in needed if one is not None)


def _version(name: str) -> str:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return ""


def _quota_cores() -> float | None:
    quota, _, period = _text(_CGROUP / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() else None


def _placement(rate: float) -> tuple[str, str]:
    """How processes would be placed, and why they cannot be."""
    try:
        placement = choose_placement(rate, unpaced=False)
        os.sched_setaffinity(0, placement.every)
    except (UsageError, OSError) as error:
        return "free", str(error)
    return placement.name, ""


def _clock() -> Clock:
    readings = [time.perf_counter_ns() for _ in range(2000)]
    steps = [later - earlier for earlier, later in pairwise(readings) if later > earlier]
    source = _text(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    return Clock(
        implementation=time.get_clock_info("perf_counter").implementation,
        source=source.strip(),
        step_ns=min(steps, default=0),
        read_ns=(readings[-1] - readings[0]) / (len(readings) - 1),
    )


def _pipe_bytes() -> int:
    """The size of the smallest of as many pipes as a session makes, each asked to be PIPE_BYTES."""
    ends: list[int] = []
    sizes = []
    try:
        for _ in range(PIPES):
            ends += (pair := os.pipe())
            with contextlib.suppress(OSError):
                fcntl.fcntl(pair[0], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            sizes.append(fcntl.fcntl(pair[0], fcntl.F_GETPIPE_SZ))
    except OSError:
        return 0
    finally:
        for end in ends:
            os.close(end)
    return min(sizes)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.resolve().parents) if place.is_dir())


def _memory_free() -> int | None:
    """What the machine has left, or the container where that is less."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(_PROC / "meminfo"), re.MULTILINE)
    if found is None:
        return None
    free = 1024 * int(found[1])
    limit, used = (_text(_CGROUP / f"memory.{name}").strip() for name in ("max", "current"))
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def _is_readable(path: Path) -> bool:
    return bool(_text(path))


def _loopback_error() -> str:
    """What a connection to ourselves fails with."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname(), 2) as near, server.accept()[0] as far:
                near.sendall(b"x")
                return "" if far.recv(1) == b"x" else "what was sent did not come"
    except OSError as error:
        return error.strerror or str(error)


def _load() -> Load | None:
    """Watch for half a second; this process itself is not counted."""
    try:
        before, running = _times(), 0.0
        for _ in range(LOOKS):
            time.sleep(WATCHED_S / LOOKS)
            running += max(0, _running() - 1) / LOOKS
        spent = [after - earlier for earlier, after in zip(before, _times(), strict=True)]
    except (OSError, ValueError, LookupError):
        return None
    return Load(running, spent[7] / max(1, sum(spent[:8])))


def _times() -> list[int]:
    """Ticks by kind since boot: user, nice, system, idle, iowait, irq, softirq, steal, ..."""
    return [int(word) for word in _text(_PROC / "stat").split("\n", 1)[0].split()[1:]]


def _running() -> int:
    return int(_text(_PROC / "stat").partition("procs_running ")[2].split()[0])


def _libc() -> str:
    with contextlib.suppress(ValueError, OSError):
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    return ""


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
