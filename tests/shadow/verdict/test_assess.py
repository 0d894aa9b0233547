"""Precedence, one rule a row, over hand-made evidence."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shadow.stats.intervals import Estimate
from shadow.verdict.assess import assess
from shadow.verdict.checklist import load_checklist
from shadow.verdict.evidence import Evidence, Fact, Measured

LIMITS = load_checklist()
TYPICAL = "latency.x.y.public.typical"


def interval(ratio: float, se: float = 0.005) -> Estimate:
    return Estimate(math.log(ratio), se, 30.0, 40, 40.0)


def metric(ratio: float, name: str = TYPICAL, *, declared: bool = True, se: float = 0.005) -> Measured:
    return Measured(
        name, "ns", 1, ratio, interval(ratio, se), 400, 40, 40, declared, "pooled" if declared else "undeclared"
    )


def evidence(new: float = 1.0, aa: Any = 1.0, control: float | None = 1.3, **rest: Any) -> Evidence:
    metrics = [metric(new), metric(1.0, "cpu.per_message")]
    aa_cpu = metric(rest.pop("aa_cpu", 1.0), "cpu.per_message", se=0.0005)
    against_itself = {TYPICAL: metric(aa), "cpu.per_message": aa_cpu} if isinstance(aa, float) else aa
    defaults: dict[str, Any] = {
        "grade": "quick", "facts_only": "", "calibrated": True, "metrics": metrics, "aa": against_itself,
        "control": None if control is None else interval(control), "frames_sent": 1000, "frames_accounted": 1000,
    }  # fmt: skip
    return Evidence(**defaults | rest)


FACT = Fact("functionality", "3 critical MISSING of the new stack", "MISSING")
UNCALIBRATED: dict[str, Any] = {"calibrated": False, "aa": None, "control": None}


@pytest.mark.checklist("R.1", "R.2", "R.3", "R.4")
@pytest.mark.parametrize(
    ("case", "outcome", "decided_by"),
    [
        (evidence(), "SHIP", None),
        # a confirmed fact before everything
        (evidence(facts=[FACT]), "ROLL_BACK", "functionality"),
        (evidence(facts=[FACT], control=1.0), "ROLL_BACK", "functionality"),
        (evidence(facts=[FACT], new=1.4), "ROLL_BACK", "functionality"),
        (evidence(facts=[FACT], hold=["interrupted"], interrupted=True), "ROLL_BACK", "functionality"),
        (evidence(facts=[FACT], **UNCALIBRATED), "ROLL_BACK", "functionality"),
        # NOT FIT before regressions and doubts
        (evidence(control=1.0), "NOT_FIT", None),
        (evidence(control=1.0, new=1.4), "NOT_FIT", None),
        (evidence(aa=1.07), "NOT_FIT", None),
        (evidence(aa=0.93), "NOT_FIT", None),
        (evidence(aa=1.2, new=1.4), "NOT_FIT", None),
        (evidence(legacy_failures=["the legacy stack died"], new=1.4), "NOT_FIT", None),
        (evidence(legacy_failures=["the legacy stack died"], **UNCALIBRATED), "NOT_FIT", None),
        (evidence(aa_intolerable=["legacy against itself shows critical MISSING"]), "NOT_FIT", None),
        (evidence(aa_cpu=1.2), "NOT_FIT", None),  # an alarm, whatever the metric
        # regressions before doubts
        (evidence(new=1.2), "ROLL_BACK", "performance"),
        (evidence(new=1.2, hold=["dropped 4 rows"]), "ROLL_BACK", "performance"),
        (evidence(new=1.3, **UNCALIBRATED), "ROLL_BACK", "performance"),
        # doubts
        (evidence(new=1.2, **UNCALIBRATED), "HOLD", "performance"),
        (evidence(**UNCALIBRATED), "HOLD", None),
        (evidence(new=1.09), "HOLD", "performance"),
        (evidence(aa_cpu=1.048), "SHIP", None),
        (evidence(aa_cpu=1.06), "HOLD", "performance"),
        (evidence(control=None), "HOLD", None),
        (evidence(hold=["the run was interrupted"], interrupted=True, control=None, aa=1.07), "HOLD", None),
        (evidence(frames_accounted=999), "SHIP", None),
        (evidence(frames_accounted=998), "HOLD", None),
        (evidence(frames_sent=0, frames_accounted=0), "HOLD", None),
        (evidence(facts_only="a replay proves facts only", metrics=[], **UNCALIBRATED), "HOLD", None),
        (
            evidence(facts_only="a replay proves facts only", metrics=[], facts=[FACT], **UNCALIBRATED),
            "ROLL_BACK",
            "functionality",
        ),
    ],
)
def test_precedence(case: Evidence, outcome: str, decided_by: str | None) -> None:
    got = assess(case, LIMITS)
    assert (got.outcome, got.decided_by) == (outcome, decided_by), got.reason
    assert got.reason.endswith(".")


@pytest.mark.parametrize(
    ("case", "outcome"), [(evidence(covered=7), "SHIP"), (evidence(covered=7, facts_only="x", **UNCALIBRATED), "HOLD")]
)
def test_no_verdict_keeps_quiet_about_what_the_known_list_covers(case: Evidence, outcome: str) -> None:
    got = assess(case, LIMITS)
    assert got.outcome == outcome
    assert "7 critical or major differences that the known-differences list covers" in got.reason
    assert "no event was lost" not in got.reason
    assert "No difference" not in got.reason


def test_an_undeclared_metric_fires_but_never_holds() -> None:
    shown = [metric(1.0), metric(1.5, "service.x.y.book", declared=False)]
    assert assess(evidence(metrics=shown, aa={TYPICAL: metric(1.0)}), LIMITS).outcome == "ROLL_BACK"
    unclear = [metric(1.0), metric(1.15, "service.x.y.book", declared=False)]
    assert assess(evidence(metrics=unclear), LIMITS).outcome == "SHIP"


def test_a_declared_regression_is_named_before_a_larger_shown_one() -> None:
    both = [metric(1.5, "service.x.y.book", declared=False), metric(1.25)]
    got = assess(evidence(metrics=both), LIMITS)
    assert got.triggers[0].worst == TYPICAL
    assert got.reason.startswith(TYPICAL)


def test_the_any_metric_line_names_the_worst() -> None:
    got = assess(evidence(new=1.25), LIMITS)
    performance = got.triggers[0]
    assert (performance.id, performance.verdict, performance.worst) == ("performance", "REGRESSION", TYPICAL)
    assert [line.id for line in got.triggers] == ["performance", "stability", "memory", "functionality"]
    assert got.reason.startswith(f"{TYPICAL} is 1.25 x legacy, interval 1.2")
