"""Small charts as SVG, written by hand: a page of them in milliseconds, in the colours of the other figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from reports.text import ratio
from reports.trends import Point, Trend

__all__ = ["draw_trend"]

WIDTH, HEIGHT = 260.0, 104.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 216.0, 10.0, 92.0
LEAST, MOST = 0.2, 5.0
LABEL_ROOM: Final = 10.0
Scale = tuple[float, float]


def draw_trend(trend: Trend) -> str:
    """New / legacy over sessions, oldest on the left, on a log axis with the 1.00 and 1.10 lines; outside strings are
    escaped by the XML writer."""
    newest = trend.points[-1]
    label = f"{trend.title}: new / legacy of {len(trend.points)} sessions, newest {ratio(newest.best)}"
    root = ElementTree.Element(
        "svg", {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "class": "spark", "role": "img", "aria-label": label}
    )
    scale = _scale(trend.points)
    _threshold_lines(root, scale)
    places = [(_across(number, len(trend.points)), point) for number, point in enumerate(trend.points)]
    used = [f"{x:.1f},{_height(point.best, scale):.1f}" for x, point in places if point.usable]
    if len(used) > 1:
        _add(root, "polyline", "fill:none;stroke:var(--new);stroke-width:1.2", points=" ".join(used))
    for x, point in places:
        _point(root, x, point, scale)
    y = min(max(_height(newest.best, scale), TOP + 4), BOTTOM)
    _text(root, RIGHT + 8, y + 3.5, ratio(newest.best), "fill:var(--new);font-weight:700")
    return ElementTree.tostring(root, encoding="unicode")


def _scale(points: Sequence[Point]) -> Scale:
    """Lowest and highest ln(ratio) of the axis: all best values and both lines are inside."""
    values = [math.log(_bounded(point.best)) for point in points]
    return min([*values, math.log(0.95)]) - 0.03, max([*values, math.log(1.15)]) + 0.03


def _bounded(value: float) -> float:
    return min(max(value, LEAST), MOST)


def _height(value: float, scale: Scale) -> float:
    low, high = scale
    share = (math.log(_bounded(value)) - low) / (high - low)
    return BOTTOM - (BOTTOM - TOP) * min(max(share, 0.0), 1.0)


def _across(number: int, points: int) -> float:
    return LEFT + 8 + (RIGHT - LEFT - 12) * (number / (points - 1) if points > 1 else 0.5)


def _threshold_lines(root: ElementTree.Element, scale: Scale) -> None:
    one, limit = _height(1.0, scale), _height(1.10, scale)
    _line(root, LEFT, one, RIGHT, one, "stroke:var(--ink);stroke-width:0.9")
    _line(root, LEFT, limit, RIGHT, limit, "stroke:var(--bad);stroke-width:0.9;stroke-dasharray:4 3")
    apart = max(0.0, LABEL_ROOM - (one - limit)) / 2
    _text(root, LEFT - 4, one + 3 + apart, "1.00", "fill:var(--ink);text-anchor:end")
    _text(root, LEFT - 4, limit + 3 - apart, "1.10", "fill:var(--bad);text-anchor:end")


def _point(root: ElementTree.Element, x: float, point: Point, scale: Scale) -> None:
    colour = "var(--new)" if point.usable else "var(--aa)"
    low, high = point.ratio.low, point.ratio.high
    if low is not None and high is not None and 0 < low <= high:
        _line(root, x, _height(low, scale), x, _height(high, scale), f"stroke:{colour};stroke-width:0.8;opacity:0.55")
    fill = colour if point.usable else "var(--surface)"
    style = f"fill:{fill};stroke:{colour};stroke-width:1"
    dot = _add(root, "circle", style, cx=f"{x:.1f}", cy=f"{_height(point.best, scale):.1f}", r="2.2")
    words = f"{point.when}: {ratio(point.best)}" + ("" if point.usable else " (NOT FIT)")
    ElementTree.SubElement(dot, "title").text = words


def _line(root: ElementTree.Element, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
    _add(root, "line", style, x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}")


def _text(root: ElementTree.Element, x: float, y: float, text: str, style: str) -> None:
    _add(root, "text", f"font-size:9px;font-family:var(--sans);{style}", x=f"{x:.1f}", y=f"{y:.1f}").text = text


def _add(root: ElementTree.Element, tag: str, style: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(root, tag, attributes | {"style": style})
