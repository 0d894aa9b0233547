"""What the calibration says: each metric's A/A gate, alarms, and whether the positive control was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from shadow.stats.intervals import bounded_exp
from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import Evidence, Measured, Range, six_digits

__all__ = ["Calibration", "Gate", "aa_range", "calibrate"]

Gate = Literal["ok", "wide", "offset", "missing", "none"]
"""ok: whole A/A interval within half the margin. wide: it reaches beyond. offset: it lies wholly beyond.
missing: no A/A figure. none: the session has no calibration."""


@dataclass(frozen=True)
class Calibration:
    """Gates by metric id; `problems` are sentences that make the session NOT FIT."""

    gates: dict[str, Gate] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    control: Range | None = None
    control_seen: bool = False
    present: bool = False

    def gate(self, metric: str) -> Gate:
        """Gate of a metric."""
        return self.gates.get(metric, "missing") if self.present else "none"

    def as_json(self) -> dict[str, Any]:
        """As in verdict.json; the failed gates and the control's interval beside the schema's two booleans."""
        return {
            "ok": self.present and not self.problems,
            "positive_control": self.control_seen,
            "present": self.present,
            "control": self.control.as_json() if self.control else None,
            "alarms": self.alarms,
            "outside_gate": sorted(name for name, gate in self.gates.items() if gate in ("wide", "offset")),
            "problems": self.problems,
        }


def aa_range(metric: Measured, alpha: float) -> Range | None:
    """Interval of an A/A metric at alpha on each side; a census brings its own. None without figures."""
    if metric.census is not None:
        return metric.census.range
    if metric.estimate is None:
        return None
    bounds = (metric.estimate.lower(alpha), metric.estimate.mean, metric.estimate.upper(alpha))
    return Range(*(bounded_exp(bound) for bound in bounds))


def calibrate(evidence: Evidence, alphas: dict[str, float], limits: Checklist) -> Calibration:
    """Judge the calibration of a session.

    NOT FIT where the typical latency of a connection fails its gate, an A/A metric alarms (either direction, at the
    alpha with which it could fire), an intolerable difference class appears, or the control is not seen (without a
    figure of it the session is HOLD). An interrupted session is judged only by what it proves: alarms and differences,
    not by the width of what is cut short.
    """
    if not evidence.calibrated or evidence.aa is None:
        return Calibration(problems=list(evidence.legacy_failures))
    session = limits.session
    ranges = {name: aa_range(metric, session.aa_alpha) for name, metric in evidence.aa.items()}
    gates = {name: _gate(found, session.aa_margin) for name, found in ranges.items()}
    alarms = [
        name
        for name, metric in evidence.aa.items()
        if metric.estimate is not None and _alarms(metric, alphas.get(name, 0.0), session.margin)
    ]
    problems = [*evidence.legacy_failures, *evidence.aa_intolerable]
    problems += [f"legacy against itself differs by more than 10 % in {name}" for name in alarms]
    seen, control = _control(evidence, limits)
    if not evidence.interrupted:
        typical = [m.id for m in evidence.metrics if m.id.startswith("latency.") and m.weight == "pooled"]
        typical = [name for name in typical if name.endswith(".typical")]
        problems += [
            _gate_problem(name, ranges.get(name), session.aa_margin)
            for name in typical
            if gates.get(name) in ("wide", "offset")
        ]
        if not seen and control is not None:
            problems.append("the positive control (+30 % burned service time) was not seen")
    found_ranges = {name: found for name, found in ranges.items() if found is not None}
    return Calibration(gates, found_ranges, problems, alarms, control, seen, present=True)


def _gate(found: Range | None, margin: float) -> Gate:
    if found is None or found.low is None or found.high is None:
        return "missing"
    low, high = six_digits(found.low) or 0.0, six_digits(found.high) or 0.0
    if low >= 1 / margin and high <= margin:
        return "ok"
    return "offset" if low > margin or high < 1 / margin else "wide"


def _gate_problem(name: str, found: Range | None, margin: float) -> str:
    bounds = found.as_json() if found else {"low": None, "high": None}
    found_text = f"{name} {bounds['low']:.3f} to {bounds['high']:.3f}, allowed {1 / margin:.3f} to {margin:.3f}"
    return f"legacy against itself is too unsteady to judge: {found_text}; let the machine run alone and try again"


def _alarms(metric: Measured, alpha: float, margin: float) -> bool:
    if metric.estimate is None or alpha <= 0:
        return False
    # Compared as logarithms: with two or three blocks a bound at this level may lie beyond any float.
    return metric.estimate.lower(alpha) > math.log(margin) or metric.estimate.upper(alpha) < -math.log(margin)


def _control(evidence: Evidence, limits: Checklist) -> tuple[bool, Range | None]:
    if evidence.control is None:
        return False, None
    estimate, alpha = evidence.control, limits.session.pass_alpha
    found = Range(*(bounded_exp(x) for x in (estimate.lower(alpha), estimate.mean, estimate.upper(alpha))))
    return (six_digits(found.low) or 0.0) > limits.session.margin, found
