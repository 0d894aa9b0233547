"""A session's settings, checked before anything is started: each mistake is one line with the way out."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shadow.children import subject_environment
from shadow.connections import (
    CHANNELS,
    CONNECTIONS,
    DEFAULT_SYMBOLS,
    all_channels,
    channels_of,
    check_connections,
    check_live,
    check_symbols,
)
from shadow.errors import UsageError
from shadow.plan import MAIN_ROLES, Plan, capacity_plan, direct_plan, live_plan, make_plan, replay_plan
from shadow.release_plan import first_plan, release_plan

if TYPE_CHECKING:
    from shadow.venue.faults import Fault

__all__ = [
    "DEFAULT_RATE",
    "KEEP_RAW",
    "LONG_S",
    "QUICK_S",
    "STRETCH_S",
    "SessionConfig",
    "own_subject",
    "seconds",
    "split_command",
]

DEFAULT_RATE = 600
QUICK_S = 65.0
LONG_S = 3600.0
"""A longer session is reduced in stretches, unless it is told otherwise."""
STRETCH_S = 60.0
KEEP_RAW = 2_000_000_000
TIME_SCALES = (1.0, 1440.0)
HELD_S = 3.0
"""How long a fault may hold frames back of a session in stretches, which judges a stretch 6.5 s behind its end."""
_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Read `65s`, `2m`, `1.5h` or plain seconds; UsageError otherwise."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|min|m|h|)", text.strip())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"--duration {text!r} is no length of time; write for example 65s, 2m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def own_subject(architecture: str) -> str:
    """The command of one of our own subjects."""
    return shlex.join([sys.executable, "-m", f"shadow.subjects.{architecture}"])


def split_command(role: str, text: str) -> list[str]:
    """A command's words; UsageError where its quotes do not close."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--{role} {text}: {str(error).lower()}; quote it as a shell would take it") from None


def check_held(faults: Iterable[Fault]) -> None:
    """UsageError for a fault that holds frames back so long that their stretch would be judged without them."""
    for fault in faults:
        held_s = {"stall": fault.for_s, "delay": fault.by_s}.get(fault.kind) or 0.0
        if held_s > HELD_S:
            raise UsageError(
                f"--fault {fault.text} holds frames back for {held_s:g} s: {HELD_S:g} s at most with --stretch"
            )


class Burn(msgspec.Struct, frozen=True):
    """CPU burned before the callback by one role, as a share of the service time measured in the same session."""

    role: str
    share: float


