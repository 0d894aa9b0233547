"""From when on the deciding trigger's evidence holds, and how long a metric was measured."""

from __future__ import annotations

from reports.outages import outages
from reports.records import Metric
from reports.run_data import ReportInput
from reports.text import count, seconds

__all__ = ["deciding_since", "judged_seconds"]


def deciding_since(data: ReportInput) -> str:
    """Since when the deciding trigger holds, as far as the run says; empty where no trigger decided."""
    decided = data.verdict.decided_by if data.verdict else None
    if decided is None:
        return ""
    if decided == "functionality":
        return _first_difference(data) or "time of the first difference not recorded"
    if decided == "stability":
        own = [o for o in outages(data.analysis) if o.role == "new" and o.kind == "own" and o.leg.startswith("main")]
        if own:
            return f"first own outage {seconds(own[0].begin_s)} after the start"
    return _measured_window(data) or "over the session"


def _first_difference(data: ReportInput) -> str:
    frames = [
        sample.frame_no
        for sample in data.analysis.samples
        if sample.frame_no is not None and sample.side in ("new", "both") and (sample.leg or "main").startswith("main")
    ]
    return f"first sample at frame {count(min(frames))}" if frames else ""


def _measured_window(data: ReportInput) -> str:
    main = [phase for phase in data.analysis.phases if phase.leg.startswith("main")]
    phases = [phase for phase in main if phase.phase in ("paired", "burst")]
    begins = [phase.begin_s for phase in phases if phase.begin_s is not None]
    ends = [phase.end_s for phase in phases if phase.end_s is not None]
    return f"measured from {seconds(min(begins))} to {seconds(max(ends))}" if begins and ends else ""


def judged_seconds(data: ReportInput, metric: Metric) -> float | None:
    """Seconds behind a metric: blocks times block length, the burst phase for service times, else the main leg."""
    plan = data.session.plan
    if metric.id.startswith("latency.") and metric.blocks is not None and plan and plan.block_s:
        return metric.blocks * plan.block_s
    wanted = ("burst",) if metric.id.startswith("service.") else ("paired", "burst", "connect")
    phases = [phase for phase in data.analysis.phases if phase.leg.startswith("main") and phase.phase in wanted]
    spans = [p.end_s - p.begin_s for p in phases if p.begin_s is not None and p.end_s is not None]
    return sum(spans) if spans else None
