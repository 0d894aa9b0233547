"""Rollbacks, latches, holds, a person's edits, and kills between any two steps."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.cli import main
from shadow.errors import RunError, ShadowError, UsageError
from shadow.rollout import ledger as ledger_module
from shadow.rollout.consumers import Alarm
from shadow.rollout.controller import Controller, next_step
from shadow.rollout.flag_file import evaluated, read_flag_file
from shadow.rollout.gates import Ask
from shadow.rollout.journal import Journal, read_journal
from shadow.rollout.lease import renew
from shadow.rollout.stages import OFF, Rule, parse_position
from shadow.rollout.state import Step
from shadow.rollout.units import EVERYTHING, parse_unit

from .conftest import BOOK, PRIVATE, TRADE, UNITS, Desk, places_in

PUBLIC = "gateio.spot.*.*"


@pytest.fixture
def live(desk: Desk) -> Desk:
    """Public units at `live`, watched."""
    desk.climb(PUBLIC, "live")
    return desk


def stages(desk: Desk) -> list[str]:
    """What flagd's own core gives each unit out of the file."""
    return [stage.value for stage in evaluated(desk.places.flags, [parse_unit(unit) for unit in UNITS])]


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


def test_a_rollback_does_not_wait_for_whoever_keeps_the_lock(live: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_S", 0.0)
    live.drill()
    live.watch()
    with live.controller().ledger.locked():
        with pytest.raises(UsageError, match="locked by another process"):
            live.flip(PUBLIC, "rampdown")
        live.controller().rollback(EVERYTHING)
    assert stages(live) == ["shadow", "shadow", "off"]


def test_a_move_that_was_decided_on_an_older_state_is_not_made(live: Desk) -> None:
    """Such as one that a rollback overtook, which waits for no lock."""
    ledger = live.controller().ledger
    seen = ledger.read().state
    live.controller().rollback(EVERYTHING)
    with pytest.raises(UsageError, match="changed meanwhile"):
        ledger.change(live.now_s, seen, (Rule(parse_unit(PUBLIC), parse_position("rampdown")),))
    assert stages(live) == ["shadow", "shadow", "off"]


def test_a_rollback_without_journal_is_not_undone_by_a_move_that_a_kill_cut_short(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal says `live`, the flag never did; the rollback reached the flag alone."""
    desk.climb(PUBLIC, "canary")
    desk.drill()
    desk.watch()

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "write_flag_file", killed)
        with pytest.raises(Killed):
            desk.flip(PUBLIC, "live", "ada", "bob")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", no_journal)
        assert desk.controller().rollback(EVERYTHING).trouble == "no journal"
    desk.watch()
    assert stages(desk) == ["shadow", "shadow", "off"]
    assert desk.rules() == [f"{PUBLIC} shadow"]


def no_journal(*_: Any, **__: Any) -> None:
    raise ShadowError("no journal")


def test_a_rollback_latches_and_only_the_way_forth(live: Desk) -> None:
    """Two a day pass by themselves after ten minutes; then a person has to say so."""
    for times in (1, 2, 3):
        live.controller().rollback(parse_unit(BOOK), why="by hand")
        live.drill()
        live.session()
        live.now_s += 599
        live.watch()
        with pytest.raises(UsageError, match="wait 1 s more"):
            live.flip(BOOK, "canary", "ada")
        live.now_s += 1
        live.watch()
        if times == 3:
            with pytest.raises(UsageError, match="taken back 3 times in a day"):
                live.flip(BOOK, "canary")
        live.flip(BOOK, "canary", *(("ada",) if times == 3 else ()))
        assert stages(live)[0] == "canary"


def test_a_rollback_needs_nobody(live: Desk) -> None:
    """No controller, no consumer, no judge, no drill; and `off` for what harms the process."""
    live.now_s += 100_000
    for name in ("consumers", "judges"):
        for path in (live.places.folder / name).iterdir():
            path.unlink()
    live.controller().rollback(EVERYTHING, OFF)
    assert stages(live) == ["off", "off", "off"]


def test_a_rollback_never_lifts_a_unit(live: Desk) -> None:
    live.controller().rollback(parse_unit(PUBLIC))
    assert stages(live) == ["shadow", "shadow", "off"]


@pytest.mark.parametrize("damage", ["tampered", "unreadable", "gone", "read-only", "no folder"])
def test_a_rollback_works_whatever_became_of_the_journal(
    damage: str, live: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = live.places.journal
    if damage == "tampered":
        path.write_bytes(path.read_bytes().replace(b"by hand", b"by hond", 1))
    elif damage == "gone":
        path.unlink()
    elif damage == "unreadable":
        path.unlink()
        path.mkdir()
    elif damage == "no folder":
        shutil.rmtree(live.places.folder)
        live.places.folder.write_text("in the way")
    else:
        write = os.open

        def refuse(name: Any, flags: int, *rest: Any) -> int:
            if name == path:
                raise OSError(30, "Read-only file system")
            return write(name, flags, *rest)

        monkeypatch.setattr(os, "open", refuse)
    outcome = live.controller().rollback(EVERYTHING)
    assert outcome.trouble
    assert stages(live) == ["shadow", "shadow", "off"]
    if damage not in ("read-only", "no folder"):
        with pytest.raises(RunError, match="journal"):
            live.flip(PUBLIC, "canary")


DISABLED = b'{"flags": {"websocket-stack": {"state": "DISABLED"}}}'


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b'{"flags": 3}', DISABLED])
def test_a_rollback_writes_a_damaged_flag_file_anew_with_legacy_everywhere(damage: bytes, live: Desk) -> None:
    live.places.flags.write_bytes(damage)
    outcome = live.controller().rollback(parse_unit(BOOK))
    assert outcome.trouble
    assert stages(live) == ["off", "off", "off"]
    assert live.places.flags.with_name("flags.json.before-rollback").read_bytes() == damage


def test_a_flag_file_that_cannot_be_written_says_so(live: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ShadowError, match="No space left"):
        live.controller().rollback(EVERYTHING)


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


def test_complete_cannot_be_undone_by_the_flag(desk: Desk) -> None:
    desk.climb(PUBLIC, "complete")
    with pytest.raises(UsageError, match=r"touch .*websocket\.kill"):
        desk.controller().rollback(EVERYTHING)
    assert stages(desk) == ["complete", "complete", "off"]
    desk.places.flags.write_bytes(b"{")
    desk.controller().rollback(EVERYTHING)
    assert stages(desk) == ["complete", "complete", "off"]


def test_a_persons_hold_is_left_by_a_person(live: Desk) -> None:
    live.drill()
    live.session()
    live.controller().rollback(parse_unit(BOOK))
    live.controller().hold(parse_unit(BOOK), "until monday")
    live.now_s += 601
    live.drill()
    live.watch()
    with pytest.raises(UsageError, match="until monday"):
        live.flip(BOOK, "canary")
    live.flip(BOOK, "canary", "ada")
    assert live.controller().books().state.holds == ()


def test_a_hold_of_the_watch_is_left_by_clean_gates(live: Desk) -> None:
    live.alarms = [Alarm("stability", "*", "both are away", legacy_too=True)]
    live.watch()
    live.alarms = []
    live.watch()
    live.now_s += 86_400
    live.drill()
    live.watch()
    live.flip(PUBLIC, "rampdown")
    assert live.controller().books().state.holds == ()


def edited(desk: Desk, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(desk.places.flags.read_text())
    change(content["flags"]["websocket-stack"])
    desk.places.flags.write_text(json.dumps(content))


def test_a_persons_edit_towards_legacy_is_taken_up_and_latches(live: Desk) -> None:
    edited(live, lambda flag: flag.update(targeting={}))
    assert live.watch() == []
    assert live.rules() == []
    with pytest.raises(UsageError, match="was taken back"):
        live.flip(PUBLIC, "shadow", "ada")


def test_a_persons_edit_away_from_legacy_is_refused_with_the_way_out(live: Desk) -> None:
    edited(live, lambda flag: flag["targeting"]["if"].insert(0, True) or flag["targeting"]["if"].insert(1, "rampdown"))
    with pytest.raises(UsageError, match="edited by hand"):
        live.flip(PRIVATE, "shadow")
    live.controller().rollback(parse_unit(PRIVATE))
    assert stages(live) == ["live", "live", "off"]


def test_a_hand_written_file_is_where_a_rollout_begins(desk: Desk) -> None:
    page = Path(__file__).parents[3] / "docs" / "flag.md"
    desk.places.flags.write_text(page.read_text().partition("```json\n")[2].partition("```")[0])
    desk.watch()
    assert desk.rules() == ["mexc complete"]


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


class Killed(BaseException):
    """Stands for kill -9: nothing that runs after it may tidy up."""


STEPS = ("write", "fsync", "replace")


@pytest.mark.parametrize("act", ["flip", "rollback", "watch"])
def test_after_a_kill_between_any_two_steps_the_state_is_the_journals(
    act: str, tmp_path: Path, make_desk: Callable[[Path], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the n-th call that touches the disk, for each n until the act ends by itself."""
    before = ["canary", "canary", "off"]
    after = ["live", "live", "off"] if act == "flip" else ["shadow", "shadow", "off"]
    first = make_desk(tmp_path / "first")
    first.climb(PUBLIC, "canary")
    first.drill()
    first.alarms = [Alarm("memory", "*", "+21 %")] if act == "watch" else []
    first.beat()
    renew(first.places.lease, "watch", first.now_s)
    seen = []
    for number in range(60):
        shutil.copytree(tmp_path / "first", tmp_path / str(number))
        desk = Desk(places_in(tmp_path / str(number)), first.now_s)
        ended = killed_at(desk, act, number, monkeypatch)
        assert stages(desk) in (before, after)
        assert read_journal(desk.places.journal, read_flag_file(desk.places.flags).mark).finding is None
        journal = [str(rule) for rule in desk.controller().books().state.rules]
        desk.watch()
        assert [str(rule) for rule in read_flag_file(desk.places.flags).rules] == journal == desk.rules()
        seen.append(stages(desk))
        if ended:
            break
    assert ended
    assert seen[0] == before
    assert seen[-1] == after
    assert seen == sorted(seen, key=lambda one: one == after)


def killed_at(desk: Desk, act: str, number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do it, killed before the n-th step; whether it came to its end."""
    left = number
    acts: dict[str, Callable[[], Any]] = {
        "flip": lambda: desk.flip(PUBLIC, "live", "ada", "bob"),
        "rollback": lambda: desk.controller().rollback(EVERYTHING),
        "watch": lambda: desk.controller().turn(holder="watch"),
    }

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return call(*words)

        return step

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            acts[act]()
        except Killed:
            return False
    return True


def test_the_default_of_a_lost_flag_file_is_legacy(live: Desk) -> None:
    live.places.flags.unlink()
    live.watch()
    assert live.rules() == []
    assert stages(live) == ["off", "off", "off"]


def test_what_a_rule_says_is_what_flagd_gives(live: Desk) -> None:
    rules = (Rule(parse_unit(BOOK), parse_position("shadow")), Rule(parse_unit(PUBLIC), parse_position("live")))
    assert evaluated(rules, [parse_unit(BOOK), parse_unit(TRADE)]) == [Stage.SHADOW, Stage.LIVE]


@pytest.mark.parametrize("unit", ["gateoi.spot", "gateio.futur.book.BTC_USDT", "mexc.futures"])
def test_a_slip_of_the_pen_is_no_rollback(unit: str, live: Desk) -> None:
    for act in (live.controller().rollback, lambda one: live.controller().hold(one, "lunch")):
        with pytest.raises(UsageError, match="look at the name"):
            act(parse_unit(unit))
    assert stages(live) == ["live", "live", "off"]


def test_an_exchange_of_somebody_elses_goes_back_by_its_rule_or_its_consumer(desk: Desk) -> None:
    unit = parse_unit("kraken.spot.book.BTC_USDT")
    desk.units = (str(unit),)
    desk.watch()
    assert "no farther" in desk.controller().rollback(unit).says
    desk.flip(str(unit), "shadow")
    (desk.places.folder / "consumers" / "desk.json").unlink()
    assert "is back at off" in desk.controller().rollback(unit, OFF).says


def test_a_rollback_that_no_consumer_could_hear_of_says_so(
    live: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shadow.rollout.places.places", lambda: live.places)
    monkeypatch.setattr(Controller.__init__, "__defaults__", (lambda: live.now_s,))
    assert main(["rollout", "rollback", "gateio.spot.book.BTCUSDT"]) == 0
    assert "no consumer holds a unit of gateio.spot.book.BTCUSDT" in capsys.readouterr().err
    assert main(["rollout", "rollback", BOOK]) == 0
    assert "no consumer holds" not in capsys.readouterr().err
