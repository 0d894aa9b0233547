"""Drawings of ratios; each returns SVG, or None where there is nothing to draw.

Widths are in SVG units and the same for all: the page scales them. Long series are thinned before they are drawn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from reports.run_data import ReportInput
from reports.series import Block, Forest
from reports.svg import AA, BAD, GOOD, GRID, INK, LEGACY, MUTED, NEW, WARN, canvas, head, line, panel, to_svg, upright
from reports.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ROLE_COLOURS", "WIDTH", "draw_forest", "draw_ratio", "mark_legs", "span_of", "thin"]

WIDTH: Final = 640.0
ROLE_COLOURS: Final = {"legacy": LEGACY, "new": NEW, "legacy2": AA, "aa": AA}
VERDICT_COLOURS: Final = {"PASS": GOOD, "REGRESSION": BAD, "HOLD": WARN}
FOREST_ROWS: Final = 48
MOST_POINTS: Final = 500
BAND_BLOCKS: Final = 15
BAND_Z: Final = 2.576
RATIO_TICKS: Final = (0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.21, 1.33, 1.5, 2.0)


def draw_forest(data: ReportInput) -> str | None:
    """Ratios with intervals, one row per metric, declared ones first."""
    rows = [row for row in data.analysis.forest if row.best is not None and row.best > 0]
    rows = sorted(rows, key=lambda row: row.declared is False)[:FOREST_ROWS]
    if not rows:
        return None
    left, right, step = 232.0, 118.0, 17.0
    height = step * len(rows)
    figure = canvas(WIDTH, height + 52)
    axes = panel(figure, left, 16, WIDTH - left - right, height)
    low, high = _ratio_axis(axes, rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    upright(axes, 0.0, color=INK, linewidth=1)
    upright(axes, math.log(1.10), color=BAD, linewidth=1, linestyle=(0, (4, 3)))
    for place, text, colour, side in ((0.02, "1.00", INK, "right"), (math.log(1.10) - 0.02, "1.10", BAD, "left")):
        axes.text(place, -0.75, text, ha=side, va="bottom", fontsize=8.5, color=colour)
    for y, row in enumerate(rows):
        _forest_row(axes, y, row, low, high)
    axes.set_xlabel("new / legacy", color=MUTED, fontsize=9)
    return to_svg(figure, "forest", f"Forest plot of {len(rows)} ratios; the numbers are in the table of metrics")


def _ratio_axis(axes: Axes, rows: list[Forest]) -> tuple[float, float]:
    ends = [value for row in rows for value in (row.low, row.best, row.high) if value is not None and value > 0]
    low = max(math.log(0.5), min([math.log(0.88), *(math.log(end) for end in ends)]) - 0.01)
    high = min(math.log(2.0), max([math.log(1.18), *(math.log(end) for end in ends)]) + 0.01)
    axes.set_xlim(low, high)
    ticks = [tick for tick in RATIO_TICKS if low <= math.log(tick) <= high]
    if high - low > math.log(1.8):
        ticks = [tick for tick in ticks if tick in (0.5, 0.67, 0.8, 1.0, 1.21, 1.5, 2.0)]
    axes.set_xticks([math.log(tick) for tick in ticks], [f"{tick:g}" for tick in ticks], fontsize=8.5)
    return low, high


def _forest_row(axes: Axes, y: int, row: Forest, low: float, high: float) -> None:
    from matplotlib.patches import Rectangle

    def at(value: float | None, missing: float) -> float:
        return missing if value is None or value <= 0 else min(max(math.log(value), low), high)

    if row.aa is not None and row.aa.low and row.aa.high:
        start, end = at(row.aa.low, low), at(row.aa.high, high)
        axes.add_patch(Rectangle((start, y - 0.36), end - start, 0.72, color=GRID, linewidth=0))
    best = row.best or 1.0
    centre = at(best, 0.0)
    colour = VERDICT_COLOURS.get(row.verdict, MUTED)
    line(axes, [at(row.low, centre), at(row.high, centre)], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    for value, edge, marker in ((row.low, low, "<"), (row.high, high, ">")):
        if value is not None and value > 0 and at(value, edge) == edge:
            line(axes, [edge], [y], marker, markersize=5, color=colour, clip_on=False)
    hollow = row.declared is False
    filling = "none" if hollow else colour
    line(axes, [centre], [y], "o", markersize=5, color=colour, markerfacecolor=filling)
    numbers = f"{best:.3f}"
    if row.low is not None and row.high is not None:
        numbers += f" [{row.low:.3f}, {row.high:.3f}]"
    name = shorten(row.id, 44)
    axes.annotate(
        name,
        (0, y),
        (-8, 0),
        ("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=8.5,
        color=MUTED if hollow else INK,
        annotation_clip=False,
    )
    axes.annotate(
        numbers,
        (1, y),
        (8, 0),
        ("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=colour,
        annotation_clip=False,
    )


def draw_ratio(data: ReportInput) -> str | None:
    """Block medians of the ratio against time, one panel per connection."""
    series = {name: _blocks(blocks) for name, blocks in data.analysis.blocks.items()}
    series = {name: blocks for name, blocks in series.items() if blocks}
    if not series:
        return None
    figure = canvas(WIDTH, 168 * len(series) + 24)
    span = span_of(data, [t for blocks in series.values() for _, t, _ in blocks])
    for number, (name, blocks) in enumerate(series.items()):
        axes = panel(figure, 52, 168 * number + 26, WIDTH - 66, 118)
        _ratio_panel(axes, blocks, span)
        mark_legs(axes, data)
        head(axes, shorten(name, 60), pad=14)
    axes.set_xlabel("seconds from the start", color=MUTED, fontsize=9)
    return to_svg(figure, "ratio", f"Ratio over time for {len(series)} connections")


def _blocks(blocks: list[Block]) -> list[tuple[str, float, float]]:
    return [(b.leg, b.t_s, max(-1.4, min(1.4, b.y))) for b in blocks if b.t_s is not None and b.y is not None]


def _ratio_panel(axes: Axes, blocks: list[tuple[str, float, float]], span: tuple[float, float]) -> None:
    values = [y for _, _, y in blocks]
    low, high = min(-0.13, *values), max(0.2, *values)
    axes.set_xlim(*span)
    axes.set_ylim(low - 0.02, high + 0.02)
    ticks = [tick for tick in (0.33, 0.5, 0.8, 0.9, 1.0, 1.1, 1.33, 2.0, 3.0) if low <= math.log(tick) <= high]
    if high - low > 0.8:
        ticks = [tick for tick in ticks if tick not in (0.9, 1.1)]
    axes.set_yticks([math.log(tick) for tick in ticks], [f"{tick:.2f}" for tick in ticks], fontsize=8.5)
    axes.axhline(0.0, color=INK, linewidth=0.9)
    axes.axhline(math.log(1.10), color=BAD, linewidth=0.9, linestyle=(0, (4, 3)))
    for leg in dict.fromkeys(leg for leg, _, _ in blocks):
        own = thin([(t, y) for name, t, y in blocks if name == leg])
        colour = NEW if leg.startswith("main") else AA
        axes.plot([t for t, _ in own], [y for _, y in own], "o", markersize=2.4, color=colour, alpha=0.6)
        times, means, widths = _band(own)
        axes.fill_between(
            times,
            [m - w for m, w in zip(means, widths, strict=True)],
            [m + w for m, w in zip(means, widths, strict=True)],
            color=colour,
            alpha=0.22,
            linewidth=0,
        )
        axes.plot(times, means, color=colour, linewidth=1.4)


def _band(points: list[tuple[float, float]]) -> tuple[list[float], list[float], list[float]]:
    """Centred mean over BAND_BLOCKS blocks and its half width z * s / sqrt(n), blocks taken as independent."""
    times, means, widths = [], [], []
    for place in range(len(points)):
        near = [y for _, y in points[max(0, place - BAND_BLOCKS // 2) : place + BAND_BLOCKS // 2 + 1]]
        if len(near) < 4:
            continue
        mean = sum(near) / len(near)
        spread = sum((y - mean) ** 2 for y in near) / (len(near) - 1)
        times.append(points[place][0])
        means.append(mean)
        widths.append(BAND_Z * math.sqrt(spread / len(near)))
    return times, means, widths


def mark_legs(axes: Axes, data: ReportInput) -> None:
    """Upright lines and names where legs begin, thin ones where phases do."""
    low, high = axes.get_xlim()
    seen: set[str] = set()
    last_label = -math.inf
    for phase in sorted(data.analysis.phases, key=lambda item: (item.begin_s is None, item.begin_s or 0.0)):
        begin = phase.begin_s
        if begin is None or not low <= begin <= high:
            continue
        first = phase.leg not in seen
        seen.add(phase.leg)
        upright(axes, begin, color=AA if first else GRID, linewidth=0.9 if first else 0.7)
        if first or (phase.leg.startswith("main") and begin - last_label > (high - low) * 0.09):
            text = phase.leg if first else phase.phase
            axes.annotate(
                shorten(text, 10),
                (begin, 1),
                (2, 2),
                ("data", "axes fraction"),
                textcoords="offset points",
                fontsize=7.5,
                color=MUTED,
                va="bottom",
            )
            last_label = begin


def thin(points: list[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` points: means of neighbouring ones in both coordinates."""
    size = math.ceil(len(points) / most)
    if size <= 1:
        return points
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(t for t, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def span_of(data: ReportInput, times: list[float]) -> tuple[float, float]:
    """First and last second of the figure: of `times` and of the phases; never empty."""
    edges = [edge for phase in data.analysis.phases for edge in (phase.begin_s, phase.end_s) if edge is not None]
    low, high = min(times + edges), max(times + edges)
    return (low, high) if high > low else (low - 1, high + 1)
