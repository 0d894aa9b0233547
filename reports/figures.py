"""The figures of a page: each with a title, a caption and its SVG, or without SVG where there is no data."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from reports.levels import draw_resources, draw_tails
from reports.outages import draw_timeline
from reports.plots import draw_forest, draw_ratio
from reports.profile_tables import draw_stages
from reports.run_data import ReportInput
from reports.svg import house_style

__all__ = ["Figure", "draw_all"]


class Figure(msgspec.Struct, frozen=True):
    """A figure of the page; `svg` is None where the run gives nothing to draw."""

    key: str
    letter: str
    title: str
    caption: str
    svg: str | None


Drawer = Callable[[ReportInput], str | None]

PLAN: tuple[tuple[str, str, str, str, Drawer], ...] = (
    (
        "forest",
        "a",
        "All ratios",
        "New / legacy with its interval. The lines stand at 1.00 and at 1.10, the threshold; grey is legacy against "
        "legacy (A/A). Filled: declared before the run; hollow: shown, not judged; arrows run beyond the axis (log).",
        draw_forest,
    ),
    (
        "ratio",
        "b",
        "Ratio over time",
        "Median ratio of each block (dots) and the mean of 15 neighbouring blocks with its 99 % band; grey is A/A. "
        "Upright lines are changes of leg.",
        draw_ratio,
    ),
    (
        "tails",
        "c",
        "Tail latency, wire to callback",
        "Latency at each percentile; the axis stretches towards the tail. Grey is the second legacy of the A/A legs.",
        draw_tails,
    ),
    (
        "timeline",
        "e",
        "Connections",
        "A bar is the time from a close until the connection was back: red where the subject closed (own), "
        "amber where the venue did by fault or of itself (shared), grey where it was planned, as in the connect leg.",
        draw_timeline,
    ),
    (
        "resources",
        "f",
        "Memory and CPU",
        "Unique set size and CPU share (100 % = one core) of all the stack's processes. The slope is a straight line "
        "through the main leg after its warm-up; below ten minutes it is shown, not judged.",
        draw_resources,
    ),
    (
        "profile",
        "f",
        "Where the time goes",
        "Share of the time that each stage of the pipeline takes, sampled behind the session while both sides got the "
        "same bursts. A profile explains a trigger; it decides nothing.",
        draw_stages,
    ),
)


def draw_all(data: ReportInput) -> dict[str, Figure]:
    """All figures by key, in the order of the page."""
    with house_style():
        return {
            key: Figure(key=key, letter=letter, title=title, caption=caption, svg=draw(data))
            for key, letter, title, caption, draw in PLAN
        }
