"""What a session will do, worked out before it starts: legs, phases and their lengths.

Nothing of the plan depends on what comes in: rates, mix and lengths are declared, so that a metric's coverage can be
judged against them.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["BLOCK_S", "CLOSES", "GAP_US", "MIX", "WARM_UP_S", "Leg", "Phase", "Plan", "make_plan"]

MIX = {"book": 0.40, "book_ticker": 0.25, "trade": 0.25, "ticker": 0.10}
BLOCK_S = 0.5
GAP_US = 300
CLOSES = 20
WARM_UP_S = 1.2

_CALIBRATED = {
    "aa1": {"paired": 12.0, "burst": 5.25},
    "main": {"paired": 15.5, "burst": 8.5, "connect": 3.0},
    "aa2": {"paired": 12.0, "burst": 5.25},
    "control": {"burst": 3.5},
}
_ROLES = {"main": ("legacy", "new")}
_AA_ROLES = ("legacy", "legacy2")
QUICK_S = sum(sum(phases.values()) for phases in _CALIBRATED.values())


class Phase(msgspec.Struct, frozen=True):
    """One measured stretch of a leg; `seconds` is 0 for a replay, which ends with its capture."""

    phase: str
    seconds: float


class Leg(msgspec.Struct, frozen=True):
    """One stretch with freshly started subjects; roles are baseline and candidate."""

    leg: str
    roles: tuple[str, str]
    phases: tuple[Phase, ...]

    @property
    def measured_s(self) -> float:
        """The sum of its measured phases."""
        return sum(phase.seconds for phase in self.phases)


class Plan(msgspec.Struct, frozen=True):
    """All legs of a session, in order."""

    legs: tuple[Leg, ...]
    block_s: float = BLOCK_S
    gap_us: int = GAP_US

    @property
    def measured_s(self) -> float:
        """The sum of all measured phases."""
        return sum(leg.measured_s for leg in self.legs)

    def as_json(self) -> dict[str, Any]:
        """For session.json."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


def make_plan(duration_s: float, *, calibration: bool, replay: bool) -> Plan:
    """The plan of a quick session of duration_s measured seconds; shorter ones shrink all phases alike.

    Without calibration its time goes to the paired phase; a replay has one leg and ends with its capture.
    """
    if replay:
        return Plan((Leg("main", _ROLES["main"], (Phase("replay", 0.0),)),))
    scale = duration_s / QUICK_S
    lengths = {leg: dict(phases) for leg, phases in _CALIBRATED.items()}
    if not calibration:
        spare = sum(sum(phases.values()) for leg, phases in lengths.items() if leg != "main")
        lengths = {"main": {**lengths["main"], "paired": lengths["main"]["paired"] + spare}}
    return Plan(
        tuple(
            Leg(leg, _ROLES.get(leg, _AA_ROLES), tuple(Phase(name, round(s * scale, 3)) for name, s in phases.items()))
            for leg, phases in lengths.items()
        )
    )