class SessionConfig(msgspec.Struct, kw_only=True):
    """Everything a session needs to know; `validate` must have passed."""

    connections: tuple[str, ...] = CONNECTIONS
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    channels: tuple[str, ...] = CHANNELS
    feed: str = "sim"
    direct: bool = False
    profile: str = "default"
    duration_s: float = QUICK_S
    is_sized_by_noise: bool = False
    """At grade release: the length is worked out from the noise of the first calibration, whatever duration_s says."""
    rate: int = DEFAULT_RATE
    unpaced: bool = False
    time_scale: float = 1.0
    seed: int = 1
    grade: str = "quick"
    faults: tuple[str, ...] = ()
    legacy: str = ""
    new: str = ""
    calibration: bool = True
    known: str | None = None
    out: Path | None = None
    max_disk: int | None = None
    """Bytes that the raw tables may take; without it half of what is free."""
    stretch_s: float | None = None
    """How long a stretch is that is judged and reduced while the session goes on; None where the session is whole."""
    keep_raw: int = KEEP_RAW
    """Bytes of raw data that stay when they have been judged, of a session in stretches."""
    stop_early: bool = False
    """Whether a regression that is certain while the session runs ends it."""
    sampled_profile: bool = False
    """Whether a profile of both stacks is taken behind the session even where no performance trigger fired."""
    burn: Burn | None = None
    options: dict[str, dict[str, Any]] = {}
    """What each role's start line holds besides."""

    @property
    def is_replay(self) -> bool:
        """Whether the feed is a capture."""
        return self.feed.startswith("capture:")

    @property
    def is_live(self) -> bool:
        """Whether the feed is the exchanges' own."""
        return self.feed == "live"

    @property
    def is_capacity(self) -> bool:
        """Whether the synthetic feed is to find the highest pace that each side keeps up with."""
        return self.unpaced and not self.is_replay

    def commands(self) -> dict[str, list[str]]:
        """The argv of each role; a foreign legacy also plays the second legacy."""
        legacy = split_command("legacy", self.legacy or own_subject("legacy"))
        return {"legacy": legacy, "legacy2": legacy, "new": split_command("new", self.new or own_subject("new"))}

    def control_command(self) -> list[str]:
        """Who plays both sides of the positive control: our own legacy subject when the legacy is foreign."""
        return shlex.split(own_subject("legacy"))

    def plan(self) -> Plan:
        """The legs and phases of this session."""
        if self.is_replay:
            return replay_plan()
        if self.direct:
            return direct_plan(self.duration_s)
        if self.is_sized_by_noise:
            return first_plan()
        if self.is_live:
            plan = live_plan(self.duration_s)
            return plan if self.stretch_s is None else plan.thinned(self.rate)
        if self.is_capacity:
            return capacity_plan(self.duration_s)
        if self.grade == "release":
            return release_plan(self.duration_s, calibration=self.calibration)
        plan = make_plan(self.duration_s, calibration=self.calibration, connections=len(self.connections))
        return plan if self.stretch_s is None else plan.thinned(self.rate)

    def validate(self) -> None:
        """Raise UsageError for the first mistake; a capture fills in its own connections, symbols and channels."""
        self._check_feed()
        self._check_grade()
        self._check_profile()
        self._check_stretches()
        self._check_names()
        for role, argv in self.commands().items():
            if not argv or shutil.which(argv[0], path=subject_environment()["PATH"]) is None:
                name = argv[0] if argv else "(empty)"
                raise UsageError(f"--{role} {name}: command not found; give a program on the PATH or its full path")
        if self.known is not None:
            from shadow.diff.known import load_known

            load_known(Path(self.known))

    def out_dir(self) -> Path:
        """Make the run directory (mode 0700) or take an empty one; UsageError when it holds anything."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self.seed}"
        path = self.out or Path("runs") / name
        if self.out is None and path.exists():
            path = path.with_name(f"{name}-{secrets.token_hex(2)}")
        is_there = path.exists()
        if is_there and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"--out {path} is not an empty directory; give a new one, a run is never written over")
        try:
            path.mkdir(parents=True, exist_ok=is_there, mode=0o700)
            path.chmod(0o700)
        except FileExistsError:
            if self.out is None:
                return self.out_dir()
            raise UsageError(f"--out {path} was made by another just now; give a new one") from None
        except OSError as error:
            raise UsageError(f"--out {path}: {error.strerror}") from None
        return path

    def _check_feed(self) -> None:
        if self.direct:
            from shadow.network.words import check_direct

            check_direct(self)
            return
        if self.is_replay:
            self._adopt_capture()
        elif self.is_live:
            self._check_live()
        elif self.feed != "sim":
            raise UsageError(f"--feed {self.feed!r} is unknown; use sim, capture:PATH or live")

    def _check_grade(self) -> None:
        if self.grade == "release" and (self.is_replay or self.is_live or self.is_capacity):
            other = "--feed capture" if self.is_replay else "--feed live" if self.is_live else "--rate max"
            raise UsageError(f"--grade release does not go with {other}, which judges no latency; use --grade quick")
        if self.is_sized_by_noise and not self.calibration:
            raise UsageError("--no-calibration leaves no noise to work the length out from; give --duration as well")

    def _check_stretches(self) -> None:
        if self.stretch_s is None:
            return
        if self.is_replay or self.direct or self.is_capacity or self.grade == "release":
            raise UsageError("--stretch goes with --feed sim or live at grade quick, with a rate: leave it out here")
        if self.stop_early:
            raise UsageError("--stop-early needs the whole raw data of a session; leave it or --stretch out")

    def _adopt_capture(self) -> None:
        from shadow.venue.sources.capture import load_capture

        capture = load_capture(Path(self.feed.removeprefix("capture:")))
        self.connections = tuple(capture.connections)
        self.channels = tuple(capture.channels)
        self.symbols = tuple(capture.symbols)
        if self.faults:
            raise UsageError("--fault does not go with --feed capture: a recorded feed is played as it was")

    def _check_profile(self) -> None:
        if self.sampled_profile and (self.feed != "sim" or self.unpaced):
            other = "--rate max" if self.feed == "sim" else f"--feed {self.feed.partition(':')[0]}"
            raise UsageError(f"--sampled-profile does not go with {other}: it takes the bursts of the synthetic market")

    def _check_live(self) -> None:
        check_live(self.connections, self.symbols, self.faults)
        if self.unpaced:
            raise UsageError("--rate max does not go with --feed live: an exchange keeps its own pace")
        if self.time_scale != 1.0:
            raise UsageError("--time-scale does not go with --feed live: an exchange keeps its own time")

    def _check_names(self) -> None:
        check_connections(self.connections)
        for channel in self.channels:
            if channel not in CHANNELS:
                raise UsageError(f"unknown channel {channel!r}; known are {', '.join(CHANNELS)}")
        for connection in self.connections:
            if not channels_of(connection, self.channels):
                raise UsageError(f"--channels leaves nothing to ask of {connection}; it has {all_channels(connection)}")
        if self.feed == "sim":
            check_symbols(self.symbols)
        if not self.connections or not self.channels or not self.symbols:
            raise UsageError("an empty list of connections, channels or symbols leaves nothing to compare")
        least, most = TIME_SCALES
        if not least <= self.time_scale <= most:
            raise UsageError(f"--time-scale {self.time_scale:g} must be from {least:g} to {most:g}, a day in a minute")
        if self.is_replay and self.time_scale != 1.0:
            raise UsageError("--time-scale does not go with --feed capture: a recorded feed keeps its own time")
        if self.is_capacity and self.faults:
            raise UsageError("--fault does not go with --rate max: a disturbed side keeps up with less")
        if self.rate <= 0:
            raise UsageError(f"--rate {self.rate} must be a positive number of messages per second, or max")
        from shadow.venue.faults import check_faults, parse_fault

        faults = [parse_fault(spec) for spec in self.faults]
        check_faults(faults, self.connections, ("legacy", "new"))
        if self.stretch_s is not None:
            check_held(faults)
        leg_s = max(leg.measured_s for leg in self.plan().legs if leg.roles[:2] == MAIN_ROLES)
        for fault, spec in zip(faults, self.faults, strict=True):
            if fault.at_s >= leg_s:
                raise UsageError(
                    f"--fault {spec} would never happen: its leg ends after {leg_s:g} s; give a smaller at="
                )


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "system": os.uname().sysname,
        "release": os.uname().release,
        "python": sys.version.split()[0],
    }
