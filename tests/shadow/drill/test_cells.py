"""The word for one line of the drill: each way of not being ok has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from shadow.drill.cells import Cell, is_passed, word_of
from shadow.drill.plan import Drill

FIRES = Cell(
    drill=Drill("drop", "mexc.spot.public", "functionality", ("MISSING",), 1.0),
    happened=1,
    verdict="ROLL_BACK",
    reason="1 critical MISSING of the new stack in mexc.spot.public trade.",
    decided_by="functionality",
    fired=("functionality",),
    codes={"MISSING": 1},
    delay=0.4,
    bound=1.0,
)
HARMLESS = Cell(drill=Drill("burst", "mexc.spot.public"), happened=2, verdict="HOLD", reason="", decided_by="")


@dataclass
class Case:
    """What is different from a line that is ok, and its word."""

    word: str
    changes: dict[str, Any]


@pytest.mark.parametrize(
    "case",
    [
        Case("never happened", {"happened": 0}),
        Case("not judged", {"verdict": "NOT_FIT"}),
        Case("did not fire", {"fired": ()}),
        Case("did not fire", {"fired": ("stability",)}),
        Case("stability named first", {"decided_by": "stability", "fired": ("functionality", "stability")}),
        Case("nothing named first", {"decided_by": ""}),
        Case("wrong side", {"strangers": {"MISSING": 1}}),
        Case("wrong code", {"codes": {"PHANTOM": 1}}),
        Case("before its evidence", {"early": True}),
        Case("too late", {"delay": 1.1}),
        Case("too late", {"delay": None}),
        Case("too late", {"bound": None}),
        Case("2 lost", {"lacks": "2 lost"}),
        Case("too late", {"delay": 1.1, "lacks": "2 lost"}),
    ],
    ids=lambda case: f"{case.word} {case.changes}",
)
def test_what_is_not_ok_is_named(case: Case) -> None:
    assert word_of(FIRES) == "ok"
    cell = msgspec.structs.replace(FIRES, **case.changes)
    assert word_of(cell) == case.word
    assert not is_passed([FIRES, cell])


def test_what_may_not_fire() -> None:
    assert word_of(HARMLESS) == "ok"
    assert word_of(msgspec.structs.replace(HARMLESS, fired=("memory",))) == "fired: memory"
    assert word_of(msgspec.structs.replace(HARMLESS, happened=0)) == "never happened"
    assert word_of(msgspec.structs.replace(HARMLESS, verdict="NOT_FIT")) == "not judged"
    assert word_of(msgspec.structs.replace(HARMLESS, verdict="ROLL_BACK")) == "fired: "


def test_a_drill_without_lines_is_not_passed() -> None:
    assert is_passed([FIRES, HARMLESS])
    assert not is_passed([])
