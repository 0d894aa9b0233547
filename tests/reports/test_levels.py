"""Drawings: slopes, thinning, and figures that follow their data."""

from __future__ import annotations

import re

import pytest

from reports.figures import draw_all
from reports.levels import slope_per_minute
from reports.plots import thin
from reports.records import Interval, Manifest, Session
from reports.run_data import ReportInput
from reports.series import Analysis, Block, Forest


def drawn(analysis: Analysis) -> dict[str, str | None]:
    data = ReportInput(session=Session(), analysis=analysis, manifest=Manifest())
    return {key: figure.svg for key, figure in draw_all(data).items()}


def test_slope_is_per_minute() -> None:
    assert slope_per_minute([(0.0, 10.0), (30.0, 25.0), (60.0, 40.0)]) == pytest.approx(30.0)
    assert slope_per_minute([(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]) is None


def test_thinning_keeps_the_mean_and_the_limit() -> None:
    points = [(float(k), float(k % 7)) for k in range(7_000)]
    kept = thin(points, 500)
    assert len(kept) == 500
    assert sum(y for _, y in kept) / 500 == pytest.approx(3.0, abs=0.01)
    assert thin(points[:500], 500) == points[:500]


def test_forest_prints_its_numbers_and_both_lines() -> None:
    row = Forest(id="latency.x", low=1.0712, best=1.0849, high=1.0985, verdict="PASS", aa=Interval(0.98, 1.0, 1.02))
    svg = drawn(Analysis(forest=[row]))["forest"]
    assert svg is not None
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "latency.x" in texts
    assert "1.085 [1.071, 1.099]" in texts or "1.085 [1.071, 1.098]" in texts
    assert {"1.00", "1.10"} <= set(texts)


def test_colours_come_from_the_page_so_that_dark_works() -> None:
    blocks = [Block(leg=leg, t_s=float(t), y=0.01 * t) for leg in ("aa1", "main") for t in range(20)]
    svg = drawn(Analysis(blocks={"c": blocks}))["ratio"]
    assert svg is not None
    assert "var(--new)" in svg
    assert "var(--aa)" in svg
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= {"#000000", "#ffffff"}


def test_nothing_to_draw_draws_nothing() -> None:
    assert set(drawn(Analysis()).values()) == {None}
    odd = Analysis(
        forest=[Forest(id="x", best=None)], blocks={"c": [Block(leg="main")]}, tails={"c": {"new": [[50.0]]}}
    )
    assert set(drawn(odd).values()) == {None}
