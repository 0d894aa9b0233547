"""The checklist's four rollback triggers, each as one line for the person who signs."""

from __future__ import annotations

from typing import Final

import msgspec

from reports.profile import bottleneck
from reports.records import Interval, Metric, Trigger
from reports.run_data import ReportInput
from reports.since import judged_seconds
from reports.text import NO_DATA, count, quantity, ratio, seconds, shorten

__all__ = [
    "DEFAULT_SEVERITY",
    "TRIGGERS",
    "TriggerLine",
    "facts_evidence",
    "find_trigger",
    "interval",
    "lines",
    "serious",
    "sides",
]

TRIGGERS: Final = (
    ("performance", "Performance"),
    ("stability", "Connection stability"),
    ("memory", "Memory"),
    ("functionality", "Functionality"),
)
CENSUS: Final = (
    ("stability.uptime.", "counted, not sampled: own downtime of 1 %, or 100 ms over legacy"),
    ("memory.", "weighed, not sampled: +20 % and 8 MiB"),
)
SERIOUS: Final = frozenset({"critical", "major"})
DEFAULT_SEVERITY: Final = {
    "MISSING": "critical",
    "PHANTOM": "critical",
    "FIELD": "critical",
    "STATE": "critical",
    "STALE": "critical",
    "LIFECYCLE": "critical",
    "EXC": "critical",
    "CLOCK": "critical",
    "REORDER": "major",
    "DUP": "major",
    "GAP": "major",
    "CONTROL": "minor",
}


class TriggerLine(msgspec.Struct, frozen=True):
    """One trigger as one line of the first screen."""

    id: str
    name: str
    threshold: str
    worst: str
    measured: str
    sides: str
    verdict: str
    evidence: str
    note: str
    smallest: str
    decided: bool


def lines(data: ReportInput) -> list[TriggerLine]:
    """The four lines in the checklist's order, also where the run names none."""
    decided = data.verdict.decided_by if data.verdict else None
    return [_trigger_line(data, id_, name, id_ == decided) for id_, name in TRIGGERS]


def find_trigger(data: ReportInput, id_: str) -> Trigger | None:
    """The trigger of that id as the verdict has it."""
    return next((trigger for trigger in data.verdict.triggers if trigger.id == id_), None) if data.verdict else None


def _metric(data: ReportInput, id_: str | None) -> Metric | None:
    return next((metric for metric in data.verdict.metrics if metric.id == id_), None) if data.verdict else None


def _trigger_line(data: ReportInput, id_: str, name: str, decided: bool) -> TriggerLine:
    trigger = find_trigger(data, id_)
    metric = _metric(data, trigger.worst) if trigger else None
    facts = id_ == "functionality"
    return TriggerLine(
        id=id_,
        name=name,
        threshold=(trigger.threshold if trigger else None) or NO_DATA,
        worst=(trigger.worst if trigger else None) or "none named",
        measured=_facts_measured(data) if facts else _measured(metric),
        sides="" if facts or metric is None or not _has_ratio(metric) else sides(metric),
        verdict=trigger.verdict if trigger else NO_DATA,
        evidence=facts_evidence(data) if facts else _evidence(data, metric),
        note=_note(data, id_, metric),
        smallest="1 event (every event is compared)" if facts else _smallest(metric),
        decided=decided,
    )


def interval(value: Interval | None) -> str:
    """A ratio as [low, best, high]."""
    if value is None or value.best is None:
        return "no ratio"
    return f"[{ratio(value.low)}, {ratio(value.best)}, {ratio(value.high)}]"


def _note(data: ReportInput, id_: str, metric: Metric | None) -> str:
    """What the metric says of itself; beside the performance trigger also where a profile saw the time go."""
    said = "" if metric is None else shorten(metric.note, 140)
    seen = bottleneck(data.profile) if id_ == "performance" else ""
    return "; ".join(part for part in (said, seen and f"profile: {seen}") if part)


def _has_ratio(metric: Metric) -> bool:
    return metric.ratio is not None and metric.ratio.best is not None


def _measured(metric: Metric | None) -> str:
    if metric is None:
        return NO_DATA
    return interval(metric.ratio) if _has_ratio(metric) else sides(metric) or NO_DATA


def sides(metric: Metric) -> str:
    """Both sides' figures of a metric; empty where it has none."""
    if metric.legacy is None and metric.new is None:
        return ""
    return f"legacy {quantity(metric.legacy, metric.unit)}, new {quantity(metric.new, metric.unit)}"


def _evidence(data: ReportInput, metric: Metric | None) -> str:
    if metric is None:
        return NO_DATA
    time = judged_seconds(data, metric)
    declared = "" if metric.blocks_declared is None else f" of {count(metric.blocks_declared)}"
    return f"n {count(metric.n)}; blocks {count(metric.blocks)}{declared}; {seconds(time)}"


def _smallest(metric: Metric | None) -> str:
    if metric is not None and metric.detectable is None:
        return next((text for stem, text in CENSUS if metric.id.startswith(stem)), NO_DATA)
    return NO_DATA if metric is None or metric.detectable is None else f"ratio {ratio(metric.detectable)}"


def serious(data: ReportInput) -> list[tuple[str, float]]:
    """Critical and major codes of the new side or of both, with their counts, most frequent first."""
    severities = {
        (row.code, row.side, row.connection, row.type): row.severity for row in data.differences if row.severity
    }
    totals: dict[str, float] = {}
    for row in data.verdict.differences if data.verdict else []:
        key = (row.code, row.side, row.connection, row.type)
        severity = row.severity or severities.get(key) or DEFAULT_SEVERITY.get(row.code, "info")
        if row.side in ("new", "both") and severity in SERIOUS and not row.known:
            totals[row.code] = totals.get(row.code, 0) + (row.count or 0)
    return sorted(totals.items(), key=lambda item: (-item[1], item[0]))


def _facts_measured(data: ReportInput) -> str:
    trigger = find_trigger(data, "functionality")
    if trigger is None:
        return NO_DATA
    found = serious(data)
    if found:
        return "of new: " + ", ".join(f"{count(number)} {code}" for code, number in found)
    if trigger.verdict == "REGRESSION":
        return f"fact: {trigger.worst or 'not named'}"
    return "0 critical or major differences of new"


def facts_evidence(data: ReportInput) -> str:
    """How many of the expected events were matched."""
    coverage = data.verdict.coverage if data.verdict else None
    if coverage is None:
        return NO_DATA
    return f"{count(coverage.matched)} of {count(coverage.events_expected)} events matched"
