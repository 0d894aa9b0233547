from __future__ import annotations

import pytest

from shadow.plan import make_plan


@pytest.mark.parametrize("duration_s", [13.0, 65.0, 130.0])
@pytest.mark.parametrize("calibration", [True, False])
def test_the_measured_phases_add_up_to_the_duration(duration_s: float, calibration: bool) -> None:
    plan = make_plan(duration_s, calibration=calibration, replay=False)
    assert plan.measured_s == pytest.approx(duration_s, abs=0.01)


def test_a_shorter_session_shrinks_all_phases_alike() -> None:
    whole = make_plan(65.0, calibration=True, replay=False)
    half = make_plan(32.5, calibration=True, replay=False)
    for long_leg, short_leg in zip(whole.legs, half.legs, strict=True):
        for long_phase, short_phase in zip(long_leg.phases, short_leg.phases, strict=True):
            assert short_phase.seconds == pytest.approx(long_phase.seconds / 2, abs=0.001)


def test_without_calibration_its_time_goes_to_the_paired_phase() -> None:
    plain = make_plan(65.0, calibration=False, replay=False)
    calibrated = make_plan(65.0, calibration=True, replay=False)
    assert [leg.leg for leg in plain.legs] == ["main"]
    main = next(leg for leg in calibrated.legs if leg.leg == "main")
    aa_s = sum(p.seconds for leg in calibrated.legs if leg.leg != "main" for p in leg.phases)
    assert plain.legs[0].phases[0].seconds == pytest.approx(main.phases[0].seconds + aa_s)


def test_a_quick_session_gives_its_noise_floor_more_blocks_than_the_comparison() -> None:
    """The A/A gate is half the margin, so it needs the smaller error."""
    plan = make_plan(65.0, calibration=True, replay=False)
    paired_s = {leg.leg: sum(p.seconds for p in leg.phases if p.phase == "paired") for leg in plan.legs}
    assert (paired_s["aa1"] + paired_s["aa2"]) / plan.block_s >= 48
    assert paired_s["main"] / plan.block_s >= 30


def test_calibration_stands_before_and_after_and_ends_with_the_control() -> None:
    legs = [leg.leg for leg in make_plan(65.0, calibration=True, replay=False).legs]
    assert legs == ["aa1", "main", "aa2", "control"]


def test_a_replay_has_one_leg_and_no_calibration() -> None:
    plan = make_plan(65.0, calibration=True, replay=True)
    assert [(leg.leg, [p.phase for p in leg.phases]) for leg in plan.legs] == [("main", ["replay"])]
