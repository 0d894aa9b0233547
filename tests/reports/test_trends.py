"""Sessions of one set-up are drawn together, and the rule points out what it says and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reports.history import read_sessions
from reports.records import Interval
from reports.sparks import draw_trend
from reports.trends import Point, Trend, pointed_out, set_ups

Edit = Callable[[Path, Callable[[Any], None]], None]
MakeHistory = Callable[..., Path]
FIVE = [0.60, 0.58, 0.62, 0.61, 0.59]
LATENCY = "gateio.spot.public: typical latency"


@pytest.mark.parametrize(
    ("ratios", "speaks"),
    [
        ([*FIVE, 0.66, 0.68, 0.67], True),
        ([*FIVE[1:], 0.66, 0.68, 0.67], False),
        ([*FIVE, 0.66, 0.68, 0.61], False),
        ([*FIVE, 0.625, 0.628, 0.626], False),
        ([0.9, *FIVE, *FIVE, 0.66, 0.68, 0.67], True),
        ([0.9, *FIVE, *FIVE[1:], 0.66, 0.68, 0.67], False),
        ([*FIVE, 0.50, 0.51, 0.52], False),
        ([0.66, 0.68, 0.67], False),
        ([], False),
    ],
)
def test_the_rule_is_the_one_that_the_page_states(ratios: list[float], speaks: bool) -> None:
    """Three last above each of five to ten before, and more than 5 % above their median."""
    assert bool(pointed_out(ratios)) == speaks


def test_the_rule_gives_its_figures() -> None:
    assert pointed_out([*FIVE, 0.66, 0.72, 0.69]) == (
        "each of the last 3 sessions (0.660 to 0.720) lies above all 5 before (0.580 to 0.620); median +15%"
    )


def test_a_slowed_latency_is_pointed_out_and_nothing_else(make_history: MakeHistory) -> None:
    [group] = set_ups(read_sessions([make_history([*FIVE, 0.66, 0.72, 0.69])]))
    assert group.sessions == 8
    assert [sentence.partition(": each")[0] for sentence in group.said] == [LATENCY]
    trends = {trend.title: trend for trend in group.trends}
    assert [point.best for point in trends[LATENCY].points] == [*FIVE, 0.66, 0.72, 0.69]
    assert set(trends) == {
        LATENCY, "mexc.spot.public: typical latency", "gateio.spot.public: service time",
        "mexc.spot.public: service time", "memory level",
    }  # fmt: skip
    assert trends["memory level"].newest == "new 42.00\u202fMiB, 21.00\u202fMiB per connection"


@pytest.mark.parametrize(
    "change",
    [
        {"rate": 700},
        {"duration_s": 66.0},
        {"connections": ["gateio.spot.public"]},
        {"faults": ["close@gateio.spot.public"]},
        {"commands": {"new": "./mine"}},
        {"options": {"new": {"door": "direct"}}},
        {"time_scale": 1440.0},
    ],
)
def test_another_set_up_is_another_trend(make_history: MakeHistory, edit: Edit, change: dict[str, Any]) -> None:
    runs = make_history([0.6] * 4)
    for run in sorted(runs.iterdir())[:2]:
        edit(run / "session.json", lambda session: session.update(change))
    groups = set_ups(read_sessions([runs]))
    assert [group.sessions for group in groups] == [2, 2]


def test_seeds_versions_and_machines_may_differ(make_history: MakeHistory, edit: Edit) -> None:
    runs = make_history([0.6] * 3)
    first = min(runs.iterdir())
    edit(first / "session.json", lambda session: session.update(seed=9, versions={"ws-shadow": "9"}, machine={}))
    assert [group.sessions for group in set_ups(read_sessions([runs]))] == [3]


def test_a_session_that_could_not_judge_is_hollow_and_left_out_of_the_rule(
    make_history: MakeHistory, edit: Edit
) -> None:
    runs = make_history([*FIVE, 0.66, 0.72, 0.69])
    last = max(runs.iterdir())
    edit(last / "verdict.json", lambda verdict: verdict.update(verdict="NOT_FIT"))
    [group] = set_ups(read_sessions([runs]))
    assert group.said == []
    drawn = ElementTree.fromstring(draw_trend(group.trends[0]))
    fills = [dot.get("style", "").partition(";")[0] for dot in drawn.iter("circle")]
    assert fills == ["fill:var(--new)"] * 7 + ["fill:var(--surface)"]


@pytest.mark.parametrize("manifest", [{"complete": False}, {"interrupted": "SIGINT"}])
def test_an_interrupted_session_is_not_drawn(make_history: MakeHistory, edit: Edit, manifest: dict[str, Any]) -> None:
    runs = make_history([0.6] * 3)
    edit(min(runs.iterdir()) / "manifest.json", lambda content: content.update(manifest))
    assert [group.sessions for group in set_ups(read_sessions([runs]))] == [2]


def test_one_session_makes_no_trend(make_history: MakeHistory) -> None:
    assert set_ups(read_sessions([make_history([0.6])])) == []


@pytest.mark.parametrize("bests", [[1.0, 1.0], [0.57, 0.6, 1.31], [1e-9, 1e12], [0.99, 1.11]])
def test_all_that_is_drawn_lies_inside_and_the_lines_in_their_order(bests: list[float]) -> None:
    points = [Point("then", Interval(best / 9, best, best * 9), best, True) for best in bests]
    drawn = ElementTree.fromstring(draw_trend(Trend("a", points, "", "")))
    for element in drawn.iter():
        for name in ("x1", "x2", "cx", "x"):
            assert 0 <= float(element.get(name, 0)) <= 260
        for name in ("y1", "y2", "cy", "y"):
            assert 0 <= float(element.get(name, 0)) <= 104
    one, limit = (float(line.get("y1", 0)) for line in list(drawn.iter("line"))[:2])
    assert one - limit > 2
    labels = {text.text: float(text.get("y", 0)) for text in drawn.iter("text")}
    assert labels["1.00"] - labels["1.10"] >= 9.9
    heights = [float(dot.get("cy", 0)) for dot in drawn.iter("circle")]
    assert heights == sorted(heights, reverse=True)
