"""The plan of grade `release`: both subjects restarted again and again, with sides exchanged, as long as it takes.

Memory layout and hash seed stay as they are for a process's life, so a leg is the unit for CPU, memory and connect
times; each round has two legs of legacy against itself around two of the comparison, the second of either exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from shadow.plan import AA_ROLES, BLOCK_S, CLOSES, MAIN_ROLES, Leg, Phase, Plan

__all__ = ["CAP_S", "LONG_ROUNDS", "LONG_S", "Lengths", "Need", "Power", "first_plan", "fit", "lack_of", "release_plan"]

CAP_S = 3600.0
LONG_S = 300.0
"""Sessions from here on have LONG_BLOCK_S and LONG_ROUNDS, shorter ones half as many restarts and short blocks."""
LONG_BLOCK_S = 2.0
LONG_ROUNDS, SHORT_ROUNDS = 4, 2
PHASES = ("paired", "burst", "connect")


class Lengths(msgspec.Struct, frozen=True):
    """Seconds of each phase in each leg of its kind."""

    aa_paired: float
    aa_burst: float
    paired: float
    burst: float
    connect: float
    control: float

    def scaled(self, factor: float) -> Lengths:
        """All phases longer or shorter alike."""
        return Lengths(*(part * factor for part in msgspec.structs.astuple(self)))


SHARES = Lengths(aa_paired=8.0, aa_burst=6.0, paired=9.0, burst=7.0, connect=3.0, control=3.5)
"""Of a session whose length is given."""
LEAST = Lengths(aa_paired=12.0, aa_burst=8.0, paired=12.0, burst=8.0, connect=3.5, control=3.5)
"""Of a session that works its length out; power may ask for more, never for less."""
FIRST_PAIRED_S, FIRST_BURST_S = 30.0, 12.0
"""The first calibration, from whose noise the rest is worked out."""


class Need(msgspec.Struct, frozen=True):
    """Seconds of a phase that one metric needs, over all legs of legacy against itself and of the comparison."""

    metric: str
    phase: str
    aa_s: float
    main_s: float


class Power(msgspec.Struct, frozen=True):
    """What the length of a session was worked out from.

    `short` holds the metrics whose power does not suffice, with the minutes of the session that would give it; None
    where the first calibration had too few events to tell.
    """

    needed_s: float
    cap_s: float
    longest: str
    short: dict[str, float | None] = {}

    def sentence(self, measured_s: float) -> str:
        """For a person, in one line."""
        said = f"release: {measured_s / 60:.0f} min of measuring, worked out from the noise of legacy against itself"
        if not self.short:
            return f"{said}; {self.longest or 'no metric'} asks for most"
        name = max(self.short, key=lambda metric: self.short[metric] or math.inf)
        others = f" ({len(self.short) - 1} more)" if len(self.short) > 1 else ""
        return f"{said}; {name} will be HOLD: {lack_of(self.short[name], self.cap_s)}{others}"

    def as_json(self) -> dict[str, Any]:
        """For session.json."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


def lack_of(minutes: float | None, cap_s: float) -> str:
    """Why a metric's power does not suffice."""
    if minutes is None:
        return "its first calibration has too few events to tell how long it needs"
    return f"its power needs a session of {minutes:.0f} min, the cap is {cap_s / 60:.0f}"


def release_plan(duration_s: float, *, calibration: bool) -> Plan:
    """A session of duration_s measured seconds; without calibration its time goes to the paired phases."""
    rounds, block_s = (LONG_ROUNDS, LONG_BLOCK_S) if duration_s >= LONG_S else (SHORT_ROUNDS, BLOCK_S)
    lengths = SHARES
    if not calibration:
        spare = (_sum(lengths, rounds) - 2 * rounds * _main_s(lengths)) / (2 * rounds)
        lengths = msgspec.structs.replace(lengths, paired=lengths.paired + spare)
    whole = _sum(lengths, rounds) if calibration else 2 * rounds * _main_s(lengths)
    legs = _legs(lengths.scaled(duration_s / whole), rounds)
    kept = legs if calibration else tuple(leg for leg in legs if leg.roles == MAIN_ROLES)
    return Plan(kept, block_s)


def first_plan() -> Plan:
    """A session that will work its length out: the first calibration as it will be, all else at its least."""
    return _sized(LEAST)


