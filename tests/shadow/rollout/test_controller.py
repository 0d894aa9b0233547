"""The watch: what it takes back, what it holds, and a plan followed step by step."""

from __future__ import annotations

import pytest

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.errors import ShadowError, UsageError
from shadow.rollout.consumers import Alarm
from shadow.rollout.controller import next_step
from shadow.rollout.flag_file import evaluated
from shadow.rollout.gates import Ask
from shadow.rollout.stages import Rule, parse_position
from shadow.rollout.state import Step
from shadow.rollout.units import parse_unit

from .conftest import BOOK, PUBLIC, TRADE, Desk, stages


@pytest.mark.checklist("R.5")
def test_a_trigger_takes_its_units_back_and_no_other(live: Desk) -> None:
    assert stages(live) == ["live", "live", "off"]
    live.alarms = [Alarm("functionality", BOOK, "3 trades missing")]
    assert live.watch() == [("rollback", BOOK)]
    assert stages(live) == ["shadow", "live", "off"]
    assert live.watch() == []


def test_a_trigger_is_promoted_by_its_drill_alone(desk: Desk) -> None:
    desk.session()
    lines = [
        {"result": "ok", "drill": {"trigger": "memory"}},
        {"result": "too late", "drill": {"trigger": "stability"}},
    ]
    desk.drill(lines=lines)
    desk.watch()
    desk.flip(PUBLIC, "shadow")
    desk.watch()
    desk.flip(PUBLIC, "canary")
    desk.alarms = [Alarm("stability", BOOK, "away for 2 s")]
    assert desk.watch() == [("hold", BOOK)]
    assert stages(desk)[0] == "canary"
    assert desk.watch() == []
    desk.alarms = [Alarm("memory", TRADE, "+21 %")]
    assert desk.watch() == [("rollback", TRADE), ("calm", BOOK)]


def test_the_same_trouble_at_legacy_is_no_reason_to_go_back_unless_strict(live: Desk) -> None:
    live.alarms = [Alarm("stability", "*", "both are away", legacy_too=True)]
    assert live.watch() == [("hold", PUBLIC)]
    assert stages(live)[0] == "live"
    assert live.watch(strict=True) == [("rollback", PUBLIC), ("calm", PUBLIC)]
    assert stages(live)[0] == "shadow"


def test_a_move_may_ask_to_be_watched_strictly(desk: Desk) -> None:
    desk.climb(PUBLIC, "shadow")
    desk.session()
    desk.drill()
    desk.watch()
    desk.controller().flip(Ask(parse_unit(PUBLIC), parse_position("canary"), strict=True))
    desk.alarms = [Alarm("stability", "*", "both are away", legacy_too=True)]
    assert desk.watch() == [("rollback", PUBLIC)]


def test_no_data_holds_and_never_takes_back(live: Desk) -> None:
    live.beat()
    (live.places.folder / "judges" / "judge.json").unlink()
    found = live.controller().turn(holder="watch")
    assert [(one.kind, str(one.unit), one.why) for one in found] == [("hold", PUBLIC, "no judge watches")]
    live.now_s += 6
    (live.places.folder / "judges" / "judge.json").touch()
    assert live.controller().turn(holder="watch") == []
    live.alarms = [Alarm("stability", "*", "both are away", legacy_too=True)]
    assert live.watch() == [("hold", PUBLIC), ("calm", PUBLIC)]


def test_a_hold_is_noted_once_whatever_its_figures_and_time_counts_from_its_end(desk: Desk) -> None:
    desk.climb(PUBLIC, "canary")
    for second in range(3):
        desk.now_s += 1
        desk.alarms = [Alarm("stability", "*", f"both away for {second} s", legacy_too=True)]
        assert desk.watch() == ([("hold", PUBLIC)] if second == 0 else [])
    desk.now_s += 3_600
    assert desk.watch() == []
    desk.alarms = []
    assert desk.watch() == [("calm", PUBLIC)]
    assert desk.watch() == []
    desk.drill()
    desk.now_s += 3_599
    desk.watch()
    with pytest.raises(UsageError, match="3600 s are asked for"):
        desk.flip(PUBLIC, "live", "ada", "bob")
    desk.now_s += 1
    desk.watch()
    desk.flip(PUBLIC, "live", "ada", "bob")


def test_the_watch_takes_back_although_the_journal_was_tampered_with(live: Desk) -> None:
    path = live.places.journal
    live.alarms = [Alarm("memory", BOOK, "+21 %")]
    live.beat()
    path.write_bytes(path.read_bytes().replace(b"by hand", b"by hond", 1))
    found = live.controller().turn(holder="watch")
    assert [(one.kind, str(one.unit)) for one in found] == [("rollback", BOOK)]
    assert stages(live)[0] == "shadow"


def test_the_watch_takes_back_although_the_flag_file_is_not_understood(live: Desk) -> None:
    """Consumers go by the last good one, so that there is something to take back."""
    live.alarms = [Alarm("functionality", "*", "altered")]
    live.beat()
    live.places.flags.write_bytes(b'{"flags": ')
    found = live.controller().turn(holder="watch")
    assert [one.kind for one in found] == ["rollback"] * len(found)
    assert found
    assert set(stages(live)) == {"off"}
    live.alarms = []
    live.watch()
    with pytest.raises(UsageError, match="was taken back"):
        live.flip(PUBLIC, "shadow", "ada")


def test_the_watch_takes_back_although_its_lease_cannot_be_written(live: Desk) -> None:
    live.alarms = [Alarm("memory", BOOK, "+21 %")]
    live.beat()
    live.places.lease.unlink()
    live.places.lease.mkdir()
    with pytest.raises(ShadowError, match=r"lease\.json cannot be written"):
        live.controller().turn(holder="watch")
    assert stages(live)[0] == "shadow"


def test_two_controllers_never_watch_at_once(desk: Desk) -> None:
    desk.watch()
    with pytest.raises(UsageError, match="holds the lease"):
        desk.controller().turn(holder="other")
    desk.now_s += 11
    desk.beat()
    assert desk.controller().turn(holder="other") == []


def test_a_plan_is_followed_step_by_step(desk: Desk) -> None:
    steps = [Step(parse_unit(PUBLIC), parse_position(stage), 0.0) for stage in ("shadow", "canary")]
    desk.controller().begin(steps)
    taken = []
    while (step := next_step(desk.controller().books().state)) is not None:
        desk.session()
        desk.drill()
        desk.watch()
        taken.append(desk.flip(str(step.unit), str(step.position)))
    assert taken == [f"{PUBLIC} is at shadow", f"{PUBLIC} is at canary"]
    longer = [*steps, Step(parse_unit(PUBLIC), parse_position("live"), 0.0)]
    desk.controller().begin(longer)
    with pytest.raises(UsageError, match="another plan"):
        desk.controller().begin(steps)


def test_the_default_of_a_lost_flag_file_is_legacy(live: Desk) -> None:
    live.places.flags.unlink()
    live.watch()
    assert live.rules() == []
    assert stages(live) == ["off", "off", "off"]


def test_what_a_rule_says_is_what_flagd_gives(live: Desk) -> None:
    rules = (Rule(parse_unit(BOOK), parse_position("shadow")), Rule(parse_unit(PUBLIC), parse_position("live")))
    assert evaluated(rules, [parse_unit(BOOK), parse_unit(TRADE)]) == [Stage.SHADOW, Stage.LIVE]
