"""The drill's table as a page for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from shadow.drill.cells import Cell, is_passed, word_of

__all__ = ["SHADOW", "as_json", "head_of", "page", "table"]

SHADOW: Final = "shadow"
"""What sessions drill: both stacks connected, nobody served by new yet."""
READING: Final = """
A drill does harm on purpose and asks the judge about it, each connection by itself. Lines with a trigger have to fire:
that trigger, named first, on the side and connection that was harmed, by a code that fits, within its bound, and
nothing before. Lines without one may not fire. Any word but `ok` fails the drill; a session that is NOT FIT proves
nothing.

*delay* is how much of the recording the judge's rules needed behind the evidence. For functionality it counts from the
damage (in a silence from the first event that is withheld), for stability from the moment at which 1 % of the window
was lost, for memory from the first sample above its level, for performance in pairs of bursts against the number that
its power statement names. All of this is read offline from the recording: the time in which a judge that runs beside
the session gets its data and computes is not in it.
"""
SERVED_READING: Final = """
A rollout on loopback, with a consumer that new serves in this stage, is done harm to on purpose. Lines with a trigger
have to fire, that trigger first, and every unit has to be with legacy again by itself. Lines without one may move
nothing. In each of them the consumer may have lost, doubled and reordered no event that has a version, and the audits
of all flips have to be clean. Any word but `ok` fails the drill.

*delay* runs from the harm until legacy serves every unit and the flag says so; its bound is the trigger's own and 3 s
for the way back. That of performance follows from the noise of the blocks before. What is asked of the judge here is
that somebody acts on it; how finely it sees is drilled in stage `shadow`.
"""


def page(cells: Sequence[Cell], head: dict[str, Any]) -> str:
    """The whole page."""
    machine = head["machine"]
    facts = (
        f"{'Passed' if is_passed(cells) else 'Failed'} on {head['date_utc']}: version {head['version']}, stage "
        f"{head['stage']}, seed {head['seed']}, {machine['cores']} cores, {machine['system']} {machine['release']}, "
        f"Python {machine['python']}, {head['took_s']:.0f} s."
    )
    reading = READING if head["stage"] == SHADOW else SERVED_READING
    return f"# Drill\n\n{facts}\n{reading}\n{table(cells)}{_reasons(cells)}"


def table(cells: Sequence[Cell]) -> str:
    """One row for each drill, padded so that a terminal shows it too."""
    head = ["what was done", "connection", "must fire", "result", "decided by", "differences", "delay", "bound"]
    rows = [head, ["---"] * len(head), *(_row(cell) for cell in cells)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows) + "\n"


def _row(cell: Cell) -> list[str]:
    return [
        cell.drill.what,
        cell.drill.connection or "(process)",
        cell.drill.trigger or "nothing",
        word_of(cell),
        cell.decided_by or "-",
        ", ".join(f"{count} {code}" for code, count in cell.codes.items()) or "-",
        _figure(cell.delay, cell.unit),
        _figure(cell.bound, cell.unit),
    ]


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:g} {unit}"


def _reasons(cells: Sequence[Cell]) -> str:
    lines = [
        f"* {cell.drill.what}, {cell.drill.connection or 'process'}: {word_of(cell)}. {cell.reason}"
        for cell in cells
        if word_of(cell) != "ok"
    ]
    return "\n".join(["\n## What is not ok\n", *lines, ""]) if lines else ""


def head_of(
    version: str,
    machine: dict[str, Any],
    seed: int,
    connections: Sequence[str],
    took_s: float,
    now: datetime,
    stage: str = SHADOW,
) -> dict[str, Any]:
    """What a gate has to know of a drill besides its lines."""
    return {
        "schema": 1,
        "stage": stage,
        "date_utc": now.isoformat(timespec="seconds"),
        "version": version,
        "machine": machine,
        "seed": seed,
        "connections": list(connections),
        "took_s": round(took_s, 1),
    }


def as_json(cells: Sequence[Cell], head: dict[str, Any]) -> dict[str, Any]:
    """Every figure, with the words."""
    lines = [{"result": word_of(cell), **msgspec.json.decode(msgspec.json.encode(cell))} for cell in cells]
    return {**head, "passed": is_passed(cells), "lines": lines}
