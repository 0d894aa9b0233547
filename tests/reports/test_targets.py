"""Targets: one line each in the checklist's order, both sides' figures, and never a pass without a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.records import Target
from reports.run_data import load
from reports.session import render
from reports.targets import missed, summary, target_rows

MakeRun = Callable[[str], Path]
Edit = Callable[[Path, Callable[[Any], None]], None]


@pytest.mark.checklist("5.1.13", "5.3.1", "5.3.4", "5.3.5", "5.3.8")
def test_limit_figures_and_verdict_of_each_line(make_run: MakeRun) -> None:
    rows = target_rows(load(make_run("ship")))
    assert [(row.id, *(cell.replace("\u202f", " ") for cell in row.cells)) for row in rows] == [
        ("1.1.15", "below 1 µs", "180.0 ns / 632.0 ns", "440.0 ns / 1.270 µs", "0.409", "met", "probe, n 400"),
        ("2.1.16", "below 5 µs", "not measured", "-", "-", "not judged", "foreign stack"),
        ("5.3.4", "as legacy", "12 / 38 blocks", "23 / 84 blocks", "0.522", "met", "probe, n 400"),
        ("5.3.5", "as legacy", "206 975 / 190 000 /s", "240 100 / 1 /s", "0.862", "not met", "probe, n 400"),
        ("5.3.8", "below 50 µs", "61.50 µs / 140.2 µs", "60.25 µs / 150.0 µs", "1.021", "not met", "probe, n 400"),
    ]
    assert missed(rows) == ["5.3.5 maximum rate, frame to callback", "5.3.8 MEXC orderbook processing"]
    assert summary(rows) == "2 met, 2 not met, 1 not judged"


@pytest.mark.parametrize("met", [True, False])
def test_without_a_figure_nothing_is_met(make_run: MakeRun, edit: Edit, met: bool) -> None:
    run = make_run("ship")
    edit(run / "verdict.json", lambda verdict: verdict["targets"][1].update(met=met))
    assert target_rows(load(run))[1].met == "not judged"


def test_page_and_markdown_hold_every_line_in_order(rendered: MakeRun) -> None:
    run = rendered("ship")
    page, text = (run / "report.html").read_text("utf-8"), (run / "report.md").read_text("utf-8")
    names = [target["what"] for target in json.loads((run / "verdict.json").read_text())["targets"]]
    for document in (page, text):
        places = [document.rindex(name) for name in names]
        assert places == sorted(places)
        assert document.count("not measured") == 1
        assert "2 met, 2 not met, 1 not judged" in document
    assert page.count(">foreign stack<") == 1


def test_a_name_from_outside_stays_text(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("ship")
    edit(run / "verdict.json", lambda verdict: verdict["targets"][1].update(why="<script>x</script>|`@all`"))
    assert "<script>x" not in render(run).read_text("utf-8")
    assert not any(part in (run / "report.md").read_text("utf-8") for part in ("<script>x", "@all", "|`"))


def test_a_run_without_targets_says_so(tmp_path: Path) -> None:
    page = render(tmp_path).read_text("utf-8")
    assert "Targets: no data" in page
    assert "**Targets**: no data" in (tmp_path / "report.md").read_text("utf-8")
    assert summary([]) == "no data"
    assert Target("1.1.1").met is None
