"""The rollout in words: one line for a prompt, a table for a person."""

from __future__ import annotations

from shadow.rollout.controller import next_step
from shadow.rollout.gates import Scene
from shadow.rollout.latch import COOL_DOWN_S, latched
from shadow.rollout.state import State

__all__ = ["code_of", "one_line", "table"]


def one_line(state: State, scene: Scene) -> str:
    """Who serves, who watches, and what is open."""
    parts = [f"generation {state.generation}", _served(state), _watched(scene), *_delivered(scene)]
    if scene.killed:
        parts.insert(0, "KILL FILE: legacy serves everything")
    parts += [f"{alarm.trigger} open on {alarm.unit}" for alarm in scene.alarms]
    parts += [f"{hold.unit} held" for hold in state.holds]
    return "; ".join(dict.fromkeys(parts))


def _served(state: State) -> str:
    rules = [str(rule) for rule in state.rules]
    return ", ".join([*rules, "all else off"] if rules else ["all off, legacy serves"])


def _watched(scene: Scene) -> str:
    watch = "a controller watches" if scene.leased else "no controller watches"
    stale = f", without heartbeat: {', '.join(scene.stale)}" if scene.stale else ""
    return f"{watch}, {len(scene.consumers)} consumers, {len(scene.judges)} judges{stale}"


def _delivered(scene: Scene) -> list[str]:
    """What the consumers have had so far, where they hold both stacks."""
    told = [(one.events, one.gaps) for one in scene.consumers if one.events is not None]
    if not told:
        return []
    gaps = sum(count or 0 for _, count in told)
    return [f"{sum(count for count, _ in told)} events handed on, {gaps} gaps"]


def table(state: State, scene: Scene) -> str:
    """A line for each rule, hold, latch and alarm, and the plan's next move."""
    lines = [one_line(state, scene)]
    lines += [f"stands   {rule} since {max(0.0, scene.now_s - state.since_s(rule)):.0f} s" for rule in state.rules]
    lines += [f"held     {hold.unit}: {hold.why}" for hold in state.holds]
    lines += [f"latched  {why}" for why in _latches(state, scene.now_s)]
    lines += [f"open     {alarm.trigger} on {alarm.unit}: {alarm.says}" for alarm in scene.alarms]
    lines += [f"acts     {trigger}" for trigger in sorted(state.acting)]
    step = next_step(state)
    if step is not None:
        lines.append(f"next     {step.unit} {step.position}")
    return "\n".join(lines) + "\n"


def _latches(state: State, now_s: float) -> list[str]:
    units = dict.fromkeys(one.unit for one in state.rollbacks)
    found = [latched(state.rollbacks, unit, now_s, person=False, cool_down_s=COOL_DOWN_S) for unit in units]
    return [why for why in found if why is not None]


def code_of(state: State, now_s: float) -> int:
    """0; 10 while a unit that was taken back is latched; 11 while one is held."""
    if _latches(state, now_s):
        return 10
    return 11 if state.holds else 0
