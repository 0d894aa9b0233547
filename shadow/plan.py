"""What a session will do, worked out before it starts: legs, phases and their lengths.

Nothing of the plan depends on what comes in: rates, mix and lengths are declared, so that a metric's coverage can be
judged against them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import msgspec

__all__ = [
    "AA_ROLES",
    "BLOCK_S",
    "BURSTS_S",
    "BURST_RATE",
    "CAPACITY_RATES",
    "CAPACITY_S",
    "CLOSES",
    "GAP_US",
    "MAIN_ROLES",
    "MIX",
    "WARM_UP_S",
    "Leg",
    "Phase",
    "Plan",
    "capacity_plan",
    "direct_plan",
    "live_plan",
    "make_plan",
    "replay_plan",
]

MIX = {"book": 0.40, "book_ticker": 0.25, "trade": 0.25, "ticker": 0.10}
BLOCK_S = 0.5
MOST_PAIRS = 2_500_000
"""Pairs of frames that the judge of a session in stretches holds in memory, over all legs."""
BURSTS_S = 20.0
"""How long a leg of a session in stretches has bursts at most, twice as long as in a session of a minute. What reduces
it takes them behind their end, with 14 kB for each frame of a side."""
BURST_RATE = 5000
"""Pairs of frames that a second of bursts has at most; all of them are kept."""
GAP_US = 300
CLOSES = 20
WARM_UP_S = 1.2

_FEW = {
    "aa1": {"paired": 10.0, "burst": 7.5},
    "main": {"paired": 13.0, "burst": 10.5, "connect": 3.0},
    "aa2": {"paired": 10.0, "burst": 7.5},
    "control": {"burst": 3.5},
}
# Bursts go to one connection at a time: many connections need more of them, and share the paired frames anyway.
_MANY = {
    "aa1": {"paired": 7.0, "burst": 10.5},
    "main": {"paired": 12.0, "burst": 11.5, "connect": 3.0},
    "aa2": {"paired": 7.0, "burst": 10.5},
    "control": {"burst": 3.5},
}
_MANY_FROM = 3
CAPACITY_RATES = (1000, 2000, 3000, 5000, 7000, 10_000, 14_000, 20_000)
CAPACITY_S = 12.0
MAIN_ROLES = ("legacy", "new")
AA_ROLES = ("legacy", "legacy2")


class Phase(msgspec.Struct, frozen=True, omit_defaults=True):
    """One measured stretch of a leg; `seconds` is 0 for a replay, which ends with its capture.

    `rate` is the frames/s per side of a step of the capacity mode, 0 where the session's own rate holds; `closes` is
    how often each side of a connection is closed in a connect phase, at most.
    """

    phase: str
    seconds: float
    rate: int = 0
    closes: int = CLOSES


class Leg(msgspec.Struct, frozen=True, omit_defaults=True):
    """One stretch with freshly started subjects; roles are baseline, candidate and, in direct mode, the third leg.

    `exchanged`: the candidate is started first and stands first in the order of frames and bursts.
    """

    leg: str
    roles: tuple[str, ...]
    phases: tuple[Phase, ...]
    exchanged: bool = False

    @property
    def measured_s(self) -> float:
        """The sum of its measured phases."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def order(self) -> tuple[str, ...]:
        """The roles in the order in which they are started and served."""
        return (self.roles[1], self.roles[0], *self.roles[2:]) if self.exchanged else self.roles


class Plan(msgspec.Struct, frozen=True):
    """All legs of a session, in order."""

    legs: tuple[Leg, ...]
    block_s: float = BLOCK_S
    gap_us: int = GAP_US
    keep_one_in: int = 1
    """Of so many matched frames one is kept for latency, and blocks are as much longer."""

    @property
    def measured_s(self) -> float:
        """The sum of all measured phases."""
        return sum(leg.measured_s for leg in self.legs)

    def thinned(self, rate: int) -> Plan:
        """The plan of a session in stretches, of so many frames/s a side: short bursts, and MOST_PAIRS are kept."""
        legs = _with_short_bursts(self.legs)
        burst_s = sum(phase.seconds for leg in legs for phase in leg.phases if phase.phase == "burst")
        room = MOST_PAIRS - burst_s * BURST_RATE
        keep_one_in = max(1, math.ceil(rate * (self.measured_s - burst_s) / room))
        return msgspec.structs.replace(self, legs=legs, block_s=BLOCK_S * keep_one_in, keep_one_in=keep_one_in)

    def as_json(self) -> dict[str, Any]:
        """For session.json."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


def _with_short_bursts(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """The same with at most BURSTS_S of bursts each; the rest is paired time, of the main leg where there is none."""
    gained_s: dict[str, float] = defaultdict(float)
    for leg in legs:
        home = leg.leg if any(phase.phase == "paired" for phase in leg.phases) else "main"
        gained_s[home] += sum(max(0.0, one.seconds - BURSTS_S) for one in leg.phases if one.phase == "burst")
    return tuple(
        msgspec.structs.replace(leg, phases=tuple(_resized(phase, gained_s[leg.leg]) for phase in leg.phases))
        for leg in legs
    )


def _resized(phase: Phase, gained_s: float) -> Phase:
    seconds = {"burst": min(phase.seconds, BURSTS_S), "paired": round(phase.seconds + gained_s, 3)}
    return msgspec.structs.replace(phase, seconds=seconds.get(phase.phase, phase.seconds))


def make_plan(duration_s: float, *, calibration: bool, connections: int) -> Plan:
    """The plan of a quick session of duration_s measured seconds; another duration stretches all phases alike.

    Without calibration its time goes to the paired phase.
    """
    lengths = {leg: dict(phases) for leg, phases in (_MANY if connections >= _MANY_FROM else _FEW).items()}
    if not calibration:
        spare = sum(sum(phases.values()) for leg, phases in lengths.items() if leg != "main")
        lengths = {"main": {**lengths["main"], "paired": lengths["main"]["paired"] + spare}}
    scale = duration_s / sum(sum(phases.values()) for phases in lengths.values())
    return Plan(
        tuple(
            Leg(
                leg,
                MAIN_ROLES if leg == "main" else AA_ROLES,
                tuple(Phase(name, round(s * scale, 3)) for name, s in phases.items()),
            )
            for leg, phases in lengths.items()
        )
    )


def capacity_plan(duration_s: float) -> Plan:
    """One leg of steps of rising pace and of equal length."""
    seconds = round(duration_s / len(CAPACITY_RATES), 3)
    steps = tuple(Phase(f"capacity-{rate}", seconds, rate) for rate in CAPACITY_RATES)
    return Plan((Leg("main", MAIN_ROLES, steps),))


def direct_plan(duration_s: float) -> Plan:
    """One leg of three subjects at once, each with its own connections: the second legacy gives the noise floor."""
    return Plan((Leg("main", ("legacy", "new", "legacy2"), (Phase("paired", round(duration_s, 3)),)),))


def live_plan(duration_s: float) -> Plan:
    """One leg at the exchanges' own pace; bursts and forced closes are no exchange's doing."""
    return Plan((Leg("main", MAIN_ROLES, (Phase("paired", duration_s),)),))


def replay_plan() -> Plan:
    """One leg that ends with its capture."""
    return Plan((Leg("main", MAIN_ROLES, (Phase("replay", 0.0),)),))
