"""The sampled profile of a run: both stacks once more, in bursts, when the verdict is known and no longer at stake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from shadow.capture.manifest import add_derived
from shadow.capture.profile_file import PROFILE_NAME, Profile, Side, side_of, write_profile
from shadow.config import SessionConfig
from shadow.errors import ShadowError
from shadow.leg_run import Listener
from shadow.plan import MAIN_ROLES, Leg, Phase, Plan
from shadow.session import Session
from shadow.subjects.sampler import Samples, pid_file

__all__ = ["profile_run", "reason_to_profile"]

SAMPLED_S: Final = 2.0
BURST_S: Final = 3.0
FOLDER: Final = ".profile"
ASKED: Final = "--sampled-profile"
UNKNOWN: Final = "its command does not know the option `profile`: a stack of its own, or one that did not start"


def reason_to_profile(config: SessionConfig, verdict: Mapping[str, Any]) -> str:
    """Who asks for a profile of this run: a performance trigger that fired, or a person; empty for nobody."""
    if config.feed != "sim" or config.unpaced or config.direct:
        return ""
    for trigger in verdict["triggers"]:
        if trigger["id"] == "performance" and trigger["verdict"] == "REGRESSION":
            return f"performance trigger, worst {trigger['worst']}"
    return ASKED if config.sampled_profile else ""


def profile_run(config: SessionConfig, folder: Path, asked_by: str, listener: Listener) -> Profile:
    """Start both stacks of a judged run again, sample them, and keep what was seen in profile.json.

    It is listed with the derived files: no verdict reads it, and nothing that a verdict reads is touched. A profile
    that cannot be taken says why; it is no reason to lose the run.
    """
    place = folder / FOLDER
    place.mkdir(mode=0o700)
    try:
        skipped = _play(config, place, listener)
        profile = _collect(place, asked_by, skipped)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    write_profile(folder, profile)
    add_derived(folder, [PROFILE_NAME])
    return profile


def _play(config: SessionConfig, place: Path, listener: Listener) -> str:
    """One leg of bursts, of which nothing but the samples is kept; why it did not come to its end, or nothing."""
    caller = _Caller(listener, [_samples(place, role) for role in MAIN_ROLES])
    session = Session(_settings(config, place), place, caller)
    session.plan = Plan((Leg("main", MAIN_ROLES, (Phase("burst", BURST_S),)),))
    try:
        return asyncio.run(session.run()) or ""
    except (ShadowError, OSError) as error:
        return str(error)


def _settings(config: SessionConfig, place: Path) -> SessionConfig:
    """The run's own settings without its faults and its calibration; each role is asked for samples."""
    asked = {role: {"profile": {"path": str(_samples(place, role)), "seconds": SAMPLED_S}} for role in MAIN_ROLES}
    return msgspec.structs.replace(
        config,
        options={role: {**config.options.get(role, {}), **asked[role]} for role in MAIN_ROLES},
        duration_s=BURST_S,
        is_sized_by_noise=False,
        grade="quick",
        calibration=False,
        faults=(),
        known=None,
        stop_early=False,
        stretch_s=None,
        burn=None,
    )


def _samples(place: Path, role: str) -> Path:
    return (place / f"{role}.samples").absolute()


def _collect(place: Path, asked_by: str, skipped: str) -> Profile:
    sides: dict[str, Side] = {}
    missing: dict[str, str] = {}
    for role in MAIN_ROLES:
        try:
            found = msgspec.json.decode(_samples(place, role).read_bytes(), type=Samples)
            sides[role] = side_of(found.taken, found.every_s, found.stacks)
        except FileNotFoundError:
            knew = pid_file(_samples(place, role)).exists()
            missing[role] = "it ended before all samples were taken" if knew else UNKNOWN
        except (OSError, msgspec.MsgspecError) as error:
            missing[role] = f"its samples are unreadable: {error}"
    return Profile(asked_by=asked_by, skipped="" if sides else skipped, missing=missing, sides=sides)


class _Caller(Listener):
    """Asks for the samples by signal when the bursts begin; what it is told goes on to the session's own listener."""

    def __init__(self, listener: Listener, paths: Sequence[Path]) -> None:
        self._listener = listener
        self._paths = paths

    def phase(self, leg: str, phase: str, seconds: float) -> None:
        """A phase begins; what is asked of those who said that they know how."""
        self._listener.phase("profile", phase, 0.0)
        for path in self._paths if phase == "burst" else ():
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(pid_file(path).read_text()), signal.SIGUSR1)

    def note(self, text: str) -> None:
        """Something a person should know now."""
        self._listener.note(f"profile: {text}")
