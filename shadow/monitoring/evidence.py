"""What the newest session about our stacks says, for metrics that no status file holds: counts, ratios, verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.rollout.evidence import newest_session
from shadow.rollout.units import EVERYTHING

if TYPE_CHECKING:
    from reports.records import Metric, Verdict

__all__ = ["Evidence", "newest_evidence", "worst_metric"]


@dataclass(frozen=True)
class Evidence:
    """A session's verdict and when it was started (Unix seconds)."""

    started_s: float
    verdict: Verdict


def newest_evidence(runs: Path) -> Evidence | None:
    """The newest session below `runs` that compared our own stacks; None where there is none that can be read."""
    from reports.run_data import load_summary

    session = newest_session(runs, EVERYTHING)
    verdict = load_summary(session.path).verdict if session is not None else None
    return Evidence(session.started_s, verdict) if session is not None and verdict is not None else None


def worst_metric(verdict: Verdict, trigger: str) -> Metric | None:
    """The metric that a trigger's verdict names as its worst."""
    worst = next((one.worst for one in verdict.triggers if one.id == trigger), None)
    return next((metric for metric in verdict.metrics if metric.id == worst), None)
