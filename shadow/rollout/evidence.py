"""Evidence that gates ask for: the newest session about a unit, the newest drill, the sign-off."""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from shadow.config import machine
from shadow.connections import CHANNELS, channels_of
from shadow.errors import RunError, UsageError
from shadow.rollout.units import ANY, Unit

__all__ = [
    "Drill",
    "Session",
    "checked",
    "newest_drills",
    "newest_session",
    "our_machine",
    "our_version",
    "signoff_digest",
]


@dataclass(frozen=True)
class Session:
    """A run directory's verdict; `trouble` says why it cannot be trusted, empty where it can."""

    path: Path
    verdict: str
    grade: str
    version: str
    started_s: float
    trouble: str = ""


@dataclass(frozen=True)
class Drill:
    """A drill's record: of which version and machine, when (Unix seconds), and which triggers it proved."""

    path: Path
    passed: bool
    version: str
    made_s: float
    triggers: frozenset[str]
    machine: str = ""


def kind_of(machine: dict[str, Any]) -> str:
    """What has to be alike of two machines for a drill on one to count on the other."""
    return f"{machine['cores']} cores, {machine['system']}"


def our_machine() -> str:
    """This machine's kind."""
    return kind_of(machine())


def our_version() -> str:
    """The version that evidence has to be of."""
    return version("ws-shadow")


def newest_session(runs: Path, unit: Unit, *, before_s: float = math.inf) -> Session | None:
    """The newest session below `runs` that compared the unit, begun before then (Unix seconds); None for none."""
    found = [session for path in runs.glob("*/session.json") if (session := _session(path, unit)) is not None]
    return max(
        (session for session in found if session.started_s < before_s),
        key=lambda session: session.started_s,
        default=None,
    )


def _session(path: Path, unit: Unit) -> Session | None:
    try:
        session = json.loads(path.read_bytes())
        if not _compared(session, unit):
            return None
        started_s = datetime.fromisoformat(session["started_utc"]).timestamp()
        made_by = str(session["versions"]["ws-shadow"])
        verdict = json.loads((path.parent / "verdict.json").read_bytes())
        return Session(path.parent, str(verdict["verdict"]), str(verdict["grade"]), made_by, started_s)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def checked(session: Session) -> str:
    """What is wrong with a session's files, in a sentence; empty where they are as they were sealed."""
    from shadow.capture.manifest import verify_derived, verify_raw

    try:
        verify_raw(session.path)
        manifest = verify_derived(session.path)
    except RunError as error:
        return str(error)
    if "verdict.json" not in manifest.derived or not manifest.complete:
        return f"{session.path} was not sealed with its verdict"
    return ""


def _compared(session: dict[str, Any], unit: Unit) -> bool:
    """Whether a session's connections, channels and symbols hold all that the unit names; an account is all of it."""
    connections = [
        name
        for name in session["connections"]
        if unit.exchange in (ANY, name.split(".")[0])
        and unit.market in (ANY, name.split(".")[1])
        and unit.scope in ("all", name.split(".")[2])
    ]
    channels = {channel for name in connections for channel in session["channels"][name]}
    accounts = [name for name in connections if name.endswith(".private")]
    if any(set(session["channels"][name]) != set(channels_of(name, CHANNELS)) for name in accounts):
        return False
    named_symbol = unit.name if unit.scope == "public" else ANY
    own = all(command.startswith("(own ") for command in session["commands"].values())
    return bool(connections) and own and unit.channel in (ANY, *channels) and named_symbol in (ANY, *session["symbols"])


def newest_drills(runs: Path) -> dict[str, Drill]:
    """By stage the newest record below `runs/drills`; one that cannot be read is none."""
    found: dict[str, Drill] = {}
    for path in (runs / "drills").glob("*/drill.json"):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            stage, drill = _drill(path, json.loads(path.read_bytes()))
            if stage not in found or found[stage].made_s < drill.made_s:
                found[stage] = drill
    return found


def _drill(path: Path, text: dict[str, Any]) -> tuple[str, Drill]:
    made_s = datetime.fromisoformat(text["date_utc"]).timestamp()
    results: dict[str, set[str]] = {}
    for line in text["lines"]:
        results.setdefault(line["drill"].get("trigger", ""), set()).add(line["result"])
    proved = frozenset(trigger for trigger, words in results.items() if trigger and words == {"ok"})
    passed = text["passed"] is True
    return text["stage"], Drill(path, passed, text["version"], made_s, proved, kind_of(text["machine"]))


def signoff_digest(path: Path) -> str:
    """sha256 of a sign-off that says GO; UsageError for any other file."""
    try:
        data = path.read_bytes()
        decision = json.loads(data)["verdict"]
    except OSError as error:
        raise UsageError(
            f"--signoff {path}: {error.strerror}; give the file that the release was signed off with"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"--signoff {path} is no sign-off (it holds no verdict)") from None
    if decision != "GO":
        raise UsageError(f"--signoff {path} says {decision}; complete takes GO")
    return f"{path.name} sha256:{hashlib.sha256(data).hexdigest()}"
