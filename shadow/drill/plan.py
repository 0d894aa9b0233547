"""Which sessions make a drill: what each does, to whom, and what the judge has to say to it.

A fault of one connection's events shares its session with five others, one on each connection, by a Latin square: in as
many sessions as there are such faults each one meets each connection, and each connection is judged by itself. What
hits the whole process has a session of its own; what is about time has the machine for itself.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from shadow.config import Burn, SessionConfig, own_subject
from shadow.fault_table.plan import FaultConfig

__all__ = ["Drill", "DrillSession", "Trigger", "config_of", "plan_sessions"]

Trigger = Literal["performance", "stability", "memory", "functionality", ""]
RATE: Final = 70
"""Messages per second and connection."""
AT_S: Final = 3.0
"""From a connection's first event; its warm-up is a part of it."""
SHORT_S: Final = 6.0
SILENT_S: Final = 8.0
LEAKING_S: Final = 12.0
QUIET_RATE: Final = 4
AWAY_S: Final = 1.0
LEAK: Final = 6 << 20
BURST_FRAMES: Final = 10 * RATE
SLOW_S: Final = 150.0
"""Long enough that legacy against itself lies within its gate, and the positive control is seen, on each of six."""
HARDLY_SLOW_S: Final = 90.0
WHOLE: Final = ""
"""In the place of a connection: what the process does as a whole."""


class Drill(msgspec.Struct, frozen=True):
    """One thing done to one connection (empty: to the process), and what has to come of it.

    `trigger` is the one that has to fire, empty where none may; `codes` are differences of which one at least names it;
    `bound_s` runs from the evidence (see `bounds.py`).
    """

    what: str
    connection: str
    trigger: Trigger = ""
    codes: tuple[str, ...] = ()
    bound_s: float | None = None


class DrillSession(msgspec.Struct, frozen=True):
    """One session: its drills, the saboteur's damages or the venue's faults, and how it is run.

    `burn` is CPU work as a share of the service time: then legacy plays both sides, since a share of its time on top of
    a faster stack would not make that one slower than legacy.
    """

    kind: str
    seconds: float
    drills: tuple[Drill, ...]
    connections: tuple[str, ...]
    damages: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    rate: int = RATE
    burn: float = 0.0
    alone: bool = False


EVENT_FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "drop": ("MISSING",),
    "alter": ("FIELD",),
    "swap": ("REORDER",),
    "twice": ("DUP",),
    "invent": ("PHANTOM",),
    "clock": ("CLOCK",),
    "raise": ("EXC",),
    "unsettle": ("LIFECYCLE",),
    "away": (),
}
"""Damage to one connection and the code by which it has to be named; `away` is no difference but a loss of uptime."""
AT_ONCE_S: Final = 1.0
SILENCE_S: Final = 2.0 + 1.0
UPTIME_S: Final = 5.0
MEMORY_S: Final = 10.0


def plan_sessions(connections: Sequence[str], seed: int) -> list[DrillSession]:
    """All sessions of a drill of these connections, those that measure times last."""
    places = tuple(connections)
    return [*squares(places, seed), *of_the_process(places), *harmless(places), *of_time(places)]


def squares(places: tuple[str, ...], seed: int) -> list[DrillSession]:
    """Each fault of `EVENT_FAULTS` once on each connection, a different one on each in every session."""
    names = list(EVENT_FAULTS)
    random.Random(seed).shuffle(names)
    return [
        square(number, places, [names[(number + place) % len(names)] for place in range(len(places))])
        for number in range(len(names))
    ]


def square(number: int, places: tuple[str, ...], names: Sequence[str]) -> DrillSession:
    pairs = list(zip(names, places, strict=True))
    return DrillSession(
        f"square-{number + 1}",
        SHORT_S,
        tuple(event_drill(name, place) for name, place in pairs),
        places,
        tuple(damage(name, place) for name, place in pairs),
    )


def event_drill(name: str, place: str) -> Drill:
    if name == "away":
        return Drill(name, place, "stability", (), UPTIME_S)
    return Drill(name, place, "functionality", EVENT_FAULTS[name], AT_ONCE_S)


def damage(name: str, place: str) -> str:
    """The damage as the saboteur takes it."""
    return f"{name}@{place}:at={AT_S:g}s" + (f",for={AWAY_S:g}s" if name == "away" else "")


def of_the_process(places: tuple[str, ...]) -> list[DrillSession]:
    """Silence, death and a leak."""
    at = f":at={AT_S:g}s"
    silent = tuple(Drill("mute", one, "functionality", ("MISSING", "STALE"), SILENCE_S) for one in places)
    dead = tuple(Drill("die", one, "functionality", ("EXC",), AT_ONCE_S) for one in places)
    leak = (Drill("leak", WHOLE, "memory", (), MEMORY_S),)
    return [
        DrillSession("mute", SILENT_S, silent, places, (f"mute@*{at}",)),
        DrillSession("die", SHORT_S, dead, places, (f"die@*{at}",)),
        DrillSession("leak", LEAKING_S, leak, places, (f"leak@*{at},rate={LEAK}",)),
    ]


def harmless(places: tuple[str, ...]) -> list[DrillSession]:
    """What may not fire: conflation within the contract, an outage of both sides, a quiet market, a burst."""
    public = tuple(place for place in places if place.endswith(".public"))
    found = [
        quiet("outage", places, faults=tuple(f"reset@{one}:at=1s" for one in places)),
        quiet("quiet", places, rate=QUIET_RATE, seconds=SILENT_S),
        quiet("burst", places, faults=tuple(f"burst@{one}:at=2s,frames={BURST_FRAMES}" for one in places)),
    ]
    if public:
        found.append(quiet("conflate", public, damages=("conflate@*",)))
    return found


def quiet(
    kind: str,
    places: tuple[str, ...],
    *,
    damages: tuple[str, ...] = (),
    faults: tuple[str, ...] = (),
    rate: int = RATE,
    seconds: float = SHORT_S,
) -> DrillSession:
    return DrillSession(kind, seconds, tuple(Drill(kind, one) for one in places), places, damages, faults, rate)


def of_time(places: tuple[str, ...]) -> list[DrillSession]:
    """CPU work that has to fire, and as little of it as may not."""
    slower = tuple(Drill("slower by 30 %", one, "performance") for one in places)
    hardly = tuple(Drill("slower by 5 %", one) for one in places)
    return [
        DrillSession("slow-30", SLOW_S, slower, places, burn=0.30, rate=100, alone=True),
        DrillSession("slow-5", HARDLY_SLOW_S, hardly, places, burn=0.05, rate=100, alone=True),
    ]


def config_of(session: DrillSession, seed: int) -> SessionConfig:
    """The session's settings."""
    rate = session.rate * len(session.connections)
    if session.burn:
        burn = Burn("new", session.burn)
        legacy = own_subject("legacy")
        return SessionConfig(
            connections=session.connections, duration_s=session.seconds, rate=rate, seed=seed, new=legacy, burn=burn
        )
    new = f"{own_subject('saboteur')} {shlex.join(['--seed', str(seed), *session.damages])}" if session.damages else ""
    return FaultConfig(
        connections=session.connections,
        duration_s=session.seconds,
        rate=rate,
        seed=seed,
        new=new,
        faults=session.faults,
        calibration=False,
    )
