"""The page of a rehearsal, made of its `rehearsal.json` alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reports.templates import page, write_whole

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["render"]

PRIVATE: Final = 0o600
WIDTH: Final = 720
LABEL: Final = 250
ROW: Final = 18
HEAD: Final = 24
SHADES: Final = {"legacy": "#9aa5b1", "new": "#2f7ed8"}
MARKS: Final = {"stage": "#555", "controller": "#b58900", "harm": "#c0392b", "trigger": "#c0392b", "back": "#1e8449"}


def render(folder: Path) -> Path:
    """Write rehearsal.html beside the record; returns its path."""
    record: dict[str, Any] = msgspec.json.decode((folder / "rehearsal.json").read_bytes())
    path = folder / "rehearsal.html"
    passed = all(check["ok"] for check in record["checks"])
    write_whole(path, page("rehearsal.html.jinja", record=record, passed=passed, served=draw(record)), PRIVATE)
    return path


def draw(record: dict[str, Any]) -> Markup:
    """Who served each unit when, a row for each, with the moments as lines."""
    from markupsafe import Markup, escape

    whole_s = max(record["fed_s"], 0.1)
    height = HEAD + ROW * len(record["served"])
    total = LABEL + WIDTH
    parts = [f'<svg viewBox="0 0 {total} {height}" role="img" aria-label="Who served each unit when">']
    for place, (unit, sides) in enumerate(record["served"].items()):
        y = HEAD + ROW * place
        parts.append(f'<text x="0" y="{y + 12}" font-size="11" fill="currentColor">{escape(unit)}</text>')
        for (start, side), (end, _) in zip(sides, [*sides[1:], (whole_s, "")], strict=True):
            left, right = scale(start, whole_s), scale(end, whole_s)
            title = f"<title>{escape(unit)}: {side} from {start:.2f} s</title>"
            box = f'x="{left:.1f}" y="{y + 2}" width="{max(right - left, 0.5):.1f}" height="{ROW - 5}"'
            parts.append(f'<rect {box} fill="{SHADES[side]}">{title}</rect>')
    for moment in record["moments"]:
        if moment["kind"] in MARKS:
            x = scale(moment["at_s"], whole_s)
            line = f'x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 10}" y2="{height}" stroke="{MARKS[moment["kind"]]}"'
            parts.append(f"<line {line}><title>{escape(moment['kind'])}: {escape(moment['says'])}</title></line>")
    return Markup("".join([*parts, "</svg>"]))


def scale(at_s: float, whole_s: float) -> float:
    return LABEL + WIDTH * min(max(at_s, 0.0), whole_s) / whole_s
