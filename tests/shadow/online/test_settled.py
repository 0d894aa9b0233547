"""Moments at which nothing is under way, and two halves of matches that make the whole again."""

from __future__ import annotations

import numpy as np
import pytest

from shadow.diff.codes import Difference, LegDiff, Matches
from shadow.online.settled import Settled, quiet_moments


def times(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(column, np.int64) for column in zip(*pairs, strict=True))  # type: ignore[return-value]


def test_quiet_is_a_callback_behind_which_the_next_frame_to_either_side_was_sent() -> None:
    assert quiet_moments([times((10, 12), (30, 32)), times((11, 15), (31, 33))]).tolist() == [15]
    assert quiet_moments([times((10, 40), (30, 32)), times((11, 15), (50, 51))]).tolist() == [40]
    assert quiet_moments([times((10, 40), (30, 90))]).tolist() == []


def side(sent: list[int], connection: int = 0) -> Matches:
    n = len(sent)
    t = np.array(sent, np.int64)
    flags = np.zeros(n, np.bool_)
    number = np.full(n, connection, np.int16)
    return Matches(t, number, np.zeros(n, np.int8), np.zeros(n, np.int16), t, t + 2, flags, flags, np.full(n, -1))


def leg(sent: list[int], differences: list[Difference], name: str = "gateio.spot.public") -> LegDiff:
    total = {"input": len(sent), "expected": len(sent), "pairs": len(sent)}
    codes = {name: {"MATCH": len(sent)} for name in ("codes", "delivered_codes", "expected_codes")}
    matches = {role: side(sent) for role in ("legacy", "new")}
    totals = {role: {**total, **codes} for role in matches}
    return LegDiff(
        "main", ("legacy", "new"), matches, [name], ["A"], differences, [], totals, True, [], 0, 0, []
    )  # fmt: skip


def test_matches_of_before_and_after_make_the_whole_again() -> None:
    settled = Settled()
    settled.take(leg([10, 20, 30, 40], []), limit=25)
    assert settled.upto == {"gateio.spot.public": 22}
    settled.lines = {"legacy": 2, "new": 2}
    whole = settled.with_rest(leg([30, 40, 50], []))
    assert whole.matches["new"].t_sent.tolist() == [10, 20, 30, 40, 50]
    assert whole.totals["new"]["input"] == 5


LOST = Difference("MISSING", "new", "critical", "gateio.spot.public", "trade", "A", "", 1)
EXC = Difference("EXC", "new", "critical", "", "", "", "died", 1)


@pytest.mark.parametrize("found", [LOST, EXC])
def test_nothing_is_settled_where_something_differs(found: Difference) -> None:
    settled = Settled()
    settled.take(leg([10, 20, 30, 40], [found]), limit=25)
    assert settled.upto == {}


def test_neither_are_accounts_nor_what_a_fault_disturbed() -> None:
    settled = Settled()
    settled.take(leg([10, 20, 30], [], "gateio.spot.private"), limit=25)
    settled.take(leg([10, 20, 30], []), 25, {"gateio.spot.public"})
    assert settled.upto == {}
