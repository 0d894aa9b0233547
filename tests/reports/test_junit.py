"""JUnit XML: what a pipeline reads; only SHIP may look like success."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reports import first_screen, junit
from reports.run_data import load

CODES = 12
TRIGGERS = 4
MakeRun = Callable[[str], Path]
Edit = Callable[[Path, Callable[[Any], None]], None]


def suite_of(run: Path) -> ElementTree.Element:
    data = load(run)
    suite = ElementTree.fromstring(junit.render(data, first_screen.build(data))).find("testsuite")
    assert suite is not None
    return suite


def outcomes(suite: ElementTree.Element, group: str) -> dict[str, str]:
    cases = [case for case in suite.iter("testcase") if case.get("classname") == group]
    return {str(case.get("name")): case[0].tag if len(case) else "passed" for case in cases}


@pytest.mark.parametrize("kind", ["ship", "roll_back", "not_fit", "interrupted"])
def test_attributes_count_the_cases(make_run: MakeRun, kind: str) -> None:
    run = make_run(kind)
    suite = suite_of(run)
    declared = {row["id"]: row["declared"] for row in json.loads((run / "analysis.json").read_text())["forest"]}
    metrics = [
        m["id"] for m in json.loads((run / "verdict.json").read_text())["metrics"] if declared.get(m["id"], True)
    ]
    assert int(suite.get("tests", "0")) == len(suite.findall("testcase")) == 1 + TRIGGERS + len(metrics) + CODES
    for attribute, tag in (("failures", "failure"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "-1")) == len(suite.findall(f"testcase/{tag}"))
    assert list(outcomes(suite, "metric")) == metrics


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("ship", "passed"), ("roll_back", "failure"), ("not_fit", "failure"), ("interrupted", "failure")],
)
def test_only_ship_passes_the_verdict_case(make_run: MakeRun, kind: str, outcome: str) -> None:
    assert outcomes(suite_of(make_run(kind)), "verdict") == {"verdict": outcome}


def test_no_verdict_is_a_failure_and_nothing_passes(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    assert outcomes(suite, "verdict") == {"verdict": "failure"}
    assert {case[0].tag for case in suite.iter("testcase") if len(case)} == {"failure", "skipped"}
    assert all(len(case) for case in suite.iter("testcase"))


def test_regressions_fail_and_holds_are_skipped_with_their_numbers(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("roll_back")

    def hold(verdict: Any) -> None:
        verdict["triggers"][2]["verdict"] = "HOLD"

    edit(run / "verdict.json", hold)
    suite = suite_of(run)
    triggers = {"performance": "failure", "stability": "passed", "memory": "skipped", "functionality": "failure"}
    assert outcomes(suite, "trigger") == triggers
    assert outcomes(suite, "metric")["service.gateio.spot.public"] == "failure"
    codes = outcomes(suite, "difference")
    assert {code for code, outcome in codes.items() if outcome == "failure"} == {"MISSING", "FIELD"}
    skipped = suite.find("testcase[@name='memory']/skipped")
    assert skipped is not None
    assert "HOLD" in skipped.get("message", "")


def test_a_confirmed_regression_counts_even_where_it_was_not_declared(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("ship")

    def regress(verdict: Any) -> None:
        next(m for m in verdict["metrics"] if m["id"].endswith("gateio.spot.public.p99"))["verdict"] = "REGRESSION"

    edit(run / "verdict.json", regress)
    metrics = outcomes(suite_of(run), "metric")
    assert metrics["latency.gateio.spot.public.p99"] == "failure"
    assert "latency.mexc.spot.public.p99" not in metrics


def test_a_difference_of_legacy_alone_fails_no_code(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("ship")
    row = {"code": "MISSING", "side": "legacy", "connection": "gateio.spot.public", "type": "book", "count": 9}
    edit(run / "verdict.json", lambda verdict: verdict["differences"].append(row))
    assert outcomes(suite_of(run), "difference")["MISSING"] == "passed"
    edit(run / "verdict.json", lambda verdict: verdict["differences"][-1].update(side="both"))
    assert outcomes(suite_of(run), "difference")["MISSING"] == "failure"
