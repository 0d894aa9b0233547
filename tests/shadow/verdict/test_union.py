"""Legs that name their connections in other places are still read as one."""

from __future__ import annotations

import numpy as np

from shadow.diff.codes import Difference, FirstArrival, LegDiff, Matches
from shadow.verdict.union import as_one

ROLES = ("legacy", "new")


def leg(name: str, connections: list[str], count: int, frame: int) -> LegDiff:
    zero = np.zeros(1, np.int64)
    side = Matches(
        zero + frame, np.zeros(1, np.int16), np.zeros(1, np.int8), np.zeros(1, np.int16), zero, zero + 5,
        zero == 0, zero == 1, np.full(1, -1, np.int32),
    )  # fmt: skip
    totals = {"input": count, "codes": {"MATCH": count - 1, "MISSING": 1}}
    lost = Difference("MISSING", "new", "critical", connections[0], "trade", "BTC", "", count)
    first = FirstArrival(connections[0], count, count - 1, 1, np.arange(count))
    return LegDiff(
        name, ROLES, dict.fromkeys(ROLES, side), connections, ["BTC"], [lost], [{"leg": name}],
        dict.fromkeys(ROLES, totals), True, [first], 10, 9, [],
    )  # fmt: skip


def test_rows_follow_each_other_and_counts_add_up() -> None:
    both = as_one([leg("main", ["b"], 3, 7), leg("main2", ["a", "b"], 4, 8), leg("main3", ["b"], 5, 9)])
    assert (both.leg, both.connections, both.frames_sent, both.frames_accounted) == ("main", ["a", "b"], 30, 27)
    side = both.matches["new"]
    assert side.frame_no.tolist() == [7, 8, 9]
    assert [both.connections[n] for n in side.connection] == ["b", "a", "b"]
    assert both.totals["new"] == {"input": 12, "codes": {"MATCH": 9, "MISSING": 3}}
    assert {(d.connection, d.count) for d in both.differences} == {("b", 8), ("a", 4)}
    assert [(one.connection, one.n, len(one.lead_ns)) for one in both.first_arrival] == [("a", 4, 4), ("b", 8, 8)]
    assert [sample["leg"] for sample in both.samples] == ["main", "main2", "main3"]


def test_an_account_that_does_not_add_up_in_one_leg_does_not_in_all() -> None:
    legs = [leg("main", ["b"], 3, 7), leg("main2", ["b"], 4, 8)]
    legs[1].conserved = False
    assert not as_one(legs).conserved
    assert as_one(legs[:1]) is legs[0]
