"""One metric's verdict: its whole interval against the margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shadow.stats.intervals import bounded_exp
from shadow.stats.multiplicity import weighted_bonferroni
from shadow.stats.power import blocks_needed, detectable_ratio
from shadow.verdict.calibration import Gate
from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import Measured, MetricVerdict, Range, six_digits

__all__ = ["JudgedMetric", "Power", "alphas_of", "judge_metric", "line_of"]


@dataclass(frozen=True)
class Power:
    """What grade release asks of a declared metric: that it could have confirmed `detect`, and a long enough plan.

    `short` says, by metric, why the plan was not.
    """

    detect: float
    short: Mapping[str, str]

    def lacking(self, metric: str, detectable: float) -> str:
        """Why a metric's power does not suffice; empty where it does."""
        if metric in self.short:
            return self.short[metric]
        if (six_digits(detectable) or math.inf) > self.detect:
            return f"its power does not suffice: it could have confirmed {detectable:.4g}, release asks {self.detect:g}"
        return ""


@dataclass(frozen=True)
class JudgedMetric:
    """A metric with its verdict; `range` holds the bounds that were compared, `note` says why where it is not plain."""

    measured: Measured
    range: Range
    verdict: MetricVerdict
    detectable: float | None
    note: str
    gate: Gate

    @property
    def id(self) -> str:
        """Metric id."""
        return self.measured.id

    def as_json(self) -> dict[str, Any]:
        """As in verdict.json; coverage, declaration and note beside the schema's fields."""
        m = self.measured
        return {
            "id": m.id,
            "unit": m.unit,
            "legacy": six_digits(m.legacy),
            "new": six_digits(m.new),
            "ratio": self.range.as_json(),
            "verdict": self.verdict,
            "n": m.n,
            "blocks": m.blocks,
            "detectable": six_digits(self.detectable),
            "declared": m.declared,
            "blocks_declared": m.blocks_declared,
            "effective_n": six_digits(m.estimate.n_effective) if m.estimate else None,
            "aa_gate": self.gate,
            "note": self.note,
        }


def alphas_of(metrics: list[Measured], limits: Checklist) -> dict[str, float]:
    """Each interval's share of the session's alpha; a census needs none."""
    weights = {m.id: limits.weights[m.weight] for m in metrics if m.census is None}
    return weighted_bonferroni(weights, limits.session.alpha * limits.session.interval_share)


def judge_metric(
    metric: Measured, alpha: float, gate: Gate, limits: Checklist, power: Power | None = None
) -> JudgedMetric:
    """Judge one metric.

    The bound towards "worse" is compared at the corrected alpha (REGRESSION), the other at the pass alpha (PASS); low
    and high are these two. Where the A/A gate did not pass, REGRESSION needs the uncalibrated margin and PASS is not
    given; an undeclared metric only ever fires, by the plain margin unless A/A shows an offset or nothing. With
    `power` (grade release) a declared metric needs it for a PASS.
    """
    if metric.census is not None:
        return _judge_census(metric, gate)
    if metric.estimate is None:
        short = power.short.get(metric.id, "") if power is not None else ""
        note = "; ".join(part for part in (short, metric.note) if part) or "no data"
        verdict: MetricVerdict = "HOLD" if metric.declared else "NOT_JUDGED"
        return JudgedMetric(metric, Range(None, None, None), verdict, None, note, gate)
    session = limits.session
    sign = -1 if metric.lower_is_worse else 1
    worse = sign * metric.estimate.mean
    towards_better = worse - (metric.estimate.mean - metric.estimate.lower(alpha))
    towards_worse = worse + (metric.estimate.upper(session.pass_alpha) - metric.estimate.mean)
    line = line_of(metric, gate, limits)
    detectable = detectable_ratio(metric.estimate, alpha, line)
    found = _range(towards_better, worse, towards_worse, sign)
    verdict, note = _verdict(metric, (bounded_exp(towards_better), bounded_exp(towards_worse)), gate, line, limits)
    if power is not None and metric.declared and verdict in ("PASS", "HOLD"):
        lacking = power.lacking(metric.id, detectable)
        verdict, note = ("HOLD", "; ".join(part for part in (lacking, note) if part)) if lacking else (verdict, note)
    notes = "; ".join(part for part in (note, metric.note) if part)
    return JudgedMetric(metric, found, verdict, detectable**sign, notes, gate)


def line_of(metric: Measured, gate: Gate, limits: Checklist) -> float:
    """The ratio above which a metric is a regression: the margin, or twice of it where A/A does not bear it out."""
    is_calibrated = gate == "ok" or (gate == "wide" and not metric.declared)
    return limits.session.margin if is_calibrated else limits.session.uncalibrated_margin


def _range(low: float, best: float, high: float, sign: int) -> Range:
    values = [bounded_exp(sign * value) for value in (low, best, high)]
    return Range(*values[::sign])


def _verdict(
    metric: Measured, bounds: tuple[float, float], gate: Gate, line: float, limits: Checklist
) -> tuple[MetricVerdict, str]:
    low, high = six_digits(bounds[0]) or 0.0, six_digits(bounds[1]) or math.inf
    if low > line:
        return "REGRESSION", ""
    if not metric.declared:
        return "NOT_JUDGED", ""
    note = _doubt(metric, gate, limits)
    if note:
        return "HOLD", note
    if high < limits.session.margin:
        return "PASS", ""
    if low > limits.session.margin:
        return "HOLD", f"above {limits.session.margin:g}, but without calibration only above {line:g} counts"
    return "HOLD", _undecided(metric, limits)


def _doubt(metric: Measured, gate: Gate, limits: Checklist) -> str:
    """Why a declared metric cannot PASS, whatever its interval; empty where it can."""
    minimum = limits.release.legs if metric.by_leg else limits.minimum_blocks.get(metric.id.partition(".")[0], 1)
    if metric.blocks < minimum:
        return f"{metric.blocks} {'legs' if metric.by_leg else 'blocks'} judged, {minimum} needed"
    if metric.blocks < limits.session.block_share * metric.blocks_declared:
        return f"{metric.blocks} of {metric.blocks_declared} declared blocks judged"
    if gate == "missing":
        return "legacy against itself has no figure"
    return "its A/A interval leaves 1/1.05..1.05" if gate in ("wide", "offset") else ""


def _undecided(metric: Measured, limits: Checklist) -> str:
    """The interval reaches the margin; how many blocks would tell with this noise and 80 % power."""
    assert metric.estimate is not None
    estimate, session = metric.estimate, limits.session
    ratio = bounded_exp(-estimate.mean if metric.lower_is_worse else estimate.mean)
    sd = estimate.se * math.sqrt(estimate.n)
    if sd == 0 or abs(math.log(ratio / session.margin)) < 0.005:
        return "the interval reaches the margin"
    needed = blocks_needed(sd, ratio, session.margin, session.pass_alpha, 0.8)
    return f"the interval reaches the margin; about {needed} blocks would decide it"


def _judge_census(metric: Measured, gate: Gate) -> JudgedMetric:
    assert metric.census is not None
    verdict, note = metric.census.verdict, metric.census.note
    # a census of connections needs no calibration; one of memory needs the same level from two equal sides
    if not metric.census.fact and verdict == "PASS" and gate in ("wide", "offset"):
        verdict, note = "HOLD", f"its A/A range leaves 1/1.05..1.05; {note}"
    return JudgedMetric(metric, metric.census.range, verdict, None, note, gate)
