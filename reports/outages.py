"""The connection timeline: outages by who caused them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from reports.plots import WIDTH, mark_legs
from reports.run_data import ReportInput
from reports.series import Analysis, Moment, Phase
from reports.svg import AA, BAD, INK, MUTED, WARN, canvas, line, panel, to_svg
from reports.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Outage", "draw_timeline", "outages"]

KIND_COLOURS: Final = {"own": BAD, "shared": WARN, "planned": AA}
MOST_LANES: Final = 24


class Outage(msgspec.Struct, frozen=True):
    """From a close until the connection was back; `end_s` is None where none came."""

    role: str
    connection: str
    leg: str
    begin_s: float
    end_s: float | None
    kind: str
    cause: str


def kind_of(cause: str) -> str:
    """Who caused a close: `own` (the subject), `planned` (the session's script) or `shared` (venue or fault)."""
    if cause in ("planned", "connect-leg", "stop"):
        return "planned"
    return "own" if cause in ("client", "idle") else "shared"


def outages(analysis: Analysis) -> list[Outage]:
    """Outages in order of time.

    They end with the next confirmed subscription, or with the next open where the timeline leaves subscriptions out.
    Closes that end a leg, by the session's stop or after its last measured phase, are none, nor is the close of a
    socket beside which another one is open.
    """
    back = "subscribed" if any(moment.event == "subscribed" for moment in analysis.timeline) else "open"
    ends = leg_ends(analysis.phases)
    found: list[Outage] = []
    open_since: dict[tuple[str, str, str], Moment] = {}
    sockets: dict[tuple[str, str, str], set[int]] = {}
    for moment in sorted(analysis.timeline, key=lambda item: (item.t_s is None, item.t_s or 0.0)):
        lane = (moment.role, moment.connection, moment.leg)
        if moment.t_s is None:
            continue
        beside = sockets.setdefault(lane, set())
        if moment.event == "open":
            beside.add(moment.conn_no)
        elif moment.event == "close":
            beside.discard(moment.conn_no)
        if moment.event == "close" and moment.cause != "stop" and not beside:
            open_since.setdefault(lane, moment)
        elif moment.event == back and lane in open_since:
            found.append(_outage(open_since.pop(lane), moment.t_s))
    lasting = (moment for moment in open_since.values() if (moment.t_s or 0.0) < ends.get(moment.leg, math.inf))
    found.extend(_outage(moment, None) for moment in lasting)
    return sorted(found, key=lambda outage: (outage.begin_s, outage.role, outage.connection))


def leg_ends(phases: list[Phase]) -> dict[str, float]:
    """Second at which each leg's last measured phase ended."""
    ends: dict[str, float] = {}
    for phase in phases:
        if phase.end_s is not None and phase.phase != "drain":
            ends[phase.leg] = max(phase.end_s, ends.get(phase.leg, phase.end_s))
    return ends


def _outage(close: Moment, end_s: float | None) -> Outage:
    cause = close.cause or "unknown"
    return Outage(
        role=close.role,
        connection=close.connection,
        leg=close.leg,
        begin_s=close.t_s or 0.0,
        end_s=end_s,
        kind=kind_of(cause),
        cause=cause,
    )


def draw_timeline(data: ReportInput) -> str | None:
    """One lane per connection and role; a thin line while it was seen, bars for outages."""
    seen = [moment for moment in data.analysis.timeline if moment.t_s is not None]
    lanes = sorted({(moment.connection, moment.role) for moment in seen})[:MOST_LANES]
    if not lanes:
        return None
    left, step = 190.0, 22.0
    figure = canvas(WIDTH, step * len(lanes) + 78)
    axes = panel(figure, left, 26, WIDTH - left - 14, step * len(lanes))
    axes.grid(visible=False)
    edges = [moment.t_s or 0.0 for moment in seen]
    edges += [edge for phase in data.analysis.phases for edge in (phase.begin_s, phase.end_s) if edge is not None]
    end = max(edges) if max(edges) > min(edges) else min(edges) + 1
    axes.set_xlim(min(edges), end)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_yticks(range(len(lanes)), [shorten(f"{name} · {role}", 34) for name, role in lanes], fontsize=8.5)
    axes.tick_params(axis="x", labelsize=8.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    mark_legs(axes, data)
    _draw_lanes(axes, lanes, seen, outages(data.analysis), leg_ends(data.analysis.phases))
    axes.set_xlabel("seconds from the start", color=MUTED, fontsize=9)
    return to_svg(figure, "timeline", f"Outages of {len(lanes)} connections; counted in the table below")


def _draw_lanes(
    axes: Axes, lanes: list[tuple[str, str]], seen: list[Moment], broken: list[Outage], ends: dict[str, float]
) -> None:
    for y, (name, role) in enumerate(lanes):
        own = [moment for moment in seen if (moment.connection, moment.role) == (name, role)]
        for leg in dict.fromkeys(moment.leg for moment in own):
            times = [moment.t_s or 0.0 for moment in own if moment.leg == leg]
            line(axes, [min(times), max(times)], [y, y], color=AA, linewidth=1.2, alpha=0.6)
        for outage in broken:
            if (outage.connection, outage.role) == (name, role):
                until = ends.get(outage.leg, axes.get_xlim()[1]) if outage.end_s is None else outage.end_s
                colour = KIND_COLOURS[outage.kind]
                line(axes, [outage.begin_s, until], [y, y], color=colour, linewidth=9, solid_capstyle="butt")
                line(axes, [outage.begin_s], [y], "|", color=colour, markersize=9, markeredgewidth=1.4)
