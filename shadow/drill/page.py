"""The drill's table as a page for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from shadow.drill.cells import Cell, is_passed, word_of

__all__ = ["STAGE", "as_json", "page", "table"]

STAGE: Final = "shadow"
"""What a session drills: both stacks connected, nobody served by new yet."""
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

Not drilled here: death of the judge, of the controller and of the flag's provider, and the audit of a rollback. These
need a consumer that is served.
"""


def page(cells: Sequence[Cell], head: dict[str, Any]) -> str:
    """The whole page."""
    machine = head["machine"]
    facts = (
        f"{'Passed' if is_passed(cells) else 'Failed'} on {head['date_utc']}: version {head['version']}, stage "
        f"{head['stage']}, seed {head['seed']}, {machine['cores']} cores, {machine['system']} {machine['release']}, "
        f"Python {machine['python']}, {head['took_s']:.0f} s."
    )
    return f"# Drill\n\n{facts}\n{READING}\n{table(cells)}{_reasons(cells)}"


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
    version: str, machine: dict[str, Any], seed: int, connections: Sequence[str], took_s: float, now: datetime
) -> dict[str, Any]:
    """What a gate has to know of a drill besides its lines."""
    return {
        "schema": 1,
        "stage": STAGE,
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
