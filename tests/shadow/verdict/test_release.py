"""Whole made-up sessions of grade release: several legs, each the unit for CPU, memory and connect times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shadow.diff.codes import Difference

MakeRun = Callable[..., Any]
QUIET: dict[str, Any] = {"release_s": 100.0, "noise": 0.05, "drift": 0.002, "gap_noise": 0.01}
P99 = "latency.gateio.spot.public.p99"


def metric(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [m for m in verdict["metrics"] if m["id"] == name]
    return found


def test_a_stack_like_legacy_ships_where_power_suffices_and_is_hold_where_the_plan_was_cut(made_up: MakeRun) -> None:
    run = made_up(**QUIET)
    verdict = run.judge().verdict
    assert (verdict["verdict"], verdict["grade"]) == ("SHIP", "release"), verdict["reason"]
    declared = {m["id"] for m in verdict["metrics"] if m["declared"]}
    assert {P99, "connect.time.mexc.spot.public", "subscribe.time.mexc.spot.public"} <= declared
    assert "stability.reconnect_gap.gateio.spot.public" in declared
    for name in ("cpu.per_message", "memory.level", "connect.time.mexc.spot.public"):
        assert (metric(verdict, name)["blocks"], metric(verdict, name)["verdict"]) == (4, "PASS"), name
    assert metric(verdict, "connect.time.mexc.spot.public")["n"] == 4 * 10
    legs = [leg for leg in run.diffs if leg.startswith("main")]
    assert verdict["coverage"]["frames_sent"] == sum(run.diffs[leg].frames_sent for leg in legs)
    run.session["power"] = {"needed_s": 5400.0, "cap_s": 3600.0, "longest": P99, "short": {P99: 90.0}}
    verdict = run.judge().verdict
    assert (verdict["verdict"], verdict["reason"]) == (
        "HOLD",
        f"{P99} could not be decided: its power needs a session of 90 min, the cap is 60.",
    )


@pytest.mark.checklist("R.1", "R.3")
def test_what_is_worse_in_every_leg_rolls_back_metric_by_metric(made_up: MakeRun) -> None:
    verdict = made_up(**QUIET, cpu=1.3, uss=1.4, gap=1.5, latency=1.3).judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "performance"), verdict["reason"]
    for name in ("cpu.per_message", "memory.level", "connect.time.mexc.spot.public", P99):
        assert metric(verdict, name)["verdict"] == "REGRESSION", name
    assert [line["verdict"] for line in verdict["triggers"]] == ["REGRESSION", "PASS", "REGRESSION", "PASS"]


def test_one_leg_that_is_slow_by_itself_is_one_value_of_four_and_what_it_lost_a_fact(made_up: MakeRun) -> None:
    """Thirty per cent in one process of four: no confirmed regression, and no PASS either."""
    lost = Difference("MISSING", "new", "critical", "mexc.spot.public", "trade", "BTC_USDT", "", 3)
    verdict = made_up(**QUIET, cpu=1.3, differences=[lost], only_leg="main3").judge().verdict
    cpu = metric(verdict, "cpu.per_message")
    assert (cpu["verdict"], cpu["blocks"]) == ("HOLD", 4)
    assert (verdict["verdict"], verdict["decided_by"]) == ("ROLL_BACK", "functionality")
    assert [row["count"] for row in verdict["differences"]] == [3]


def test_a_noisy_tail_is_hold_and_named_for_its_power(made_up: MakeRun) -> None:
    verdict = made_up(**QUIET | {"noise": 0.25, "release_s": 60.0}).judge().verdict
    assert (verdict["verdict"], verdict["decided_by"]) == ("HOLD", "performance"), verdict["reason"]
    tail = metric(verdict, P99)
    assert tail["verdict"] == "HOLD"
    assert "its power does not suffice" in tail["note"]
    assert tail["detectable"] > 1.2
