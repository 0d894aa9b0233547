"""Legs without fault, by the million: no code but MATCH."""

from __future__ import annotations

import sys

import pytest

from shadow.connections import CONNECTIONS

from .legs import ROLES, Judge, made_leg

CLEAN_EVENTS = 10_000_000
CHUNK = 50_000


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_ten_million_clean_events_of_all_connections_give_no_code(
    judge: Judge, connection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = seed = 0
    while seen < CLEAN_EVENTS / len(CONNECTIONS):
        seen += check_clean(judge, connection, CHUNK, seed)
        seed += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{connection}: {seen} clean events of {seed} markets: no code but MATCH\n")


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_clean_events_give_no_code(judge: Judge, connection: str) -> None:
    assert check_clean(judge, connection, 1000, 7) >= 2000


def check_clean(judge: Judge, connection: str, frames: int, seed: int) -> int:
    """Judge a faultless leg; how many events both sides delivered."""
    diff = judge(made_leg(connection, frames, seed))
    assert diff.differences == []
    assert diff.conserved
    totals = [diff.totals[role] for role in ROLES]
    assert all(one["codes"] == {"MATCH": one["expected"]} for one in totals)
    return sum(one["input"] for one in totals)
