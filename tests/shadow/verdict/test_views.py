"""Section j's figures: known latencies, symbols and stretches in, exact figures out."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shadow.diff.codes import Difference, Matches
from shadow.verdict.series import TYPES, ServicePair, paired_latencies
from shadow.verdict.timeline import Phase
from shadow.verdict.views import build_views, stretch_ns

MakeRun = Callable[..., Any]
US, MS, S = 1_000, 1_000_000, 1_000_000_000
ROLES = ("legacy", "new")
TICKER = TYPES.index("book_ticker")


@pytest.mark.parametrize(
    ("begin", "end", "length"),
    [
        ([], [], 0),
        ([0, 10], [5, 15], 10),
        ([0, 3], [5, 8], 8),
        ([0, 1, 20], [9, 4, 21], 10),
        ([4, 0], [6, 5], 6),
        ([0, 1, 5], [9, 3, 8], 9),
        ([5, 0], [5, -3], 0),
    ],
)
def test_stretches_that_overlap_count_once(begin: list[int], end: list[int], length: int) -> None:
    assert stretch_ns(np.array(begin, np.int64), np.array(end, np.int64)) == length


def collected(sent: list[int], latencies: dict[str, list[int]], **columns: Any) -> Any:
    """A main leg of two seconds on one connection; columns `type`, `symbol` by frame."""
    n = len(sent)
    zero = np.zeros(n, np.int64)
    at = np.array(sent, np.int64)

    def side(role: str) -> Matches:
        called = at + np.array(latencies[role], np.int64)
        kinds = [np.asarray(columns.get(name, zero)) for name in ("type", "symbol")]
        return Matches(np.arange(n), zero, *kinds, at, called, zero == 0, zero == 1, zero - 1)  # type: ignore[arg-type]

    matches = {role: side(role) for role in ROLES}
    pairs = paired_latencies(*matches.values(), Phase("main", "paired", 0, 2 * S), S // 2, 4)
    main = SimpleNamespace(
        roles=ROLES, matches=matches, connections=["c"], symbols=["BTC", "ETH"], differences=columns.get("found", [])
    )
    bursts = [ServicePair(legacy=10_000.0, new=11_000.0, t=n, frames=128) for n in range(9)]
    plan = SimpleNamespace(block_s=0.5, keep_one_in=1, symbols=["BTC", "ETH"])
    return SimpleNamespace(
        main=main, main_legs=["main"], joined=lambda _: pairs, plan=plan, cells={"main": {("c", "mixed"): bursts}}
    )


def test_an_older_top_counts_by_side_and_hour() -> None:
    """Over 2 s: new is 3 and 1 ms later, legacy once 2 ms; other types do not count."""
    sent = [0, 500 * MS, 1000 * MS, 1500 * MS]
    late = {"legacy": [MS, MS, 3 * MS, MS], "new": [4 * MS, 2 * MS, MS, 90 * MS]}
    [row] = build_views(collected(sent, late, type=[TICKER, TICKER, TICKER, 0]))["top_of_book"]
    assert row == {
        "connection": "c", "symbol": "BTC", "n": 3, "new_behind_ms_h": 4 * 1800.0, "legacy_behind_ms_h": 2 * 1800.0,
        "apart_ms_h": 6 * 1800.0,
    }  # fmt: skip


def test_latency_is_told_by_what_was_written_just_before() -> None:
    """40 lonely frames, then 40 of which nearly each is the sixth within 20 ms; new is slow under load alone."""
    calm = [n * 25 * MS for n in range(40)]
    busy = [S + n * 4 * MS for n in range(44)]
    late = {"legacy": [100 * US] * 84, "new": [50 * US] * 44 + [200 * US] * 40}
    rows = build_views(collected(calm + busy, late))["by_load"]
    assert [(row["low"], row["high"], row["n"]) for row in rows] == [(50.0, 100.0, 41), (300.0, 400.0, 39)]
    assert [row["ratio"] for row in rows] == [0.5, 2.0]
    assert (rows[1]["legacy_ns"], rows[1]["new_ns"]) == ([100_000.0] * 2, [200_000.0] * 2)


def test_symbols_are_told_apart_and_have_no_service_time_where_bursts_mix_them() -> None:
    sent = [n * 10 * MS for n in range(80)]
    new = [50 * US, 130 * US] * 40
    found = [
        Difference("MISSING", "new", "critical", "c", "trade", "ETH", "", 3),
        Difference("GAP", "both", "major", "c", "book", "ETH", "", 2),
        Difference("DUP", "legacy", "major", "c", "trade", "BTC", "", 1),
        Difference("DUP", "new", "info", "c", "ticker", "BTC", "", 7),
        Difference("FIELD", "new", "critical", "c", "ticker", "BTC", "last", 9, known="K1"),
    ]
    both = {"legacy": [100 * US] * 80, "new": new}
    rows = build_views(collected(sent, both, symbol=[0, 1] * 40, found=found))["symbols"]
    assert [(row["symbol"], row["n"], row["ratio"], row["service"]) for row in rows] == [
        ("BTC", 40, 0.5, None),
        ("ETH", 40, 1.3, None),
    ]
    assert [row["differences"] for row in rows] == [{"legacy": 1, "new": 0}, {"legacy": 2, "new": 5}]


def test_too_few_pairs_have_no_typical_ratio() -> None:
    sent = [n * 10 * MS for n in range(29)]
    views = build_views(collected(sent, {"legacy": [100 * US] * 29, "new": [50 * US] * 29}))
    assert views["by_load"] == []
    assert [(row["n"], row["ratio"], row["new_ns"]) for row in views["symbols"]] == [(29, None, [50_000.0, 50_000.0])]


def test_a_capacity_run_tells_latency_by_step() -> None:
    made = collected([MS, 2 * MS, 900 * MS], {"legacy": [US, 3 * US, 9 * US], "new": [2 * US, 2 * US, 8 * US]})
    made.joined = lambda _: None
    steps = (("main", "warm-up"), ("main", "capacity-1000"), ("aa1", "capacity-5"))
    made.timeline = SimpleNamespace(phases=[Phase(*step, 0, S // 2) for step in steps])
    views = build_views(made)
    assert views["by_load"] == [
        {"connection": "", "low": 1000, "high": 1000, "n": 2, "legacy_ns": [2000.0, 2800.0], "new_ns": [2000.0, 2000.0],
         "ratio": None}
    ]  # fmt: skip
    assert views["symbols"] == views["top_of_book"] == []


def test_a_run_without_a_main_leg_has_no_such_figures() -> None:
    assert set(map(len, build_views(SimpleNamespace(main=None)).values())) == {0}  # type: ignore[arg-type]


def test_the_judge_finds_a_slow_candidate_behind_and_its_one_symbol_served_slowly(made_up: MakeRun) -> None:
    run = made_up(latency=1.3, service=1.3)
    analysis = run.judge().analysis
    assert [row["connection"] for row in analysis["by_load"] if row["low"] == 600.0] == [
        "",
        *run.session["connections"],
    ]
    assert all(1.2 < row["ratio"] < 1.4 for row in analysis["by_load"] if row["n"] > 300)
    for row in analysis["top_of_book"]:
        assert row["new_behind_ms_h"] > 2 * row["legacy_behind_ms_h"] > 0
        assert row["apart_ms_h"] <= 1.0001 * (row["new_behind_ms_h"] + row["legacy_behind_ms_h"])
    for row in analysis["symbols"]:
        assert row["ratio"] == pytest.approx(1.3, rel=0.05)
        assert row["service"] == pytest.approx(1.3, rel=0.05)
