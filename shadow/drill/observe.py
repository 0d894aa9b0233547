"""Reads the lines of one session's run: what struck, what the judge says of each connection alone, and how soon."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from shadow.drill.bounds import first_blocks, functionality_s, memory_s, speaks_early, stability_s
from shadow.drill.cells import Cell
from shadow.drill.plan import Drill, DrillSession
from shadow.drill.view import Judged, RunView, judge_view
from shadow.subjects.sabotage import EVERY
from shadow.verdict.facts import GRAVE

__all__ = ["observe"]

NEW: Final = "new"


def observe(folder: Path, session: DrillSession) -> list[Cell]:
    """The lines of a session that was run into `folder`; RunError where its data cannot be read."""
    return [cell_of(RunView(folder, drill.connection), drill, session) for drill in session.drills]


def cell_of(view: RunView, drill: Drill, session: DrillSession) -> Cell:
    """What the judge says to one drill."""
    judged = judge_view(view)
    strikes = struck(view, drill, session)
    delay, bound, unit = delay_of(view, judged, drill, strikes)
    assessment = judged.assessment
    return Cell(
        drill=drill,
        happened=len(strikes),
        verdict=assessment.outcome,
        reason=assessment.reason,
        decided_by=(assessment.decided_by or "") if assessment.outcome == "ROLL_BACK" else "",
        fired=tuple(line.id for line in assessment.triggers if line.verdict == "REGRESSION"),
        codes=codes(judged, (NEW, "both")),
        strangers=codes(judged, ("legacy", "both")),
        delay=delay,
        bound=bound,
        unit=unit,
        early=drill.trigger == "functionality" and bool(strikes) and speaks_early(view, strikes[0]),
    )


def codes(judged: Judged, sides: tuple[str, ...]) -> dict[str, int]:
    """Grave differences of some sides in the main leg, by code."""
    main = judged.collected.diffs.get("main")
    found: Counter[str] = Counter()
    for one in main.differences if main else ():
        if one.side in sides and one.severity in GRAVE:
            found[one.code] += one.count
    return dict(sorted(found.items()))


def delay_of(view: RunView, judged: Judged, drill: Drill, strikes: list[int]) -> tuple[float | None, float | None, str]:
    """How late the judge's rule could speak, its bound, and their unit."""
    bound = drill.bound_s
    if drill.trigger == "performance":
        return *first_blocks(judged), "blocks"
    if bound is None or not strikes:
        return None, bound, "s"
    if drill.trigger == "memory":
        return memory_s(judged, bound), bound, "s"
    if drill.trigger == "stability":
        return stability_s(judged, strikes[0], bound), bound, "s"
    return functionality_s(view, strikes[0], bound), bound, "s"


def struck(view: RunView, drill: Drill, session: DrillSession) -> list[int]:
    """When it happened, by whoever did it: the saboteur's own word, the venue's marks, the session's burn; where the
    feed itself is the drill, the frames that were sent."""
    if session.damages:
        return owned_up(view, drill)
    marks = view.table("marks").to_pylist()
    if session.burn:
        burning = [row for row in marks if (row["name"], row["leg"]) == ("burn", "main")]
        return [row["t"] for row in burning if burns(row["detail"], drill.connection)]
    if session.faults:
        hits = [row for row in marks if row["name"] == "fault" and row["leg"] == "main"]
        sides = {json.loads(row["detail"]).get("role") or row["role"] for row in hits}
        return [row["t"] for row in hits] if len(sides) == 2 else []
    sent: list[int] = view.table("sends")["t_sent"].to_pylist()
    return sent


def burns(detail: str, connection: str) -> bool:
    """Whether the session's subject burns on this connection."""
    return bool(json.loads(detail)["burn_ns"].get(connection, 0))


def owned_up(view: RunView, drill: Drill) -> list[int]:
    """Times at which the saboteur says that it struck this connection, or all."""
    import pyarrow.compute as pc

    if NEW not in view.roles():
        return []
    events = view.table(f"events/{NEW}").select(["k", "body"])
    logs = events.filter(pc.equal(events["k"], "log"))["body"].to_pylist()
    notes = [json.loads(body) for body in logs if body.startswith(b'{"sabotage":')]
    return [note["t"] for note in notes if is_of(note, drill)]


def is_of(note: dict[str, Any], drill: Drill) -> bool:
    return bool(note["sabotage"] == drill.what and note["c"] in (EVERY, drill.connection))
