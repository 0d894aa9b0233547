"""Which sessions fill the table: one for each fault kind, over all connections that it fits, one side after the other.

A fault that hits both sides at once would leave nobody listening, and the venue's feed without a hole. So the new side
is hit first, while the old one listens, and the old one later; only what happens while connecting hits both together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from shadow.config import SessionConfig
from shadow.errors import UsageError
from shadow.plan import Leg, Phase, Plan
from shadow.venue.faults import KINDS

__all__ = ["ROLES", "TAIL_S", "Common", "FaultConfig", "FaultSession", "config_of", "plan_sessions"]

ROLES: Final = ("legacy", "new")
TAIL_S: Final = 1.5
"""The end of a session, in which every stream has to be alive again."""
BEGIN_S: Final = 0.8
BETWEEN_S: Final = 0.8
RECOVERY_S: Final = 3.0
RATE: Final = 70
"""Messages per second and connection."""


class Shape(msgspec.Struct, frozen=True):
    """How a kind is used here: its keys, how long it lasts, the fault that makes the client ask what it is to be told
    (right behind it), and whether one side is hit after the other."""

    keys: str = ""
    lasts_s: float = 0.4
    because: str = ""
    in_turn: bool = True


ASKED_S: Final = 0.2
SHAPES: Final[dict[str, Shape]] = {
    "delay": Shape("for=1s,by=50ms", 1.0),
    "drop": Shape("count=15"),
    "duplicate": Shape("count=15"),
    "swap": Shape("count=8", 1.0),
    "corrupt": Shape("count=15"),
    # Noticed by the ping that nobody answers: an interval of 30 s and a patience of 10 s, in either stack.
    "halfopen": Shape("for=60s", 41.0),
    "slow": Shape("for=1s,by=200ms", 1.0),
    "stall": Shape("for=1s", 1.5),
    "empty-body": Shape("count=3"),
    "twin-fill": Shape("count=3"),
    # The account's feed is one for both sides.
    "fill-first": Shape("count=3", in_turn=False),
    # The policy's first delay is 3 s and up to a quarter of it.
    "refuse-auth": Shape(lasts_s=4.0, because="close"),
    "late-auth": Shape("by=500ms", 1.0, "close"),
    "refuse-subscribe": Shape(because="close"),
    "stale-rest": Shape(because="drop", lasts_s=1.0),
}
"""Kinds that are not here happen in a moment, with their own defaults."""
REASONS: Final = {"close": "", "drop": "type=book,count=2"}


class FaultSession(msgspec.Struct, frozen=True):
    """One session of the table: a fault kind on each of some connections."""

    kind: str
    connections: tuple[str, ...]
    faults: tuple[str, ...]
    seconds: float
    alone: bool = False


class Common(msgspec.Struct, frozen=True):
    """What all sessions of a table share: the seed, the door of the new stack, and the subjects' commands, empty for
    our own."""

    seed: int = 1
    door: str = "factory"
    legacy: str = ""
    new: str = ""


class FaultConfig(SessionConfig, kw_only=True):
    """A session that only sends: no bursts, no closes but the fault's."""

    def plan(self) -> Plan:
        """One leg of one phase."""
        return Plan((Leg("main", ROLES, (Phase("paired", self.duration_s),)),))


def config_of(session: FaultSession, common: Common) -> FaultConfig:
    """The session's settings."""
    return FaultConfig(
        connections=session.connections,
        duration_s=session.seconds,
        rate=RATE * len(session.connections),
        seed=common.seed,
        legacy=common.legacy,
        new=common.new,
        options={"new": {"door": common.door}},
        faults=session.faults,
        calibration=False,
    )


def plan_sessions(connections: Sequence[str], kinds: Sequence[str]) -> list[FaultSession]:
    """Sessions for every kind on every connection that it fits, longest first; UsageError when none fits."""
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"unknown fault kind {kind!r}; kinds are {', '.join(KINDS)}")
    fitting = {kind: tuple(one for one in connections if KINDS[kind].fits(one)) for kind in kinds}
    found = [session_of(kind, places) for kind, places in fitting.items() if places]
    if not found:
        raise UsageError("none of these faults fits any of these connections; leave --kinds or --connections out")
    return sorted(found, key=lambda session: -session.seconds)


def session_of(kind: str, connections: tuple[str, ...]) -> FaultSession:
    """The session of one kind."""
    shape = SHAPES.get(kind, Shape())
    begins = {"/new": BEGIN_S, "/legacy": BEGIN_S + min(shape.lasts_s, RECOVERY_S) + BETWEEN_S}
    if not shape.in_turn:
        begins = {"": BEGIN_S}
    faults = tuple(
        one
        for connection in connections
        for side, begin in begins.items()
        for one in specs(kind, shape, f"{connection}{side}", begin)
    )
    return FaultSession(kind, connections, faults, round(max(begins.values()) + shape.lasts_s + RECOVERY_S, 3))


def specs(kind: str, shape: Shape, place: str, at_s: float) -> list[str]:
    """The fault as `--fault` takes it, and what makes the client ask."""
    found = [spec(kind, place, at_s, shape.keys)]
    return [*found, spec(shape.because, place, at_s + ASKED_S, REASONS[shape.because])] if shape.because else found


def spec(kind: str, place: str, at_s: float, keys: str) -> str:
    return f"{kind}@{place}:at={at_s:g}s" + (f",{keys}" if keys else "")
