"""Figures over sessions of the same set-up, and a plain rule that points out what got worse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

import msgspec

from reports.history import Past
from reports.records import Interval, Session
from reports.text import NO_DATA, quantity, ratio, seconds, shorten

__all__ = ["RULE", "Point", "SetUp", "Trend", "pointed_out", "set_ups"]

LAST: Final = 3
LEAST_BEFORE: Final = 5
MOST_BEFORE: Final = 10
WORSE: Final = 1.05
RULE: Final = (
    f"Pointed out where each of the last {LAST} sessions lies above every one of the {LEAST_BEFORE} to {MOST_BEFORE} "
    f"before them, and their median more than {WORSE - 1:.0%} above that of those; with fewer than "
    f"{LAST + LEAST_BEFORE} sessions of a set-up it says nothing. A reason to look, not a test: it "
    "has no known rate of false alarms, and no verdict depends on it."
)
POINTS: Final = 40
USABLE: Final = frozenset({"SHIP", "HOLD", "ROLL_BACK"})
POOLED: Final = (("cpu.per_message", "CPU per message"), ("memory.level", "memory level"))


class Point(msgspec.Struct, frozen=True):
    """New / legacy of one session; not `usable` where the set-up could not judge (NOT FIT)."""

    when: str
    ratio: Interval
    best: float
    usable: bool


class Trend(msgspec.Struct, frozen=True):
    """One figure over sessions, oldest first; `newest` is its last value in words, `said` what the rule points out."""

    title: str
    points: list[Point]
    newest: str
    said: str


class SetUp(msgspec.Struct, frozen=True):
    """Sessions that measured the same thing in the same way."""

    title: str
    sessions: int
    trends: list[Trend]

    @property
    def said(self) -> list[str]:
        """All that the rule points out."""
        return [trend.said for trend in self.trends if trend.said]


def set_ups(sessions: Iterable[Past]) -> list[SetUp]:
    """Set-ups of which two whole sessions or more have a figure, that of the newest session first."""
    groups: dict[str, list[Past]] = {}
    for past in sessions:
        if past.is_whole and past.data.session.run is not None and past.code in USABLE | {"NOT_FIT"}:
            groups.setdefault(_key(past.data.session), []).append(past)
    found = [_set_up(newest_first[::-1]) for newest_first in groups.values()]
    return [one for one in found if one.trends]


def _key(session: Session) -> str:
    """Equal for sessions whose ratios can be compared; seeds, versions and machines may differ."""
    phases = [(leg.leg, [phase.phase for phase in leg.phases]) for leg in session.plan.legs] if session.plan else []
    return json.dumps(
        [
            session.feed,
            session.grade,
            session.connections,
            session.symbols,
            session.channels,
            session.profile,
            session.time_scale,
            session.rate,
            session.duration_s,
            session.faults,
            session.commands,
            session.options,
            phases,
        ],
        sort_keys=True,
    )


def _set_up(sessions: Sequence[Past]) -> SetUp:
    session = sessions[-1].data.session
    wanted = [(f"latency.{name}.typical", f"{name}: typical latency") for name in session.connections]
    wanted += [(f"service.{name}", f"{name}: service time") for name in session.connections]
    trends = [_trend(id_, title, sessions) for id_, title in (*wanted, *POOLED)]
    return SetUp(_title(sessions[-1]), len(sessions), [trend for trend in trends if len(trend.points) > 1])


def _title(newest: Past) -> str:
    session = newest.data.session
    parts = [f"feed {session.feed or NO_DATA}", newest.rate, seconds(session.duration_s)]
    if session.profile not in (None, "default"):
        parts.append(f"profile {session.profile}")
    if session.time_scale != 1.0:
        parts.append(f"time × {session.time_scale:g}")
    if session.faults:
        parts.append(f"{len(session.faults)} faults")
    for role, own in (("new", "(own new)"), ("legacy", "(own legacy)")):
        command = str((session.commands or {}).get(role, own))
        if command != own:
            parts.append(f"{role}: {shorten(command, 60)}")
    return ", ".join([*parts, *session.connections])


def _trend(id_: str, title: str, sessions: Sequence[Past]) -> Trend:
    points = []
    for past in sessions:
        metric = past.metric(id_)
        if metric is not None and metric.ratio is not None and metric.ratio.best is not None and metric.ratio.best > 0:
            points.append(Point(past.when, metric.ratio, metric.ratio.best, past.code in USABLE))
    said = pointed_out([point.best for point in points if point.usable])
    return Trend(title, points[-POINTS:], _newest(id_, sessions[-1]), f"{title}: {said}" if said else "")


def _newest(id_: str, past: Past) -> str:
    metric = past.metric(id_)
    if metric is None or metric.new is None:
        return f"new {NO_DATA}"
    each = ""
    if id_ == "memory.level" and past.data.session.connections:
        part = metric.new / len(past.data.session.connections)
        each = f", {quantity(part, metric.unit)} per connection"
    return f"new {quantity(metric.new, metric.unit)}{each}"


def pointed_out(ratios: Sequence[float]) -> str:
    """What RULE says of these ratios, oldest first; empty where it says nothing or there are too few."""
    last, before = ratios[-LAST:], ratios[-LAST - MOST_BEFORE : -LAST]
    if len(before) < LEAST_BEFORE or min(last) <= max(before) or median(last) <= WORSE * median(before):
        return ""
    grown = median(last) / median(before) - 1
    above = f"lies above all {len(before)} before ({_range(before)})"
    return f"each of the last {LAST} sessions ({_range(last)}) {above}; median {grown:+.0%}"


def _range(ratios: Sequence[float]) -> str:
    return f"{ratio(min(ratios))} to {ratio(max(ratios))}"
