"""Rates of a direct session against the floor of two legacies."""

from __future__ import annotations

import json

import pytest

from shadow.diff.codes import Difference, Dual, Rate
from shadow.verdict.assess import assess
from shadow.verdict.checklist import load_checklist
from shadow.verdict.dual import dual_metrics, dual_view
from shadow.verdict.evidence import Evidence
from shadow.verdict.facts import failure_facts, is_shared_refusal, without_shared_refusal
from shadow.verdict.timeline import Failure, Timeline, read_marks

SPOT, ACCOUNT = "gateio.spot.public", "gateio.spot.private"
LIMITS = load_checklist()


def dual(code: str, incidents: tuple[int, int, int]) -> Dual:
    rate = Rate(code, SPOT, incidents, incidents)
    return Dual(("new", "legacy", "legacy2"), [rate], {SPOT: 1000, ACCOUNT: 10}, {}, {SPOT: 500})


@pytest.mark.parametrize(
    ("code", "incidents", "fires"),
    [
        ("MISSING", (1, 0, 0), False),
        ("MISSING", (7, 0, 0), False),
        ("MISSING", (8, 0, 0), True),
        ("MISSING", (20, 20, 20), False),
        ("MISSING", (0, 30, 30), False),
        ("LATE", (60, 20, 20), True),
        ("FIELD", (8, 0, 0), True),
        ("STATE", (11, 0, 0), False),
        ("STATE", (12, 0, 0), True),
        ("STATE", (12, 0, 12), False),
    ],
)
def test_a_rate_fires_only_above_the_floor(code: str, incidents: tuple[int, int, int], fires: bool) -> None:
    metrics = dual_metrics(dual(code, incidents), [SPOT, ACCOUNT], LIMITS)
    (one,) = [metric for metric in metrics if metric.id == f"dual.{code.lower()}.{SPOT}"]
    assert one.census is not None
    assert (one.census.verdict == "REGRESSION") is fires
    evidence = Evidence("quick", "nothing is paired", False, metrics, frames_sent=9, frames_accounted=9)
    found = assess(evidence, LIMITS)
    assert found.outcome == ("ROLL_BACK" if fires else "HOLD")
    trigger = next(line for line in found.triggers if line.id == "functionality")
    assert trigger.verdict == ("REGRESSION" if fires else "PASS")
    if fires:
        assert (found.decided_by, trigger.worst) == ("functionality", one.id)
        assert f"{incidents[0]} incidents of new" in found.reason


def test_nothing_compared_passes_nothing() -> None:
    empty = Dual(("new", "legacy", "legacy2"), [], {}, {}, {})
    metrics = dual_metrics(empty, [SPOT], LIMITS)
    assert len(metrics) == 4
    assert all(metric.census is None for metric in metrics)
    found = assess(Evidence("quick", "x", False, metrics, frames_sent=1, frames_accounted=1), LIMITS)
    assert {metric.verdict for metric in found.metrics} == {"HOLD"}


def test_where_no_side_was_served_new_is_not_blamed_for_that() -> None:
    timeline = Timeline(failures=[Failure("main", role, "no-subscription", SPOT) for role in ("legacy", "new")])
    refused = Difference("EXC", "both", "critical", "", "", "", "no-subscription", 1)
    raised = Difference("EXC", "new", "critical", SPOT, "", "", "callback", 1)
    assert is_shared_refusal(timeline)
    assert without_shared_refusal(failure_facts(timeline), [refused, raised]) == ([], [raised])
    alone = Timeline(failures=timeline.failures[1:])
    assert not is_shared_refusal(alone)
    assert [fact.worst for fact in failure_facts(alone)] == ["subject.no-subscription"]


def test_what_was_done_at_the_exchanges_and_what_was_held_back() -> None:
    marks = [
        ("order-refused", "new", {"connection": SPOT, "what": "spot.order_place"}),
        ("budget", "new", {"connection": SPOT, "says": "spent", "waits": True}),
        ("budget", "legacy", {"connection": "mexc.spot.public", "says": "spent", "waits": False}),
        ("budget-used", "", {"exchange": "gateio", "opened": 3, "refused": 0}),
    ]
    rows = [{"t": n, "leg": "main", "role": r, "name": m, "detail": json.dumps(d)} for n, (m, r, d) in enumerate(marks)]
    timeline = read_marks(rows)
    assert timeline.budget == [{"exchange": "gateio", "opened": 3, "refused": 0}]
    assert timeline.held_back == {("gateio", "new"): 2, ("mexc", "legacy"): 1}


def test_the_view_holds_every_count() -> None:
    view = dual_view(dual("MISSING", (8, 1, 2)), LIMITS)
    assert view is not None
    assert view["rates"][0]["incidents"] == [8, 1, 2]
    assert view["compared"][SPOT] == 1000
    assert dual_view(None, LIMITS) is None