def fit(needs: Sequence[Need], cap_s: float = CAP_S) -> tuple[Plan, Power]:
    """The plan that gives every metric what it needs.

    Beyond the cap the modest ones get theirs first, and those that do not fit what is left of it.
    """
    told = [need for need in needs if math.isfinite(need.aa_s + need.main_s)]
    alone = {need.metric: _sized(_lengths([need])).measured_s for need in told}
    met: list[Need] = []
    for need in sorted(told, key=lambda need: alone[need.metric]):
        if _sized(_lengths([*met, need])).measured_s <= cap_s:
            met.append(need)
    short: dict[str, float | None] = {need.metric: None for need in needs if need.metric not in alone}
    short |= {need.metric: _minutes(_sized(_lengths([*met, need])).measured_s) for need in told if need not in met}
    needed_s = _sized(_lengths(told)).measured_s
    lengths = _lengths(told) if needed_s <= cap_s else _capped(_lengths(met), _lengths(told), cap_s)
    longest = max(alone, key=lambda metric: alone[metric], default="")
    return _sized(lengths), Power(round(needed_s, 3), cap_s, longest, short)


def _minutes(seconds: float) -> float:
    return float(math.ceil(seconds / 60))


def _lengths(needs: Sequence[Need]) -> Lengths:
    """Seconds of a leg's phases that give every need its sum, whole blocks, and no less than the least."""
    aa_legs, main_legs = 2 * LONG_ROUNDS - 1, 2 * LONG_ROUNDS
    paired, burst, connect = ([need for need in needs if need.phase == name] for name in PHASES)
    return msgspec.structs.replace(
        LEAST,
        aa_paired=_share([need.aa_s - FIRST_PAIRED_S for need in paired], aa_legs, LEAST.aa_paired),
        aa_burst=_share([need.aa_s - FIRST_BURST_S for need in burst], aa_legs, LEAST.aa_burst),
        paired=_share([need.main_s for need in paired], main_legs, LEAST.paired),
        burst=_share([need.main_s for need in burst], main_legs, LEAST.burst),
        connect=max(
            _share([need.aa_s - LEAST.connect for need in connect], aa_legs, LEAST.connect),
            _share([need.main_s for need in connect], main_legs, LEAST.connect),
        ),
    )


def _share(sums: Sequence[float], legs: int, least: float) -> float:
    """Each leg's part of the largest sum."""
    return max(least, math.ceil(max(sums, default=0.0) / legs / LONG_BLOCK_S) * LONG_BLOCK_S)


def _capped(given: Lengths, wanted: Lengths, cap_s: float) -> Lengths:
    """What is wanted beyond what is given shrunk alike, to whole blocks, so that the session ends within the cap."""
    fixed, more = _sized(given).measured_s, _sized(wanted).measured_s
    factor = max(0.0, (cap_s - fixed) / (more - fixed))
    grown = [
        part + math.floor((want - part) * factor / LONG_BLOCK_S) * LONG_BLOCK_S
        for part, want in zip(msgspec.structs.astuple(given), msgspec.structs.astuple(wanted), strict=True)
    ]
    return Lengths(*grown)


def _legs(lengths: Lengths, rounds: int) -> tuple[Leg, ...]:
    aa = _phases(lengths.aa_paired, lengths.aa_burst, lengths.connect)
    main = _phases(lengths.paired, lengths.burst, lengths.connect)
    legs: list[Leg] = []
    for number in range(1, 2 * rounds, 2):
        legs += [
            Leg(f"aa{number}", AA_ROLES, aa),
            Leg("main" if number == 1 else f"main{number}", MAIN_ROLES, main),
            Leg(f"main{number + 1}", MAIN_ROLES, main, exchanged=True),
            Leg(f"aa{number + 1}", AA_ROLES, aa, exchanged=True),
        ]
    return (*legs, Leg("control", AA_ROLES, (Phase("burst", round(lengths.control, 3)),)))


def _phases(paired: float, burst: float, connect: float) -> tuple[Phase, ...]:
    closes = max(CLOSES, int(CLOSES * connect / LEAST.connect))
    lengths = Phase("paired", round(paired, 3)), Phase("burst", round(burst, 3))
    return (*lengths, Phase("connect", round(connect, 3), closes=closes))


def _sized(lengths: Lengths) -> Plan:
    """The plan with these legs; the first one has its own length, since it is over when the others are worked out."""
    legs = _legs(lengths, LONG_ROUNDS)
    first = msgspec.structs.replace(legs[0], phases=_phases(FIRST_PAIRED_S, FIRST_BURST_S, LEAST.connect))
    return Plan((first, *legs[1:]), LONG_BLOCK_S)


def _main_s(lengths: Lengths) -> float:
    return lengths.paired + lengths.burst + lengths.connect


def _sum(lengths: Lengths, rounds: int) -> float:
    aa_s = lengths.aa_paired + lengths.aa_burst + lengths.connect
    return 2 * rounds * (aa_s + _main_s(lengths)) + lengths.control
