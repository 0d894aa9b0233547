"""From evidence to verdict: the precedence of facts, fitness, regressions and doubts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shadow.verdict.calibration import Calibration, calibrate
from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import Evidence, Fact, six_digits
from shadow.verdict.metrics import JudgedMetric, Power, alphas_of, judge_metric, line_of
from shadow.verdict.sequential import Watch, alpha_of, watch
from shadow.verdict.triggers import RATES, TriggerLine, trigger_lines, trigger_of, worst_of

__all__ = ["EXIT_CODES", "Assessment", "Outcome", "assess"]

Outcome = Literal["SHIP", "ROLL_BACK", "HOLD", "NOT_FIT"]
EXIT_CODES: dict[str, int] = {"SHIP": 0, "ROLL_BACK": 10, "HOLD": 11, "NOT_FIT": 12}


@dataclass(frozen=True)
class Assessment:
    """The verdict with what it rests on."""

    outcome: Outcome
    reason: str
    decided_by: str | None
    triggers: list[TriggerLine]
    metrics: list[JudgedMetric]
    calibration: Calibration
    watch: Watch


def assess(evidence: Evidence, limits: Checklist) -> Assessment:
    """Confirmed fact > NOT FIT > REGRESSION > HOLD > SHIP.

    Without calibration NOT FIT is left to a legacy that failed, and SHIP is out of reach. A replay, a live session and
    a capacity run prove facts only.
    """
    alphas = alphas_of(evidence.metrics, limits)
    calibration = calibrate(evidence, alphas, limits)
    power = Power(limits.release.detect, evidence.short) if evidence.grade == "release" else None
    metrics = [judge_metric(m, alphas.get(m.id, 0.0), calibration.gate(m.id), limits, power) for m in evidence.metrics]
    facts = evidence.facts + [
        Fact(trigger_of(metric.id, limits), f"{metric.id}: {metric.note}", metric.id)
        for metric in metrics
        if metric.verdict == "REGRESSION" and metric.measured.census is not None and metric.measured.census.fact
    ]
    doubts = _doubts(evidence, limits)
    lines = {metric.id: line_of(metric.measured, metric.gate, limits) for metric in metrics}
    connections = sum(metric.id.startswith("stability.uptime.") for metric in metrics)
    seen = watch(evidence.watched, lines, alpha_of(connections, limits), limits)
    fired = (trigger_of(seen.worst, limits), seen.worst) if seen.fired and seen.worst else None
    triggers = trigger_lines(metrics, facts, bool(doubts), bool(evidence.facts_only), limits, fired)
    outcome, reason, decided_by = _decide(evidence, calibration, metrics, facts, doubts, seen, limits)
    return Assessment(outcome, reason, decided_by, triggers, metrics, calibration, seen)


def _doubts(evidence: Evidence, limits: Checklist) -> list[str]:
    """What keeps the comparison of events from being complete."""
    doubts = list(evidence.hold)
    if evidence.calibrated and evidence.control is None:
        doubts.append("the positive control has too few bursts to be seen")
    share = six_digits(evidence.frames_share) or 0.0
    if not evidence.frames_sent:
        doubts.append("nothing was compared")
    elif share < limits.session.coverage:
        doubts.append(
            f"{evidence.frames_accounted} of {evidence.frames_sent} frames are accounted for,"
            f" under {limits.session.coverage:.1%}"
        )
    return doubts


def _decide(
    evidence: Evidence,
    calibration: Calibration,
    metrics: list[JudgedMetric],
    facts: list[Fact],
    doubts: list[str],
    seen: Watch,
    limits: Checklist,
) -> tuple[Outcome, str, str | None]:
    if facts:
        return "ROLL_BACK", _more(facts[0].text, len(facts) - 1, "confirmed fact"), facts[0].trigger
    if calibration.problems:
        return "NOT_FIT", _more(calibration.problems[0], len(calibration.problems) - 1, "reason"), None
    worse = [metric for metric in metrics if metric.verdict == "REGRESSION"]
    worst = worst_of(worse)
    if worst is not None:
        return "ROLL_BACK", _more(_regression(worst), len(worse) - 1, "regression"), trigger_of(worst.id, limits)
    if seen.fired and seen.worst is not None:
        return "ROLL_BACK", _sequential(seen, seen.worst), trigger_of(seen.worst, limits)
    if doubts:
        return "HOLD", _more(doubts[0], len(doubts) - 1, "reason"), None
    if evidence.facts_only:
        found = f"Only {_listed(evidence)} were found" if evidence.covered else "No difference found"
        text = f"{found}; {evidence.facts_only}, latency is not judged and nothing ships."
        return "HOLD", text, None
    held = [metric for metric in metrics if metric.verdict == "HOLD"]
    if held:
        text = f"{held[0].id} could not be decided: {held[0].note or 'no data'}"
        return "HOLD", _more(text, len(held) - 1, "metric"), trigger_of(held[0].id, limits)
    if not calibration.present:
        return "HOLD", "Nothing speaks against the new stack, but without calibration nothing ships.", None
    judged = sum(metric.verdict == "PASS" for metric in metrics)
    events = f"of the events, {_listed(evidence)} were found" if evidence.covered else "no event was lost or altered"
    return "SHIP", f"All {judged} declared metrics passed, and {events}.", None


def _listed(evidence: Evidence) -> str:
    return f"{evidence.covered} critical or major differences that the known-differences list covers"


def _regression(metric: JudgedMetric) -> str:
    found, m = metric.range.as_json(), metric.measured
    if m.id.startswith(RATES):
        return f"{m.id} is above the floor of two legacies: {metric.note}"
    return f"{m.id} is {found['best']} x legacy, interval {found['low']} to {found['high']}"


def _sequential(seen: Watch, worst: str) -> str:
    if seen.by_mean and not seen.single:
        return f"The sequential tests of all metrics together say worse by more than 10 %, {worst} most of all."
    text = f"the sequential test of {worst} says worse by more than 10 %: ln E {seen.log_e[worst]:.3g}, fires at"
    return _more(f"{text} {seen.needs[worst]:.3g}", len(seen.single) - 1, "test")


def _more(text: str, others: int, what: str) -> str:
    """One sentence; how many more of the kind there are in brackets."""
    named = "." in text.split(" ", 1)[0]
    sentence = text if named else text[:1].upper() + text[1:]
    more = f" ({others} more {what}{'s' if others > 1 else ''})" if others else ""
    return f"{sentence.rstrip('.')}{more}."
