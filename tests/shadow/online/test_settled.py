"""Pieces of a leg that need no second look: where they are cut, when they are given back, how they make a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shadow.diff.codes import Difference, LegDiff, Matches
from shadow.online.quiet import Stretches, quiet_moments
from shadow.online.settled import FEW, KEEP_NS, Lines, Settled

PUBLIC, PRIVATE = "gateio.spot.public", "gateio.spot.private"


def times(*pairs: tuple[int, int]) -> Stretches:
    begins, ends = zip(*pairs, strict=True)
    return np.array(begins, np.int64), np.array(ends, np.int64)


def test_quiet_is_an_end_behind_which_the_next_thing_began() -> None:
    assert quiet_moments(times((10, 12), (30, 32), (11, 15), (31, 33))).tolist() == [15, 33]
    assert quiet_moments(times((10, 40), (30, 32), (11, 15), (50, 51))).tolist() == [40, 51]
    assert quiet_moments(times((10, 40), (30, 90))).tolist() == [90]
    assert quiet_moments((np.empty(0, np.int64), np.empty(0, np.int64))).tolist() == []


def side(sent: list[int], connection: int = 0) -> Matches:
    n = len(sent)
    t = np.array(sent, np.int64)
    flags = np.zeros(n, np.bool_)
    number = np.full(n, connection, np.int16)
    return Matches(t, number, np.zeros(n, np.int8), np.zeros(n, np.int16), t, t + 2, flags, flags, np.full(n, -1))


def leg(sent: list[int], differences: list[Difference], name: str = PUBLIC, symbol: str = "A") -> LegDiff:
    total = {"input": len(sent), "expected": len(sent), "pairs": len(sent)}
    codes = {name: {"MATCH": len(sent)} for name in ("codes", "delivered_codes", "expected_codes")}
    matches = {role: side(sent) for role in ("legacy", "new")}
    totals = {role: {**total, **codes} for role in matches}
    return LegDiff(
        "main", ("legacy", "new"), matches, [name], [symbol], differences, [], totals, True, [], 0, 0, []
    )  # fmt: skip


def settle(settled: Settled, sent: list[int], limit: int, name: str = PUBLIC, **how: Any) -> None:
    """Settle what was sent at these moments and came 2 ns later."""
    under_way = {name: times(*((t, t + 2) for t in sent))}
    lines = {role: Lines([name] * len(sent), [t + 2 for t in sent]) for role in ("legacy", "new")}
    settled.take(leg(sent, how.get("found", []), name), under_way, limit, lines, how.get("disturbed", ()))


def test_matches_of_before_and_after_make_the_whole_again() -> None:
    settled = Settled()
    settle(settled, [10, 20, 30, 40], limit=25)
    assert settled.upto == {PUBLIC: 22}
    assert settled.last_frame(PUBLIC) == 20
    whole = settled.with_rest(leg([30, 40, 50], [], symbol="B"))
    assert whole.matches["new"].t_sent.tolist() == [10, 20, 30, 40, 50]
    assert [whole.symbols[number] for number in whole.matches["new"].symbol] == ["A", "A", "B", "B", "B"]
    assert whole.totals["new"]["input"] == 5


def test_many_pieces_are_the_same_whole() -> None:
    settled, step = Settled(), KEEP_NS // 4
    moments = [number * step for number in range(1, FEW * 3)]
    for t in moments:
        settle(settled, [t], limit=t + 2)
    assert len(settled.pieces[PUBLIC]) <= FEW + 6
    whole = settled.with_rest(leg([moments[-1] + step], []))
    assert whole.matches["legacy"].t_sent.tolist() == [*moments, moments[-1] + step]
    assert whole.totals["legacy"]["input"] == len(moments) + 1


def test_young_pieces_are_given_back_and_all_of_an_account() -> None:
    settled = Settled()
    for t in (10, 20, 30):
        settle(settled, [t], limit=t + 2)
        settle(settled, [t], limit=t + 2, name=PRIVATE)
    assert settled.give_back(PUBLIC, since=22)
    assert settled.upto == {PUBLIC: 22, PRIVATE: 32}
    assert not settled.give_back(PUBLIC, since=22)
    assert settled.give_back(PRIVATE, since=22)
    assert settled.upto == {PUBLIC: 22}


LOST = Difference("MISSING", "new", "critical", PUBLIC, "trade", "A", "", 1)
EXC = Difference("EXC", "new", "critical", "", "", "", "died", 1)


@pytest.mark.parametrize("found", [LOST, EXC])
def test_nothing_is_settled_where_something_differs(found: Difference) -> None:
    settled = Settled()
    settle(settled, [10, 20, 30, 40], limit=25, found=[found])
    assert settled.upto == {}


def test_nor_where_a_fault_disturbed_something() -> None:
    settled = Settled()
    settle(settled, [10, 20, 30], limit=25, disturbed={PUBLIC})
    assert settled.upto == {}
