"""The sampled profile on the page: beside its trigger, as tables and a drawing, whatever names the samples bring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.profile import bottleneck, by_function, by_stage
from reports.profile_tables import explain, functions, stacks
from reports.records import Profile, ProfiledFunction, ProfiledSide
from reports.run_data import load
from reports.session import render

MakeRun = Callable[[str], Path]
DECODE, LIBRARY = "exchanges.integrations.gateio.frames:decode", "json.decoder:scan"


def side(taken: int, own: dict[str, int], seen: list[tuple[list[str], int]]) -> ProfiledSide:
    return ProfiledSide(taken, sum(own.values()), [ProfiledFunction(name, n, n) for name, n in own.items()], seen)


def a_profile() -> Profile:
    """New takes 30 % of its time for what legacy did in 10, all of it in decoding."""
    legacy = side(1000, {"legacy.gateio.parser:parse": 100}, [(["legacy.gateio.parser:parse"], 100)])
    new = side(500, {DECODE: 50, LIBRARY: 100}, [([DECODE], 50), ([DECODE, LIBRARY], 100)])
    return Profile("performance trigger, worst cpu.per_message", sides={"legacy": legacy, "new": new})


def test_shares_are_of_each_sides_own_samples_and_the_largest_difference_is_first() -> None:
    rows = [(row.name, row.legacy, row.new) for row in by_function(a_profile())]
    assert rows == [(LIBRARY, 0.0, 0.2), (DECODE, 0.0, 0.1), ("legacy.gateio.parser:parse", 0.1, 0.0)]


def test_a_librarys_function_belongs_to_the_stage_that_called_it() -> None:
    found = {row.name: (row.legacy, row.new) for row in by_stage(a_profile())}
    assert found["decoding and routing"] == (0.1, pytest.approx(0.3))
    assert sum(new or 0.0 for _, new in found.values()) == pytest.approx(0.3)


def test_the_bottleneck_names_function_and_stage_and_needs_both_sides() -> None:
    said = bottleneck(a_profile())
    assert LIBRARY in said
    assert "by stage in decoding and routing (+20.0" in said
    assert bottleneck(None) == ""
    assert bottleneck(Profile(sides={"new": a_profile().sides["new"]})) == ""


def test_what_is_missing_is_said() -> None:
    assert "No profile" in explain(None)
    lost = Profile("a person", skipped="the venue died", missing={"new": "no command"})
    assert explain(lost) == "Asked for by a person. not taken: the venue died; no new: no command."
    assert functions(lost).rows == stacks(lost).rows == []


def test_the_page_shows_it_next_to_the_trigger_and_below(make_run: MakeRun) -> None:
    run = make_run("roll_back")
    hostile = "<script>alert(1)</script>:f"
    (run / "profile.json").write_text(json.dumps(record(hostile)))
    html = render(run).read_text("utf-8")
    assert "<script>" not in html
    trigger = html.partition("Rollback triggers</h2>")[2].partition("</table>")[0]
    assert "profile: new spends most more in &lt;script&gt;" in trigger
    assert "Functions, where new spends most more first" in html
    assert "Time in each stage of the pipeline" in html
    assert "profile: new spends most more" in (run / "report.md").read_text("utf-8")


def record(name: str) -> dict[str, Any]:
    """profile.json in which one function of new takes a tenth."""
    one = {"taken": 100, "every_s": 0.001}
    return {
        "schema": 1,
        "asked_by": "performance trigger",
        "sides": {
            "legacy": one | {"busy": 0, "functions": [], "stacks": []},
            "new": one
            | {"busy": 10, "functions": [{"name": name, "self": 10, "cumulative": 10}], "stacks": [[[name], 10]]},
        },
    }


def test_a_damaged_profile_is_a_problem_of_the_page_and_no_more(make_run: MakeRun) -> None:
    run = make_run("ship")
    (run / "profile.json").write_text('{"sides": 3}')
    damaged = load(run)
    assert damaged.profile is None
    assert [problem for problem in damaged.problems if problem.startswith("profile.json cannot be used")]
