"""The marks of a run as phases, bursts, forced closes and failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

__all__ = ["Burst", "Close", "Failure", "Phase", "Timeline", "read_marks"]


@dataclass(frozen=True)
class Phase:
    """One phase of a leg, ns."""

    leg: str
    phase: str
    begin: int
    end: int


@dataclass(frozen=True)
class Burst:
    """One burst of `frames` frames of one type to one side."""

    number: int
    role: str
    connection: str
    type: str
    frames: int
    t: int


@dataclass(frozen=True)
class Close:
    """A forced close of the connect leg."""

    t: int
    leg: str
    role: str
    connection: str


@dataclass(frozen=True)
class Failure:
    """A subject that could not be compared."""

    leg: str
    role: str
    reason: str
    text: str


@dataclass
class Timeline:
    """What the marks of a run say; times in ns, `origin` the first of them.

    `exits` are the (leg, role) whose process ended; `bound` says when the harness could not keep up, `loud` when a
    role flooded its log in a leg. Of a live session `budget` is what was done at each exchange, `held_back` what a
    relay refused or made wait, by exchange and role; `stopped` the regression for which the online judge ended it.
    """

    origin: int = 0
    phases: list[Phase] = field(default_factory=list)
    bursts: dict[str, list[Burst]] = field(default_factory=dict)
    closes: list[Close] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    exits: list[tuple[str, str]] = field(default_factory=list)
    faulted: set[tuple[str, str]] = field(default_factory=set)
    bound: list[int] = field(default_factory=list)
    loud: list[tuple[int, str, str]] = field(default_factory=list)
    drops: int = 0
    budget: list[dict[str, Any]] = field(default_factory=list)
    held_back: dict[tuple[str, str], int] = field(default_factory=dict)
    interrupted: str | None = None
    stopped: str | None = None
    legs: list[str] = field(default_factory=list)

    def phase(self, leg: str, name: str) -> Phase | None:
        """The first phase of that name in a leg."""
        return next((phase for phase in self.phases if (phase.leg, phase.phase) == (leg, name)), None)

    def is_measured(self, leg: str, t: int) -> bool:
        """Whether a measured phase of the leg was under way at `t` (ns)."""
        phases = [phase for phase in self.phases if phase.leg == leg and phase.phase != "warm-up"]
        return any(phase.begin <= t < phase.end for phase in phases)


def _detail(text: str) -> dict[str, Any]:
    try:
        detail = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return detail if isinstance(detail, dict) else {}


def read_marks(rows: Iterable[Mapping[str, Any]]) -> Timeline:
    """Timeline of the rows of `marks`; an open phase ends with the last mark of its leg.

    A phase that is cut off ends where the first subject is told to stop: what closes behind that is no side's doing.
    """
    ordered = sorted(rows, key=lambda row: row["t"])
    line = Timeline(origin=ordered[0]["t"] if ordered else 0)
    open_phases: dict[tuple[str, str], int] = {}
    last: dict[str, int] = {}
    stops: dict[str, int] = {}
    for row in ordered:
        t, leg, role, name = row["t"], row["leg"], row["role"], row["name"]
        detail = _detail(row["detail"])
        last[leg] = t
        if name == "phase-begin":
            open_phases.setdefault((leg, detail.get("phase", "")), t)
        elif name == "phase-end":
            key = (leg, detail.get("phase", ""))
            if key in open_phases:
                line.phases.append(Phase(*key, open_phases.pop(key), min(t, stops.get(leg, t))))
        elif name == "subject-stop":
            stops.setdefault(leg, t)
        elif name == "burst":
            burst = Burst(detail["burst"], role, detail["connection"], detail["type"], detail["frames"], t)
            line.bursts.setdefault(leg, []).append(burst)
        else:
            _note(line, t, leg, role, name, detail)
    line.phases += [
        Phase(*key, begin, min(last[key[0]], stops.get(key[0], last[key[0]]))) for key, begin in open_phases.items()
    ]
    line.phases.sort(key=lambda phase: (phase.begin, phase.phase))
    return line


def _note(line: Timeline, t: int, leg: str, role: str, name: str, detail: dict[str, Any]) -> None:
    """Add one mark that is no phase and no burst."""
    match name:
        case "leg-begin":
            if leg not in line.legs:
                line.legs.append(leg)
        case "forced-close":
            line.closes.append(Close(t, leg, role, detail.get("connection", "")))
        case "subject-exit":
            line.exits.append((leg, role))
        case "subject-failed":
            line.failures.append(Failure(leg, role, str(detail.get("reason", "")), str(detail.get("text", ""))))
        case "fault":
            line.faulted.add((leg, str(detail.get("connection", ""))))
        case "harness-bound":
            line.bound.append(t)
        case "subject-loud":
            line.loud.append((t, leg, role))
        case "harness-drops":
            line.drops += int(detail.get("count", 1))
        case "budget-used":
            line.budget.append(detail)
        case "budget" | "order-refused":
            place = str(detail.get("connection", "")).partition(".")[0], role
            line.held_back[place] = line.held_back.get(place, 0) + 1
        case "stopped-early":
            line.stopped = str(detail.get("reason") or "a regression")
        case "interrupted":
            line.interrupted = str(detail.get("reason") or detail.get("text") or "interrupted")
