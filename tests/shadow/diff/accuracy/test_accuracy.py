"""How sure the diff is: every code at seeded places, on every connection and either side, found again one by one."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from shadow.connections import CONNECTIONS
from shadow.diff.codes import EVENT_CODES, INCIDENT_CODES

from .counted import check_excuse, measure_excused
from .damage import BOTH, measure, measure_both
from .excused import unjudged
from .legs import Judge, Leg, made_leg, plain_of, recorded_leg

PUBLIC_ALONE = {"STATE", "GAP", "SHARED"}
"""What only books can have."""
on_every_connection = pytest.mark.parametrize("connection", CONNECTIONS)


def measure_all(judge: Judge, leg: Leg, part: Leg, each: int) -> Counter[str]:
    """Silence needs the whole leg; the rest is told by any part of it."""
    tally = measure(judge, leg, plain_of(judge, leg), each, 1)
    plain = plain_of(judge, part)
    tally += measure_both(judge, part, plain, each, 2) + measure_excused(judge, part, plain, each, 3)
    codes = {*EVENT_CODES, *INCIDENT_CODES} - {"MATCH"}
    wanted = codes if leg.connection.endswith(".public") else codes - PUBLIC_ALONE
    assert {name.partition(",")[0] for name in tally} == wanted
    assert {name.partition(",")[0] for name in tally if name.endswith("both sides")} == set(BOTH)
    assert min(tally.values()) >= each
    return tally


@on_every_connection
def test_what_is_done_is_found_where_it_was_done_and_nothing_else(judge: Judge, connection: str) -> None:
    measure_all(judge, made_leg(connection, 900), made_leg(connection, 300), 8)


def test_what_lies_beyond_the_cap_is_not_taken_for_what_is_missing_before_it(judge: Judge) -> None:
    """By chance 25 an account event is left out that is like one whose own place lies beyond the cap."""
    leg = made_leg("gateio.futures.private", 300)
    judge(leg)
    assert check_excuse(judge, "UNJUDGED", unjudged(dict(judge.sides), leg, random.Random(25))) > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.checklist("R.4")
@on_every_connection
def test_a_thousand_of_each_in_a_recorded_run(
    judge: Judge, recorded_run: Path, connection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    leg = recorded_leg(recorded_run, connection)
    tally = measure_all(judge, leg, leg, 1000)
    with capsys.disabled():
        figures = "; ".join(f"{code} {count}" for code, count in sorted(tally.items()))
        sys.stdout.write(f"\n{connection}, each found at its place and on its side, and nothing else: {figures}\n")
