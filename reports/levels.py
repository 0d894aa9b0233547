"""Drawings of tails, memory and CPU; each returns SVG, or None where there is nothing to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from reports.plots import ROLE_COLOURS, WIDTH, mark_legs, span_of, thin
from reports.run_data import ReportInput
from reports.series import Usage
from reports.svg import INK, MUTED, canvas, head, panel, to_svg
from reports.text import quantity, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_resources", "draw_tails", "slope_per_minute"]

NINES: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
USAGE_POINTS: Final = 160


def draw_tails(data: ReportInput) -> str | None:
    """Latency against percentile on an axis that stretches towards the tail."""
    panels = {name: _curves(sides) for name, sides in data.analysis.tails.items()}
    panels = {name: curves for name, curves in panels.items() if curves}
    if not panels:
        return None
    figure = canvas(WIDTH, 210 * len(panels) + 22)
    for number, (name, curves) in enumerate(panels.items()):
        axes = panel(figure, 62, 210 * number + 26, WIDTH - 76, 160)
        head(axes, shorten(name, 60))
        axes.set_yscale("log")
        for side in sorted(curves, key=lambda side: side != "aa"):
            axes.plot(
                [_nines(p) for p, _ in curves[side]],
                [ns for _, ns in curves[side]],
                linewidth=1.7,
                color=ROLE_COLOURS.get(side, MUTED),
                label=side,
            )
        _tail_axes(axes, [point for curve in curves.values() for point in curve])
        _legend(axes, loc="upper left")
    axes.set_xlabel("percentile", color=MUTED, fontsize=9)
    return to_svg(figure, "tails", f"Tail latency of both stacks for {len(panels)} connections")


def _curves(sides: dict[str, list[list[float | None]] | None]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for side, points in sides.items():
        curve = [
            (p[0], p[1]) for p in points or [] if len(p) >= 2 and p[0] is not None and p[1] is not None and p[1] > 0
        ]
        curve = [(p, ns) for p, ns in curve if 0 <= p < 100]
        if curve:
            found[side] = thin(sorted(curve))
    return found


def _nines(percentile: float) -> float:
    return -math.log10(1 - percentile / 100)


def _tail_axes(axes: Axes, points: list[tuple[float, float]]) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    last = max(p for p, _ in points)
    first = min(p for p, _ in points)
    ticks = [nine for nine in NINES if first <= nine <= last] or [first]
    axes.set_xticks([_nines(tick) for tick in ticks], [f"{tick:g}" for tick in ticks], fontsize=8.5)
    low, high = min(ns for _, ns in points) * 0.9, max(ns for _, ns in points) * 1.1
    steps = [digit * 10.0**power for power in range(13) for digit in (1, 2, 5)]
    marks = [step for step in steps if low <= step <= high]
    while len(marks) > 7:
        marks = marks[::2]
    axes.set_ylim(low, high)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(marks, [_short(mark) for mark in marks], fontsize=8.5)


def _short(ns: float) -> str:
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns:g} ns"


def _legend(axes: Axes, **place: Any) -> None:
    axes.legend(frameon=False, fontsize=8.5, labelcolor=MUTED, handlelength=1.4, **place)


def draw_resources(data: ReportInput) -> str | None:
    """Unique set size and CPU share against time for each role."""
    roles = {role: [u for u in usage if u.t_s is not None] for role, usage in data.analysis.resources.items()}
    roles = {role: usage for role, usage in roles.items() if usage}
    if not roles:
        return None
    figure = canvas(WIDTH, 354)
    span = span_of(data, [u.t_s for usage in roles.values() for u in usage if u.t_s is not None])
    memory, cpu = panel(figure, 62, 30, WIDTH - 76, 112), panel(figure, 62, 204, WIDTH - 76, 112)
    warm = max((p.end_s or 0.0 for p in data.analysis.phases if (p.leg, p.phase) == ("main", "warm-up")), default=0.0)
    for role in sorted(roles, key=lambda role: role != "legacy2"):
        _usage_lines(memory, cpu, role, roles[role], warm)
    for axes, title in ((memory, "unique set size, MiB"), (cpu, "CPU share, %")):
        axes.set_xlim(*span)
        mark_legs(axes, data)
        axes.set_title(title, loc="left", fontsize=9.5, color=INK, pad=14)
        axes.tick_params(labelsize=8.5)
        _legend(axes, loc="lower right", bbox_to_anchor=(1.01, 1.08), ncols=3)
    cpu.set_ylim(bottom=0)
    cpu.set_xlabel("seconds from the start", color=MUTED, fontsize=9)
    return to_svg(figure, "resources", "Memory and CPU of the subjects over time")


def _usage_lines(memory: Axes, cpu: Axes, role: str, usage: list[Usage], warm: float) -> None:
    colour = ROLE_COLOURS.get(role, MUTED)
    for leg in dict.fromkeys(u.leg for u in usage):
        own = [u for u in usage if u.leg == leg]
        for axes, points in (
            (memory, [(u.t_s, u.uss / 2**20) for u in own if u.t_s is not None and u.uss is not None]),
            (cpu, [(u.t_s, u.cpu_share * 100) for u in own if u.t_s is not None and u.cpu_share is not None]),
        ):
            kept = thin(points, USAGE_POINTS)
            axes.plot([t for t, _ in kept], [y for _, y in kept], color=colour, linewidth=1.3)
    main = [(u.t_s, u.uss) for u in usage if u.leg == "main" and u.t_s is not None and u.uss is not None]
    slope = slope_per_minute([(t, uss) for t, uss in main if t >= warm])
    text = shorten(role, 16) if slope is None else f"{shorten(role, 16)} ({quantity(slope, 'bytes')}/min)"
    memory.plot([], [], color=colour, label=text)
    cpu.plot([], [], color=colour, label=shorten(role, 16))


def slope_per_minute(points: Sequence[tuple[float, float]]) -> float | None:
    """Least squares slope of (seconds, value) points per minute; None below three points or without a spread."""
    if len(points) < 3:
        return None
    centre = sum(t for t, _ in points) / len(points)
    level = sum(y for _, y in points) / len(points)
    spread = sum((t - centre) ** 2 for t, _ in points)
    return sum((t - centre) * (y - level) for t, y in points) / spread * 60 if spread > 0 else None
