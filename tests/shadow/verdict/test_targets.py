"""Targets: figures from the right place and in the right unit, met by the right rule, or else a reason."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from shadow.capture.probe_file import Probe
from shadow.verdict.checklist import Target, load_checklist
from shadow.verdict.targets import TargetData, target_lines

SECTIONS = ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "5.3")
LINES = tomllib.loads((Path(__file__).parents[2] / "checklist.toml").read_text())
# Lines of these sections that give a figure or ask for a comparison.
WORDS = (" under ", "attempts follow", "compared", "configurable", "as before", "at most as", "or better")
FRAME = Target("5.3.8", "book", "us", "probe", 50.0, figure="process.mexc.book", minimum=3)
RATE = Target("5.3.5", "rate", "1/s", "probe", direction="above", figure="burst.mexc", minimum=3)


def line(target: Target, new: dict[str, list[int]], legacy: dict[str, list[int]] | None = None) -> dict[str, Any]:
    figures = {"new": new} | ({"legacy": legacy} if legacy is not None else {})
    missing = {} if legacy is not None else {"legacy": "foreign stack"}
    (found,) = target_lines([target], TargetData(Probe(figures=figures, missing=missing)), 1.10)
    return found


@pytest.mark.checklist("5.1.13")
def test_every_target_of_the_checklist_has_a_line_in_its_order() -> None:
    listed = [target["id"] for target in target_lines(load_checklist().target, TargetData(Probe()), 1.10)]
    asked = {
        f"{section}.{number}"
        for section in SECTIONS
        for number, words in LINES[section].items()
        if any(word in words for word in WORDS) and (section, number) not in {("1.1", "13"), ("1.1", "10")}
    }
    assert len(asked) > 30
    assert asked <= set(listed)
    assert listed == sorted(listed, key=lambda name: [int(part) for part in name.split(".")])


@pytest.mark.parametrize(("median_ns", "met"), [(50_000, True), (50_001, False)])
def test_a_limit_is_met_by_the_p50_of_new_alone(median_ns: int, met: bool) -> None:
    found = line(FRAME, {"process.mexc.book": [1, median_ns, 900_000]}, {"process.mexc.book": [1, 2, 3]})
    assert (found["p50"], found["met"], found["n"], found["why"]) == (median_ns / 1000, met, 3, "")
    assert found["p99"] == pytest.approx(883, rel=0.01)
    assert found["legacy_p50"] == 0.002


@pytest.mark.parametrize(
    ("target", "values", "of_legacy", "met"),
    [
        (Target("5.3.1", "x", "us", "probe", figure="p", minimum=3), [109] * 3, [100] * 3, True),
        (Target("5.3.1", "x", "us", "probe", figure="p", minimum=3), [111] * 3, [100] * 3, False),
        (Target("5.3.5", "x", "1/s", "probe", direction="above", figure="p", minimum=3), [109] * 3, [100] * 3, True),
        (Target("5.3.5", "x", "1/s", "probe", direction="above", figure="p", minimum=3), [111] * 3, [100] * 3, False),
    ],
)
def test_without_a_limit_new_may_be_a_tenth_worse(
    target: Target, values: list[int], of_legacy: list[int], met: bool
) -> None:
    assert line(target, {"p": values}, {"p": of_legacy})["met"] is met


def test_a_comparison_is_the_median_of_pairs_taken_in_turn() -> None:
    """A slow spell may reach the median of one side alone; the ratio of the medians would be 2 / 9 here."""
    found = line(RATE, {"burst.mexc": [100, 900, 900]}, {"burst.mexc": [200, 200, 1800]})
    assert (found["p50"], found["legacy_p50"]) == pytest.approx((1e9 / 900, 1e9 / 200), rel=1e-5)
    assert (found["ratio"], found["met"]) == (2.0, True)


def test_protobuf_to_json_is_compared_side_by_side() -> None:
    target = Target("3.1.18", "x", "ratio", "probe", figure="process.mexc.book", over="process.gateio.book", minimum=2)
    new = {"process.mexc.book": [60, 60], "process.gateio.book": [40, 40]}
    legacy = {"process.mexc.book": [60, 60], "process.gateio.book": [60, 60]}
    found = line(target, new, legacy)
    assert (found["p50"], found["legacy_p50"], found["ratio"], found["met"]) == (1.5, 1.0, 1.5, False)
    assert line(target, {**new, "process.gateio.book": [40]}, legacy)["why"] == "too few: 1 of 2"


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        (Probe(skipped="session shorter than 20 s"), "session shorter than 20 s"),
        (Probe(missing={"new": "foreign stack"}, figures={"legacy": {"template": [1] * 3}}), "foreign stack"),
        (Probe(figures={"new": {"process.mexc.book": [1] * 3}}), "this stack has no such layer"),
        (Probe(figures={"new": {"template": [1, 2]}}), "too few: 2 of 3"),
    ],
)
def test_what_was_not_measured_is_no_pass_and_says_why(probe: Probe, why: str) -> None:
    target = Target("2.1.16", "template", "us", "probe", 5.0, figure="template", minimum=3)
    (found,) = target_lines([target], TargetData(probe), 1.10)
    assert (found["p50"], found["p99"], found["met"], found["why"]) == (None, None, None, why)


def test_a_comparison_with_a_foreign_legacy_is_not_judged_but_a_limit_is() -> None:
    new = {"process.mexc.book": [1] * 3, "burst.mexc": [1] * 3}
    assert line(FRAME, new)["met"] is True
    compared = line(RATE, new)
    assert (compared["met"], compared["why"], compared["p50"]) == (None, "legacy: foreign stack", 1e9)


def test_lines_without_a_source_in_this_session_say_so() -> None:
    lines = target_lines(load_checklist().target, TargetData(Probe(skipped="no probe")), 1.10)
    assert all(one["met"] is None and one["why"] for one in lines)
    why = {one["what"]: one["why"] for one in lines}
    assert why["MEXC reconnection"] == "no connect leg of mexc.spot.public in this session"
    assert why["memory level"] == "no figure in this session"
    assert why["reconnection attempts follow the exchange's policy"] == "a behaviour without a figure; tests prove it"
