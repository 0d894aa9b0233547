from __future__ import annotations

import pytest

from shadow.plan import BURST_RATE, BURSTS_S, CAPACITY_RATES, MOST_PAIRS, Plan, capacity_plan, make_plan, replay_plan
from shadow.venue.bursts import BURST_FRAMES, PERIOD_S


def paired_s(plan: Plan) -> dict[str, float]:
    return {leg.leg: sum(p.seconds for p in leg.phases if p.phase == "paired") for leg in plan.legs}


@pytest.mark.parametrize("duration_s", [13.0, 65.0, 130.0])
@pytest.mark.parametrize("calibration", [True, False])
@pytest.mark.parametrize("connections", [1, 2, 6])
def test_the_measured_phases_add_up_to_the_duration(duration_s: float, calibration: bool, connections: int) -> None:
    plan = make_plan(duration_s, calibration=calibration, connections=connections)
    assert plan.measured_s == pytest.approx(duration_s, abs=0.01)


@pytest.mark.parametrize("connections", [2, 6])
def test_a_shorter_session_shrinks_all_phases_alike(connections: int) -> None:
    whole = make_plan(65.0, calibration=True, connections=connections)
    half = make_plan(32.5, calibration=True, connections=connections)
    for long_leg, short_leg in zip(whole.legs, half.legs, strict=True):
        for long_phase, short_phase in zip(long_leg.phases, short_leg.phases, strict=True):
            assert short_phase.seconds == pytest.approx(long_phase.seconds / 2, abs=0.001)


def test_without_calibration_its_time_goes_to_the_paired_phase() -> None:
    plain = make_plan(65.0, calibration=False, connections=2)
    calibrated = make_plan(65.0, calibration=True, connections=2)
    assert [leg.leg for leg in plain.legs] == ["main"]
    main = next(leg for leg in calibrated.legs if leg.leg == "main")
    aa_s = sum(p.seconds for leg in calibrated.legs if leg.leg != "main" for p in leg.phases)
    assert plain.legs[0].phases[0].seconds == pytest.approx(main.phases[0].seconds + aa_s)


def test_few_connections_get_more_paired_time_for_the_noise_floor_and_many_more_bursts() -> None:
    """A p90's A/A gate takes 5000 pairs of a connection; service time takes bursts of each connection."""
    few, many = (make_plan(65.0, calibration=True, connections=n) for n in (2, 6))
    assert 600 / 2 * (paired_s(few)["aa1"] + paired_s(few)["aa2"]) >= 5000
    assert paired_s(many)["aa1"] < paired_s(few)["aa1"]
    assert min(paired_s(few)["main"], paired_s(many)["main"]) / few.block_s >= 24


def test_calibration_stands_before_and_after_and_ends_with_the_control() -> None:
    legs = [leg.leg for leg in make_plan(65.0, calibration=True, connections=6).legs]
    assert legs == ["aa1", "main", "aa2", "control"]


def test_a_replay_has_one_leg_and_no_calibration() -> None:
    assert [(leg.leg, [p.phase for p in leg.phases]) for leg in replay_plan().legs] == [("main", ["replay"])]


def test_a_capacity_run_climbs_in_steps_of_equal_length() -> None:
    (leg,) = capacity_plan(12.0).legs
    assert [step.rate for step in leg.phases] == list(CAPACITY_RATES) == sorted(CAPACITY_RATES)
    assert {step.seconds for step in leg.phases} == {12.0 / len(CAPACITY_RATES)}
    assert max(CAPACITY_RATES) >= 10_000


@pytest.mark.parametrize("duration_s", [65.0, 3600.0, 86_400.0])
@pytest.mark.parametrize("calibration", [True, False])
@pytest.mark.parametrize("connections", [2, 6])
def test_in_stretches_a_leg_has_a_third_of_a_minute_of_bursts_at_most_and_the_rest_is_paired(
    duration_s: float, calibration: bool, connections: int
) -> None:
    whole = make_plan(duration_s, calibration=calibration, connections=connections)
    plan = whole.thinned(600)
    bursts = {leg.leg: [p.seconds for p in leg.phases if p.phase == "burst"] for leg in plan.legs}
    assert {seconds <= BURSTS_S for found in bursts.values() for seconds in found} == {True}
    assert plan.measured_s == pytest.approx(duration_s, abs=0.01)
    assert [leg.leg for leg in plan.legs] == [leg.leg for leg in whole.legs]
    for leg, before in zip(plan.legs, whole.legs, strict=True):
        if leg.leg.startswith("aa"):
            assert leg.measured_s == pytest.approx(before.measured_s, abs=0.01)
    burst_s = sum(seconds for found in bursts.values() for seconds in found)
    kept = burst_s * BURST_RATE + 600 * (plan.measured_s - burst_s) / plan.keep_one_in
    assert kept <= MOST_PAIRS


def test_a_short_session_in_stretches_has_the_plan_of_the_whole_one() -> None:
    plan = make_plan(65.0, calibration=True, connections=6)
    assert plan.thinned(600) == plan


def test_the_plan_knows_how_many_frames_a_second_of_bursts_has() -> None:
    assert 2 * BURST_FRAMES / PERIOD_S <= BURST_RATE
