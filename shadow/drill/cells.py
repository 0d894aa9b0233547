"""One line of the drill's table, and the word for it. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shadow.drill.plan import Drill

__all__ = ["Cell", "is_passed", "word_of"]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge said to one drill.

    `happened` says how often the damage or fault struck; `verdict` and `decided_by` are the judge's on the connection
    alone; `fired` all triggers at REGRESSION; `codes` grave differences of new, `strangers` those of legacy or both;
    `delay` is how long after the evidence the judge's rule could speak, in `unit`, None where it never could; `bound`
    is its limit; `early` says that something had fired before there was any evidence. `lacks` is what had to hold
    besides, and did not: the audit of the flips, a hold.
    """

    drill: Drill
    happened: int
    verdict: str
    reason: str
    decided_by: str
    fired: tuple[str, ...] = ()
    codes: dict[str, int] = {}
    strangers: dict[str, int] = {}
    delay: float | None = None
    bound: float | None = None
    unit: str = "s"
    early: bool = False
    lacks: str = ""


def word_of(cell: Cell) -> str:
    """ok, or the gravest of what is wrong."""
    if not cell.happened:
        return "never happened"
    if cell.verdict == "NOT_FIT":
        return "not judged"
    word = _of_silence(cell) if not cell.drill.trigger else _of_firing(cell)
    return cell.lacks if word == "ok" and cell.lacks else word


def _of_silence(cell: Cell) -> str:
    return f"fired: {', '.join(cell.fired)}" if cell.fired or cell.verdict == "ROLL_BACK" else "ok"


def _of_firing(cell: Cell) -> str:
    wanted = cell.drill
    if wanted.trigger not in cell.fired:
        return "did not fire"
    if cell.decided_by != wanted.trigger:
        return f"{cell.decided_by or 'nothing'} named first"
    if cell.strangers:
        return "wrong side"
    if wanted.codes and not set(wanted.codes) & set(cell.codes):
        return "wrong code"
    if cell.early:
        return "before its evidence"
    if cell.delay is None or cell.bound is None or cell.delay > cell.bound:
        return "too late"
    return "ok"


def is_passed(cells: Sequence[Cell]) -> bool:
    """Whether every line is ok; none at all proves nothing."""
    return bool(cells) and all(word_of(cell) == "ok" for cell in cells)
