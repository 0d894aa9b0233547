"""What the journal says of the rollout now. Nothing else is remembered, so that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shadow.rollout.journal import Entry
from shadow.rollout.latch import Rollback
from shadow.rollout.stages import Position, Rule, Rules, parse_position
from shadow.rollout.units import Unit, parse_unit

__all__ = ["Hold", "State", "Step", "flag_fields", "state_of"]


@dataclass(frozen=True)
class Hold:
    """Units that do not advance, and why; one that a person placed, without a `cause`, is left by a person alone.

    `is_over`: what the watch held it for is gone.
    """

    unit: Unit
    why: str
    cause: str = ""
    is_over: bool = False


@dataclass(frozen=True)
class Step:
    """One move of a plan, and how long (seconds) its stage lasts at least."""

    unit: Unit
    position: Position
    at_least_s: float


@dataclass(frozen=True)
class State:
    """The journal folded. `placed_s` tells since when (Unix seconds) a rule stands; `troubles` when something fired.

    `strict`: as the last move away from legacy asked, what legacy shows too takes back all the same.
    """

    rules: Rules = ()
    generation: int = 0
    placed_s: Mapping[Rule, float] | None = None
    rollbacks: tuple[Rollback, ...] = ()
    troubles: tuple[tuple[Unit, float], ...] = ()
    holds: tuple[Hold, ...] = ()
    acting: frozenset[str] = frozenset()
    steps: tuple[Step, ...] = ()
    strict: bool = False

    def since_s(self, rule: Rule) -> float:
        """Since when the rule stands without a trigger under it; Unix seconds."""
        times = [at_s for unit, at_s in self.troubles if unit.common(rule.unit) is not None]
        return max([(self.placed_s or {}).get(rule, 0.0), *times])

    def rule_of(self, unit: Unit) -> Rule | None:
        """The rule that holds for a single unit."""
        return next((rule for rule in self.rules if rule.unit.covers(unit)), None)


def state_of(entries: Iterable[Entry]) -> State:
    """Fold the journal."""
    state = State()
    for entry in entries:
        state = _FOLDS[entry.kind](state, entry.at_s, entry.fields) if entry.kind in _FOLDS else state
    return state


def flag_fields(rules: Rules, generation: int, **more: Any) -> dict[str, Any]:
    """The fields of an entry that changes the flag."""
    return {
        "generation": generation,
        "rules": [[str(rule.unit), str(rule.position)] for rule in rules],
        **more,
    }


def _fold_flag(state: State, at_s: float, fields: dict[str, Any]) -> State:
    rules = tuple(Rule(parse_unit(unit), parse_position(position)) for unit, position in fields["rules"])
    placed_s = {rule: (state.placed_s or {}).get(rule, at_s) for rule in rules}
    strict = bool(fields.get("strict", state.strict))
    state = replace(state, rules=rules, generation=fields["generation"], placed_s=placed_s, strict=strict)
    back = [parse_unit(unit) for unit in fields.get("rolled_back", ())]
    rollbacks = (*state.rollbacks, *(Rollback(unit, at_s) for unit in back))
    return replace(state, rollbacks=rollbacks, troubles=(*state.troubles, *((unit, at_s) for unit in back)))


def _fold_hold(state: State, at_s: float, fields: dict[str, Any]) -> State:
    hold = Hold(parse_unit(fields["unit"]), fields["why"], fields["cause"])
    return replace(state, holds=(*state.holds, hold), troubles=(*state.troubles, (hold.unit, at_s)))


def _fold_calm(state: State, at_s: float, fields: dict[str, Any]) -> State:
    unit, cause = parse_unit(fields["unit"]), fields["cause"]
    holds = tuple(replace(one, is_over=True) if (one.unit, one.cause) == (unit, cause) else one for one in state.holds)
    return replace(state, holds=holds, troubles=(*state.troubles, (unit, at_s)))


def _fold_release(state: State, _: float, fields: dict[str, Any]) -> State:
    unit = parse_unit(fields["unit"])
    return replace(state, holds=tuple(hold for hold in state.holds if hold.unit.common(unit) is None))


def _fold_promote(state: State, _: float, fields: dict[str, Any]) -> State:
    return replace(state, acting=state.acting | {fields["trigger"]})


def _fold_plan(state: State, _: float, fields: dict[str, Any]) -> State:
    steps = tuple(
        Step(parse_unit(unit), parse_position(position), at_least) for unit, position, at_least in fields["steps"]
    )
    return replace(state, steps=steps)


_FOLDS = {
    "flag": _fold_flag,
    "hold": _fold_hold,
    "calm": _fold_calm,
    "release": _fold_release,
    "promote": _fold_promote,
    "plan": _fold_plan,
}
