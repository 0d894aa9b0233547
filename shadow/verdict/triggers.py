"""The checklist's four rollback triggers as lines of the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import Fact, MetricVerdict
from shadow.verdict.metrics import JudgedMetric

__all__ = ["RATES", "TriggerLine", "trigger_lines", "trigger_of", "worst_of"]

COUNTS = {"reconnects": "stability", "errors": "functionality", "differences": "functionality"}
"""Triggers of what is counted by the sequential tests alone."""
RATES = "dual."
"""Metrics of a direct session that belong to the trigger of facts: rates of differences above the floor."""


@dataclass(frozen=True)
class TriggerLine:
    """One trigger: PASS, REGRESSION (fired) or HOLD, and the metric or fact that is worst."""

    id: str
    threshold: str
    verdict: MetricVerdict
    worst: str | None

    def as_json(self) -> dict[str, Any]:
        """As in verdict.json."""
        return {"id": self.id, "threshold": self.threshold, "verdict": self.verdict, "worst": self.worst}


def trigger_lines(
    metrics: list[JudgedMetric],
    facts: list[Fact],
    unsettled: bool,
    facts_only: bool,
    limits: Checklist,
    fired: tuple[str, str] | None = None,
) -> list[TriggerLine]:
    """All triggers in the checklist's order.

    `unsettled`: something keeps the comparison of events from being complete, so functionality cannot PASS.
    `fired`: trigger and metric of the sequential test that speaks loudest, where they say REGRESSION.
    """
    lines = []
    for trigger in limits.trigger:
        mine = [metric for metric in metrics if metric.id.startswith(trigger.metrics)] if trigger.metrics else []
        fact = next((fact for fact in facts if fact.trigger == trigger.id), None)
        worst = worst_of(mine)
        if fact is not None:
            line = TriggerLine(trigger.id, trigger.threshold, "REGRESSION", fact.worst)
        elif fired is not None and fired[0] == trigger.id and _combined(mine) != "REGRESSION":
            line = TriggerLine(trigger.id, trigger.threshold, "REGRESSION", fired[1])
        elif trigger.metrics:
            verdict: MetricVerdict = "HOLD" if facts_only and trigger.id != "stability" else _combined(mine)
            line = TriggerLine(trigger.id, trigger.threshold, verdict, worst.id if worst else None)
        else:
            above = worst_of([metric for metric in metrics if metric.id.startswith(RATES)])
            if above is not None and above.verdict != "REGRESSION":
                above = None
            settled: MetricVerdict = "REGRESSION" if above is not None else "HOLD" if unsettled else "PASS"
            line = TriggerLine(trigger.id, trigger.threshold, settled, above.id if above is not None else None)
        lines.append(line)
    return lines


def trigger_of(metric: str, limits: Checklist) -> str:
    """The trigger that a metric belongs to, by its id."""
    if metric.partition(".")[0] in COUNTS:
        return COUNTS[metric.partition(".")[0]]
    if metric.startswith(RATES):
        return "functionality"
    matching = [trigger.id for trigger in limits.trigger if trigger.metrics and metric.startswith(trigger.metrics)]
    return matching[0] if matching else "performance"


def _combined(metrics: list[JudgedMetric]) -> MetricVerdict:
    verdicts = {metric.verdict for metric in metrics}
    if "REGRESSION" in verdicts:
        return "REGRESSION"
    return "HOLD" if "HOLD" in verdicts or "PASS" not in verdicts else "PASS"


def worst_of(metrics: list[JudgedMetric]) -> JudgedMetric | None:
    """The gravest verdict, declared metrics first; among regressions the surest, else the largest bound to worse."""
    rank = {"REGRESSION": 3, "HOLD": 2, "PASS": 1, "NOT_JUDGED": 0}
    return max(
        metrics, key=lambda metric: (rank[metric.verdict], metric.measured.declared, _badness(metric)), default=None
    )


def _badness(metric: JudgedMetric) -> float:
    """How much worse: the bound nearest to legacy for a regression, the farthest for all else."""
    low, high = metric.range.low, metric.range.high
    if metric.measured.lower_is_worse:
        low, high = (1 / high if high else None), (1 / low if low else None)
    return (low if metric.verdict == "REGRESSION" else high) or 0.0
