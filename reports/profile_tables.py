"""The sampled profile as tables and a drawing: functions, stages, and the stacks seen most often."""

from __future__ import annotations

from typing import Final

from reports.plots import WIDTH
from reports.profile import busy, by_function, by_stage, signed
from reports.records import Profile
from reports.run_data import ReportInput
from reports.svg import LEGACY, MUTED, NEW, canvas, panel, to_svg
from reports.tables import Table
from reports.text import percent, shorten

__all__ = ["draw_stages", "explain", "functions", "stacks", "stages"]

SHOWN: Final = 15
STACKS_SHOWN: Final = 3
FRAMES_SHOWN: Final = 6
NAME_LENGTH: Final = 110
FUNCTIONS_HEAD: Final = ["Function", "Legacy", "New", "New - legacy", "Legacy with callees", "New with callees"]


def explain(profile: Profile | None) -> str:
    """Why there is a profile, what it rests on, and what is missing of it."""
    if profile is None:
        return "No profile: the performance trigger did not fire."
    taken = [
        f"{role} {side.taken} samples, busy in {percent(busy(profile, role), 1)}"
        for role, side in sorted(profile.sides.items())
    ]
    gone = [f"no {role}: {why}" for role, why in sorted(profile.missing.items())]
    failed = [f"not taken: {profile.skipped}"] if profile.skipped else []
    return f"Asked for by {profile.asked_by}. {'; '.join([*failed, *taken, *gone])}."


def functions(profile: Profile | None) -> Table:
    """Functions by how much more of the time new spends in them itself than legacy does."""
    rows = [
        [
            shorten(row.name, NAME_LENGTH),
            percent(row.legacy, 1),
            percent(row.new, 1),
            signed(row.more),
            percent(row.legacy_whole, 1),
            percent(row.new_whole, 1),
        ]
        for row in (by_function(profile)[:SHOWN] if profile else [])
    ]
    return Table("Functions, where new spends most more first", FUNCTIONS_HEAD, rows)


def stages(profile: Profile | None) -> Table:
    """The stages in the order in which a message passes them."""
    rows = [
        [row.name, percent(row.legacy, 1), percent(row.new, 1), signed(row.more)]
        for row in (by_stage(profile) if profile and profile.sides else [])
    ]
    return Table("Stages of the pipeline", ["Stage", "Legacy", "New", "New - legacy"], rows)


def stacks(profile: Profile | None) -> Table:
    """The stacks seen most often, the innermost functions of each."""
    rows = [
        [role, percent(seen / side.taken, 1), shorten(" < ".join(reversed(stack[-FRAMES_SHOWN:])), 600)]
        for role, side in sorted((profile.sides if profile else {}).items())
        for stack, seen in side.stacks[:STACKS_SHOWN]
        if side.taken > 0
    ]
    return Table("Stacks seen most often", ["Side", "Share", "Innermost function first"], rows)


def draw_stages(data: ReportInput) -> str | None:
    """Two bars a stage, legacy above new."""
    rows = by_stage(data.profile) if data.profile and data.profile.sides else []
    if not rows:
        return None
    figure = canvas(WIDTH, 34.0 * len(rows) + 40)
    axes = panel(figure, 160, 8, WIDTH - 180, 34.0 * len(rows))
    for offset, role, colour in ((-0.18, "legacy", LEGACY), (0.18, "new", NEW)):
        shares = [100 * (getattr(row, role) or 0.0) for row in rows]
        axes.barh([y + offset for y in range(len(rows))], shares, height=0.32, color=colour, linewidth=0)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("% of the time sampled; legacy above new", color=MUTED, fontsize=9)
    return to_svg(figure, "profile", "Time in each stage of the pipeline; the numbers are in the table of stages")
