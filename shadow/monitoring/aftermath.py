"""What the rollout's files say of its last rollback, for the page that is made after it."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from reports.aftermath import Aftermath, JournalLine, OpenTrigger, UnitSplit
from shadow.errors import RunError, ShadowError, UsageError
from shadow.monitoring.look import Look, look
from shadow.rollout.consumers import TriggerId
from shadow.rollout.evidence import newest_session
from shadow.rollout.flag_file import evaluated
from shadow.rollout.journal import Entry
from shadow.rollout.latch import COOL_DOWN_S, latched
from shadow.rollout.places import Places
from shadow.rollout.stages import Position, Rules, position_of, serving
from shadow.rollout.state import State, state_of
from shadow.rollout.units import Unit, parse_unit

__all__ = ["aftermath", "encoded"]

LINES_BEFORE: Final = 20
LINES_AFTER: Final = 10


def aftermath(places: Places, now_s: float) -> Aftermath:
    """Of the newest line that took units back; UsageError where there is none, RunError where none can be trusted."""
    seen = look(places, now_s)
    entry = seen.last_rollback
    if entry is None and not seen.journal_is_whole:
        raise RunError(f"no good line of {places.journal} took anything back, and it is damaged: shadow journal verify")
    if entry is None:
        raise UsageError("nothing was taken back yet; `shadow rollout status` shows where everything stands")
    before = state_of(one for one in seen.entries if one.number < entry.number)
    units = [parse_unit(name) for name in entry.fields["rolled_back"]]
    trigger = _trigger_of(entry)
    return Aftermath(
        number=entry.number,
        at_s=entry.at_s,
        why=str(entry.fields.get("why", "")),
        trigger=trigger,
        generation=entry.fields["generation"],
        units=[str(unit) for unit in units],
        first_told_s=_first_told_s(seen, entry, trigger, units),
        rules_before=[str(rule) for rule in before.rules],
        rehearsal=bool(entry.fields.get("rehearsal", False)),
        earlier_s=_earlier_s(before, units),
        split=_split(seen, before.rules, state_of([entry]).rules, entry),
        still_open=[OpenTrigger(one.trigger, one.unit, one.says, one.legacy_too) for one, _ in seen.alarms],
        latches=_latches(seen.state, units, now_s),
        journal=_extract(seen, entry),
        journal_is_whole=seen.journal_is_whole,
        run=_run(places, units, entry.at_s),
    )


def _earlier_s(before: State, units: list[Unit]) -> list[float]:
    rollbacks = [one for one in before.rollbacks if any(one.unit.common(unit) is not None for unit in units)]
    return sorted({one.at_s for one in rollbacks})


def _trigger_of(entry: Entry) -> str:
    name = str(entry.fields.get("why", "")).partition(":")[0]
    return name if name in get_args(TriggerId) else ""


def _first_told_s(seen: Look, entry: Entry, trigger: str, units: list[Unit]) -> float:
    """Since when the journal knows of the trigger on one of the units, without a calm between; else the rollback's."""
    since_s = entry.at_s
    for one in seen.entries:
        if one.number >= entry.number or one.fields.get("cause") not in (trigger, f"shared {trigger}"):
            continue
        if any(parse_unit(one.fields["unit"]).common(unit) is not None for unit in units):
            since_s = entry.at_s if one.kind == "calm" else min(since_s, one.at_s)
    return since_s


def _split(seen: Look, before: Rules, since: Rules, entry: Entry) -> list[UnitSplit]:
    lines: list[UnitSplit] = []
    for consumer in seen.consumers.values():
        names = sorted(consumer.units)
        stages = zip(names, _stages(before, names), _stages(since, names), strict=True)
        lines += [
            UnitSplit(
                unit=name,
                consumer=consumer.name,
                stage_before=stood.stage.value,
                served_before=serving(stood),
                stage_since=stands.stage.value,
                serves_now=consumer.units[name].serving,
                is_fresh=seen.is_fresh(consumer),
                has_applied=consumer.generation >= entry.fields["generation"],
            )
            for name, stood, stands in stages
        ]
    return lines


def _stages(rules: Rules, names: list[str]) -> list[Position]:
    """Of a share as flagd's core chooses; by the rule alone where it has no answer."""
    units = [parse_unit(name) for name in names]
    try:
        return [Position(stage) for stage in evaluated(rules, units)]
    except ShadowError:
        return [position_of(rules, unit) for unit in units]


def _latches(state: State, units: list[Unit], now_s: float) -> list[str]:
    found = [latched(state.rollbacks, unit, now_s, person=False, cool_down_s=COOL_DOWN_S) for unit in units]
    return [why for why in dict.fromkeys(found) if why is not None]


def _extract(seen: Look, entry: Entry) -> list[JournalLine]:
    before = [one for one in seen.entries if one.number <= entry.number][-LINES_BEFORE:]
    after = [one for one in seen.entries if one.number > entry.number][:LINES_AFTER]
    return [JournalLine(one.number, one.at_s, one.kind, _words(one)) for one in (*before, *after)]


def _words(entry: Entry) -> str:
    """The fields of a line that say something to a person."""
    named = ("unit", "trigger", "why", "move", "names", "rolled_back", "generation")
    return "; ".join(f"{name} {_told(entry.fields[name])}" for name in named if entry.fields.get(name))


def _told(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _run(places: Places, units: list[Unit], at_s: float) -> str:
    """The newest session before the rollback that compared one of its units."""
    sessions = [newest_session(places.runs, unit, before_s=at_s) for unit in units]
    found = [session for session in sessions if session is not None]
    newest = max(found, key=lambda session: session.started_s, default=None)
    return str(newest.path.resolve()) if newest is not None else ""


def encoded(found: Aftermath) -> bytes:
    """As `rollback.json` holds it."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
