"""From a matplotlib figure to SVG that sits inside a page.

Colours are written as a light palette and exchanged for CSS variables, so that one figure serves light and dark; ids
that nothing refers to are dropped and the others get the figure's name in front, so that many figures share a page;
text stays text (`svg.fonttype: none`) and is escaped by the XML writer.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "AA",
    "BAD",
    "GOOD",
    "GRID",
    "INK",
    "LEGACY",
    "MUTED",
    "NEW",
    "WARN",
    "canvas",
    "head",
    "house_style",
    "line",
    "panel",
    "to_svg",
    "upright",
]

INK: Final = "#1c2430"
MUTED: Final = "#5d6877"
GRID: Final = "#dde2e8"
LEGACY: Final = "#4269a8"
NEW: Final = "#c2581c"
AA: Final = "#9aa4b1"
GOOD: Final = "#1d7a46"
BAD: Final = "#b3261e"
WARN: Final = "#9a6700"
VARIABLES: Final = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    LEGACY: "legacy",
    NEW: "new",
    AA: "aa",
    GOOD: "good",
    BAD: "bad",
    WARN: "warn",
}
SVG: Final = "http://www.w3.org/2000/svg"
XLINK: Final = "{http://www.w3.org/1999/xlink}href"
RC: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ws-shadow",
    # Names from outside may hold dollar signs: never read as formulas.
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
}
COLOUR: Final = re.compile("|".join(map(re.escape, VARIABLES)), re.IGNORECASE)
FONT: Final = re.compile(r"'DejaVu Sans'[^;]*")
REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")


@contextmanager
def house_style() -> Iterator[None]:
    """Inside, figures are drawn and written in the report's style; nothing of the caller's settings stays in force."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        for key, value in RC.items():
            matplotlib.rcParams[key] = value
        # A character that the font lacks is drawn by the reader's own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def canvas(width: float, height: float) -> Figure:
    """An empty transparent figure; sizes in SVG units (points)."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in SVG units from the upper left corner, in the house style."""
    total_w, total_h = figure.get_size_inches() * 72
    axes = figure.add_axes((left / total_w, 1 - (top + height) / total_h, width / total_w, height / total_h))
    axes.patch.set_visible(False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=MUTED, labelcolor=MUTED, labelsize=8.5, length=3, width=0.8)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def head(axes: Axes, text: str, pad: float | None = None) -> None:
    """The title of axes whose ticks have words of their own: its place is known, where it is one line."""
    # Else matplotlib lays out all tick labels to see whether the title has to make way for a common offset of theirs.
    place = None if "\n" in text else 1.0
    axes.set_title(text, loc="left", fontsize=9.5, color=INK, pad=pad, y=place)


def line(axes: Axes, xs: Sequence[float], ys: Sequence[float], marker: str = "", **style: Any) -> None:
    """A line, or marks without one, on axes whose limits are set: unlike `Axes.plot` it does not look for new ones."""
    from matplotlib.lines import Line2D

    if marker:
        style |= {"marker": marker, "linestyle": "none"}
    axes.add_artist(Line2D(xs, ys, **style))


def upright(axes: Axes, x: float, **style: Any) -> None:
    """A line from the bottom of the axes to the top, where their limits are set, as `line`."""
    line(axes, [x, x], [0, 1], transform=axes.get_xaxis_transform(which="grid"), **style)


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as one `<svg role="img">` element; `name` prefixes its ids, `label` is read out by screen readers."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _fit(ElementTree.fromstring(buffer.getvalue()), name, label)


def _fit(root: ElementTree.Element, name: str, label: str) -> str:
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    used = _references(root)
    for element in root.iter():
        _rewrite(element, name, used)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", label)
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _references(root: ElementTree.Element) -> set[str]:
    found = {element.get(XLINK, "#")[1:] for element in root.iter()}
    for element in root.iter():
        for value in element.attrib.values():
            found.update(REFERENCE.findall(value))
    return found


def _rewrite(element: ElementTree.Element, name: str, used: set[str]) -> None:
    identity = element.attrib.pop("id", None)
    if identity in used:
        element.set("id", f"{name}-{identity}")
    link = element.attrib.pop(XLINK, None)
    if link is not None:
        element.set("href", f"#{name}-{link[1:]}")
    for key, value in list(element.attrib.items()):
        if "url(#" in value:
            element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", value))
    style = element.get("style")
    if style is not None:
        style = COLOUR.sub(lambda found: f"var(--{VARIABLES[found[0].lower()]})", style)
        element.set("style", FONT.sub("var(--sans)", style))
