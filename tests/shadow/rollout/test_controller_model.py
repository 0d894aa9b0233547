"""Histories of a rollout, made up and tried out: what may never happen does not, and each rule is seen to matter.

Two units, two people, a trigger on either, a watch that lives or not, time in steps of ten minutes and a day. The pure
core decides as the controller does; the files have tests of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.rollout import gates as gates_module
from shadow.rollout import latch as latch_module
from shadow.rollout import reactions as reactions_module
from shadow.rollout import stages as stages_module
from shadow.rollout.consumers import Alarm, ConsumerStatus, JudgeStatus, UnitStatus
from shadow.rollout.controller import goes_away
from shadow.rollout.evidence import Drill, Session
from shadow.rollout.flag_file import evaluated
from shadow.rollout.gates import Ask, Gate, Scene
from shadow.rollout.latch import Rollback
from shadow.rollout.stages import ORDER, SHADOW, Position, Rule
from shadow.rollout.state import State
from shadow.rollout.units import parse_unit

BOOK, ACCOUNT = parse_unit("gateio.spot.book.BTC_USDT"), parse_unit("gateio.spot.private")
UNITS = (BOOK, ACCOUNT)
PATTERNS = (BOOK, ACCOUNT, parse_unit("gateio.spot"))
PEOPLE = ((), ("ada", "bob"))


@dataclass(frozen=True)
class World:
    """A state of the controller and what is true around it. Ages stand for times, so that equal worlds are equal."""

    rules: tuple[Rule, ...] = ()
    ages: tuple[tuple[Rule, int], ...] = ()
    rollbacks: tuple[tuple[Any, int], ...] = ()
    alarm: Any = None
    watched: bool = True

    def state(self) -> State:
        placed = {rule: -float(age) for rule, age in self.ages}
        back = tuple(Rollback(unit, -float(age)) for unit, age in self.rollbacks)
        troubles = tuple((one.unit, one.at_s) for one in back)
        acting = frozenset({"memory"})
        return State(self.rules, 1, placed, back, troubles, acting=acting)

    def scene(self) -> Scene:
        units = {str(unit): UnitStatus("legacy", other_ready=True) for unit in UNITS}
        alarms = [Alarm("memory", str(self.alarm), "+21 %")] if self.alarm is not None else []
        session = Session(Path("run"), "SHIP", "release", "1", 0.0)
        return Scene(
            now_s=0.0,
            leased=self.watched,
            consumers=[ConsumerStatus("desk", 1, 0.0, 1, units)],
            judges=[JudgeStatus("judge", 0.0, "PASS", "quiet", alarms)],
            sessions=[(unit, session) for unit in UNITS],
            drills={stage: Drill(Path("drill"), True, "1", 0.0, frozenset({"memory"})) for stage in ("shadow", "live")},
            version="1",
        )

    def later(self, seconds: int) -> World:
        """Ages beyond two days are all the same."""
        grown = tuple((rule, min(age + seconds, 200_000)) for rule, age in self.ages)
        back = tuple((unit, age + seconds) for unit, age in self.rollbacks if age + seconds < 86_400 * 2)
        return replace(self, ages=grown, rollbacks=back)


@dataclass(frozen=True)
class Move:
    """One thing that happened, for the invariants to look at."""

    before: World
    after: World
    what: str
    unit: Any = None
    forth: bool = False


def with_rules(world: World, rules: tuple[Rule, ...], back: list[Any]) -> World:
    old = dict(world.ages)
    ages = tuple((rule, old.get(rule, 0)) for rule in rules)
    rollbacks = tuple(dict.fromkeys((*world.rollbacks, *((unit, 0) for unit in back))))
    return replace(world, rules=rules, ages=ages, rollbacks=rollbacks)


def taken_back(world: World, unit: Any) -> World:
    rules = stages_module.lowered(world.rules, unit, SHADOW)
    back = [one.common(unit) for one in stages_module.taken_back(world.rules, rules) if one.common(unit) is not None]
    return with_rules(world, rules, back)


def flipped(world: World, unit: Any, stage: Stage, names: tuple[str, ...]) -> Move | None:
    """A move forth if the gates let it pass."""
    ask = Ask(unit, Position(stage), names, signoff="file")
    if not goes_away(world.state(), unit, ask.position) or gates_module.shut(world.state(), ask, world.scene()):
        return None
    rules = stages_module.placed(world.rules, Rule(unit, ask.position))
    return Move(world, with_rules(world, rules, []), f"flip {stage.value} {len(names)}", unit, forth=True)


class Rollouts(RuleBasedStateMachine):
    """Whatever may happen, in any order."""

    reached: ClassVar[set[Stage]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    def take(self, move: Move) -> None:
        why = broken(move)
        assert why is None, why
        self.world = move.after
        self.reached |= {ORDER[rank(self.world, unit)] for unit in UNITS}

    @rule(seconds=st.sampled_from((600, 86_400)))
    def wait(self, seconds: int) -> None:
        self.take(Move(self.world, self.world.later(seconds), "time"))

    @rule(alarm=st.sampled_from((None, *UNITS)), watched=st.booleans())
    def look(self, alarm: Any, watched: bool) -> None:
        self.take(Move(self.world, replace(self.world, alarm=alarm, watched=watched), "look"))

    @rule(unit=st.sampled_from(PATTERNS))
    def roll_back(self, unit: Any) -> None:
        self.take(Move(self.world, taken_back(self.world, unit), "rollback", unit))

    @rule(unit=st.sampled_from(PATTERNS), stage=st.sampled_from(ORDER[1:]), names=st.sampled_from(PEOPLE))
    def flip(self, unit: Any, stage: Stage, names: tuple[str, ...]) -> None:
        move = flipped(self.world, unit, stage, names)
        if move is not None:
            self.take(move)

    @rule(unit=st.sampled_from(UNITS), seconds=st.sampled_from((0, 600, 86_400)), names=st.sampled_from(PEOPLE))
    def climb(self, unit: Any, seconds: int, names: tuple[str, ...]) -> None:
        """Ask for the next stage, so that all of them are reached."""
        self.wait(seconds)
        self.flip(unit, ORDER[min(rank(self.world, unit) + 1, len(ORDER) - 1)], names)

    @rule(unit=st.sampled_from(UNITS))
    def finish(self, unit: Any) -> None:
        """Every stage in its time, by two people."""
        for _ in ORDER:
            self.climb(unit, 86_400, PEOPLE[1])

    @rule(unit=st.sampled_from(UNITS), times=st.integers(1, 3))
    def try_again(self, unit: Any, times: int) -> None:
        """Taken back, and forth again as soon as may be, without a person."""
        for _ in range(times):
            self.roll_back(unit)
            self.wait(600)
            self.flip(unit, Stage.CANARY, PEOPLE[0])

    @rule()
    def react(self) -> None:
        if self.world.watched:
            world = self.world
            for one in reactions_module.reactions(world.state(), world.scene(), strict=False, rehearsal=False):
                if one.kind == "rollback":
                    self.take(Move(self.world, taken_back(self.world, one.unit), "reaction", one.unit))


def rank(world: World, unit: Any) -> int:
    """By first match, worked out here and not by the product."""
    return next((ORDER.index(rule.position.stage) for rule in world.rules if rule.unit.covers(unit)), 0)


def broken(move: Move) -> str | None:
    """The rule that a move broke."""
    before, after = ({unit: rank(world, unit) for unit in UNITS} for world in (move.before, move.after))
    risen = [unit for unit in UNITS if after[unit] > before[unit]]
    if risen and not move.forth:
        return f"{move.what} moved {risen[0]} away from legacy"
    for unit in risen:
        if move.before.alarm == unit:
            return "advanced with an open trigger"
        if not move.before.watched:
            return "advanced while nobody watched"
        if any(one.covers(unit) and age < 600 for one, age in move.before.rollbacks):
            return "advanced past a latch"
        tries = {age for one, age in move.before.rollbacks if one.covers(unit) and age < 86_400}
        if len(tries) > 2 and move.what.endswith(" 0"):
            return "advanced a third time in a day without a person"
        if after[unit] - before[unit] > 1:
            return "left out a stage"
        if ORDER[after[unit]] in (Stage.LIVE, Stage.COMPLETE) and move.what.endswith(" 0"):
            return "went there without two people"
    if after[ACCOUNT] > max(1, after[BOOK]) and ACCOUNT in risen:
        return "private before public"
    if move.what in ("rollback", "reaction"):
        for unit in UNITS:
            if move.unit.covers(unit) and ORDER[before[unit]] is not Stage.COMPLETE and after[unit] > 1:
                return "a rollback was held back"
            if ORDER[before[unit]] is Stage.COMPLETE and after[unit] != before[unit]:
                return "complete was undone"
    if move.before.watched and move.before.alarm is not None and 1 < before[move.before.alarm] < 5:
        found = reactions_module.reactions(move.before.state(), move.before.scene(), strict=False, rehearsal=False)
        if not any(one.kind == "rollback" and one.unit.covers(move.before.alarm) for one in found):
            return "an open trigger took nothing back"
    return None


TRIES = settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True, database=None)
UNSHRUNK = settings(TRIES, phases=[Phase.generate], max_examples=200)


def test_no_history_breaks_a_rule() -> None:
    Rollouts.reached = set()
    run_state_machine_as_test(Rollouts, settings=TRIES)  # type: ignore[no-untyped-call]  # hypothesis gives it none
    assert Rollouts.reached == set(ORDER)


def always_open(name: str) -> Callable[..., Gate]:
    return lambda *_: Gate(name, True, "broken on purpose")


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "advanced with an open trigger": (gates_module, "_alarm", always_open("triggers")),
    "advanced while nobody watched": (gates_module, "_lease", always_open("controller")),
    "advanced past a latch": (latch_module, "COOL_DOWN_S", 0.0),
    "third time in a day": (latch_module, "FREE_TRIES", 9),
    "left out a stage": (gates_module, "_step", always_open("step")),
    "without two people": (gates_module, "_people", always_open("approvals")),
    "private before public": (gates_module, "_order", always_open("order")),
    "a rollback was held back": (stages_module, "lowered", lambda rules, *_: rules),
    "complete was undone": (stages_module, "is_irreversible", lambda _: False),
    "moved gateio": (
        stages_module,
        "lowered",
        lambda rules, unit, limit: stages_module.placed(rules, Rule(unit, limit)),
    ),
    "took nothing back": (reactions_module, "reactions", lambda *_, **__: []),
}


@pytest.mark.parametrize("why", MUTANTS)
def test_a_rule_that_is_broken_on_purpose_is_seen(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, mutant = MUTANTS[why]
    monkeypatch.setattr(module, name, mutant)
    if module is gates_module:
        checks = tuple(mutant if check.__name__ == name else check for check in gates_module._ALWAYS)
        monkeypatch.setattr(gates_module, "_ALWAYS", checks)
    if name == "COOL_DOWN_S":
        monkeypatch.setattr(gates_module, "COOL_DOWN_S", mutant)
    with pytest.raises(AssertionError, match=why):
        run_state_machine_as_test(Rollouts, settings=UNSHRUNK)  # type: ignore[no-untyped-call]


def test_flagd_gives_every_unit_exactly_one_server_whatever_the_rules() -> None:
    """Never two, never none: each combination of stages of both units, also below a pattern that covers them."""
    for whole in (None, *ORDER):
        below = (Rule(PATTERNS[2], Position(whole)),) if whole is not None else ()
        for book in ORDER:
            for account in ORDER:
                rules = (Rule(BOOK, Position(book)), Rule(ACCOUNT, Position(account)), *below)
                assert evaluated(rules, UNITS) == [book, account]
