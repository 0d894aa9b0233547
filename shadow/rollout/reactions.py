"""What open triggers ask for, in every stage and also while a person is waited for. Pure.

Advisory until its drill has proved a trigger: it pauses the rollout. Proved, it acts: its units go back to `shadow`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shadow.rollout.consumers import Alarm
from shadow.rollout.gates import Scene
from shadow.rollout.latch import DAY_S
from shadow.rollout.stages import is_revocable, position_of
from shadow.rollout.state import State
from shadow.rollout.units import EVERYTHING, Unit, parse_unit, representatives

__all__ = ["Reaction", "promotions", "reactions"]


@dataclass(frozen=True)
class Reaction:
    """Take units back, hold them where they are, or note that the cause of a hold is gone.

    `cause` is what makes two reactions the same; `why` is a sentence with figures for the journal and a person.
    """

    kind: Literal["rollback", "hold", "calm"]
    unit: Unit
    cause: str
    why: str


def reactions(state: State, scene: Scene, *, strict: bool, rehearsal: bool) -> list[Reaction]:
    """What to do now, rollbacks first; nothing twice for the same cause."""
    told = [one for alarm in scene.alarms for one in _to_alarm(state, alarm, strict=strict, rehearsal=rehearsal)]
    found = {(one.kind, one.unit, one.cause): one for one in [*_to_silence(state, scene), *told]}
    fresh = [one for one in found.values() if one.kind == "rollback" or not _is_held(state, one)]
    return sorted(fresh, key=lambda one: one.kind != "rollback") + _calmed(state, {one.cause for one in found.values()})


def _to_alarm(state: State, alarm: Alarm, *, strict: bool, rehearsal: bool) -> list[Reaction]:
    why = f"{alarm.trigger}: {alarm.says}" if alarm.says else alarm.trigger
    units = _served_by_new(state, alarm.unit)
    if alarm.legacy_too and not strict:
        return [Reaction("hold", unit, f"shared {alarm.trigger}", f"{why}; legacy shows the same") for unit in units]
    if rehearsal or alarm.trigger in state.acting:
        return [Reaction("rollback", unit, alarm.trigger, why) for unit in units]
    return [Reaction("hold", unit, alarm.trigger, f"{why}; advisory") for unit in units]


def _to_silence(state: State, scene: Scene) -> list[Reaction]:
    """No data is never good news: units beyond `shadow` are held until somebody watches again."""
    if scene.stale:
        why = f"{scene.stale[0]} has no heartbeat"
    elif not scene.judges:
        why = "no judge watches"
    else:
        return []
    return [Reaction("hold", unit, "silence", why) for unit in _served_by_new(state, str(EVERYTHING))]


def _calmed(state: State, causes: set[str]) -> list[Reaction]:
    """From now on a unit stands without that trigger."""
    over = [hold for hold in state.holds if hold.cause and not hold.is_over and hold.cause not in causes]
    return [Reaction("calm", hold.unit, hold.cause, f"over: {hold.why}") for hold in over]


def _served_by_new(state: State, pattern: str) -> list[Unit]:
    """Units of the pattern, as the rules name them, that can still be taken back."""
    asked = parse_unit(pattern)
    beyond = [rule for rule in state.rules if is_revocable(rule.position)]
    found = [common for rule in beyond if (common := rule.unit.common(asked)) is not None]
    return [unit for unit in found if _is_served(state, unit)]


def _is_served(state: State, pattern: Unit) -> bool:
    """Whether new serves some unit of the pattern: rules before may have taken it back already."""
    units = representatives([pattern, *(rule.unit for rule in state.rules)])
    return any(is_revocable(position_of(state.rules, one)) for one in units if pattern.covers(one))


def _is_held(state: State, one: Reaction) -> bool:
    return any(hold.unit.covers(one.unit) and hold.cause == one.cause and not hold.is_over for hold in state.holds)


def promotions(state: State, scene: Scene) -> list[str]:
    """Triggers that a drill of this version, machine and day has proved, and that only pause so far."""
    good = [
        drill
        for drill in scene.drills.values()
        if (drill.version, drill.machine) == (scene.version, scene.machine) and scene.now_s - drill.made_s <= DAY_S
    ]
    return sorted({trigger for drill in good for trigger in drill.triggers} - state.acting)
