"""How long a release session is, and in which order its sides stand."""

from __future__ import annotations

import math

import pytest

from shadow.config import SessionConfig
from shadow.errors import UsageError
from shadow.plan import Plan
from shadow.release_plan import CAP_S, Need, Power, first_plan, fit, release_plan


def seconds(plan: Plan, kind: str, phase: str) -> float:
    return sum(p.seconds for leg in plan.legs if leg.leg.startswith(kind) for p in leg.phases if p.phase == phase)


@pytest.mark.parametrize("duration_s", [16.0, 120.0, 600.0])
@pytest.mark.parametrize("calibration", [True, False])
def test_a_given_length_is_kept_and_restarts_both_sides_with_sides_exchanged(
    duration_s: float, calibration: bool
) -> None:
    plan = release_plan(duration_s, calibration=calibration)
    main = [leg for leg in plan.legs if leg.leg.startswith("main")]
    assert plan.measured_s == pytest.approx(duration_s, abs=0.05)
    assert len(main) == (8 if duration_s >= 300 else 4)
    assert [leg.exchanged for leg in main] == [False, True] * (len(main) // 2)
    assert {leg.roles for leg in main} == {("legacy", "new")}
    assert {leg.order for leg in main} == {("legacy", "new"), ("new", "legacy")}
    assert len({leg.leg for leg in plan.legs}) == len(plan.legs)
    if calibration:
        names = [leg.leg for leg in plan.legs]
        assert (names[:4], names[-1]) == (["aa1", "main", "main2", "aa2"], "control")


def test_blocks_are_longer_in_sessions_of_five_minutes_and_more() -> None:
    assert (release_plan(299.0, calibration=True).block_s, release_plan(300.0, calibration=True).block_s) == (0.5, 2.0)


def test_without_a_length_the_first_calibration_is_as_it_will_be() -> None:
    plan, _ = fit([Need("service.x", "burst", 400.0, 100.0)])
    assert plan.legs[0] == first_plan().legs[0]
    assert [leg.leg for leg in plan.legs] == [leg.leg for leg in first_plan().legs]


def test_every_metric_gets_what_it_needs() -> None:
    needs = [
        Need("latency.x.typical", "paired", 10.0, 20.0),
        Need("latency.x.p99", "paired", 500.0, 300.0),
        Need("service.x", "burst", 130.0, 161.0),
        Need("connect.time.x", "connect", 30.0, 48.0),
    ]
    plan, power = fit(needs)
    assert seconds(plan, "aa", "paired") >= 500.0
    assert seconds(plan, "main", "paired") >= 300.0
    assert seconds(plan, "main", "burst") >= 161.0
    assert seconds(plan, "main", "connect") >= 48.0
    assert [p.closes for p in plan.legs[1].phases][2] == int(20 * 6.0 / 3.5)
    assert all(p.seconds % 2 == 0 for leg in plan.legs[1:-1] for p in leg.phases)
    assert (power.longest, power.short) == ("latency.x.p99", {})
    assert power.needed_s == pytest.approx(plan.measured_s)
    assert "latency.x.p99 asks for most" in power.sentence(plan.measured_s)


def test_beyond_the_cap_the_session_ends_in_time_and_names_whose_power_does_not_suffice() -> None:
    plan, power = fit([Need("latency.x.p99", "paired", 4000.0, 1500.0), Need("service.x", "burst", 90.0, 200.0)])
    assert CAP_S - 120 < plan.measured_s <= CAP_S
    assert set(power.short) == {"latency.x.p99"}
    assert power.short["latency.x.p99"] == math.ceil(power.needed_s / 60) > 60
    assert seconds(plan, "main", "burst") >= 200.0  # who fits the cap gets all of it
    assert "latency.x.p99 will be HOLD: its power needs a session of" in power.sentence(plan.measured_s)


def test_a_metric_without_a_figure_is_named_and_lengthens_nothing() -> None:
    plan, power = fit([Need("latency.x.p99", "paired", math.inf, math.inf)])
    assert plan == first_plan()
    assert power.short == {"latency.x.p99": None}
    assert "too few events" in power.sentence(plan.measured_s)
    assert Power(**power.as_json()) == power


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"is_sized_by_noise": True, "calibration": False}, "--duration"),
        ({"unpaced": True}, "--rate max"),
    ],
)
def test_a_release_session_that_could_not_judge_is_refused(settings: dict[str, object], says: str) -> None:
    config = SessionConfig(grade="release", **settings)  # type: ignore[arg-type]  # values of several types
    with pytest.raises(UsageError, match=says):
        config.validate()
