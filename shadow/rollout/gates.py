"""What has to hold before a unit goes farther from legacy. Pure: what was seen is handed in.

Each gate answers with one sentence; where it is shut the sentence holds the way out. A move towards legacy has no gate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.rollout.consumers import Alarm, ConsumerStatus, JudgeStatus
from shadow.rollout.evidence import Drill, Session
from shadow.rollout.latch import COOL_DOWN_S, DAY_S, latched
from shadow.rollout.stages import ORDER, SHADOW, Position, approvals_needed, position_of
from shadow.rollout.state import State
from shadow.rollout.units import Unit, parse_unit, representatives

__all__ = ["SOAK_S", "Ask", "Gate", "Scene", "gates", "shut"]

SOAK_S: Final = {Stage.CANARY: 3_600.0, Stage.LIVE: 86_400.0, Stage.RAMPDOWN: 86_400.0}
"""How long a stage lasts at least, without a trigger, where a plan asks for no more."""

DRILL_AGE_S: Final = DAY_S


@dataclass(frozen=True)
class Ask:
    """What somebody wants: where a unit shall stand, with whose names; `strict` is how it is watched from then on."""

    unit: Unit
    position: Position
    names: tuple[str, ...] = ()
    rehearsal: bool = False
    signoff: str = ""
    strict: bool = False


@dataclass(frozen=True)
class Scene:
    """What was seen just now. Consumers and judges are those whose heartbeat is fresh; `stale` names the others."""

    now_s: float
    leased: bool = False
    killed: bool = False
    consumers: Sequence[ConsumerStatus] = ()
    judges: Sequence[JudgeStatus] = ()
    stale: Sequence[str] = ()
    strangers: Sequence[str] = ()
    sessions: Sequence[tuple[Unit, Session | None]] = ()
    drills: Mapping[str, Drill] = field(default_factory=dict)
    version: str = ""
    machine: str = ""

    @property
    def alarms(self) -> list[Alarm]:
        """Every open trigger, of consumers and judges."""
        told = [one.alarms for one in self.consumers] + [one.alarms for one in self.judges]
        return [alarm for alarms in told for alarm in alarms]

    def held(self, pattern: Unit) -> list[tuple[Unit, ConsumerStatus]]:
        """Single units of the pattern with the consumer that holds each."""
        pairs = [(parse_unit(name), consumer) for consumer in self.consumers for name in consumer.units]
        return sorted((pair for pair in pairs if pattern.covers(pair[0])), key=lambda pair: (pair[0], pair[1].name))


@dataclass(frozen=True)
class Gate:
    """One condition: whether it is open, and its sentence."""

    name: str
    is_open: bool
    says: str


Check = Callable[[State, Ask, Scene], Gate]


def gates(state: State, ask: Ask, scene: Scene) -> list[Gate]:
    """Every condition of a move away from legacy, in the order in which a person would want to hear of them."""
    stages = {position.stage for position in _now(state, ask.unit)}
    leaving = [check for stage in ORDER if stage in stages for check in _LEAVING[stage]]
    return [
        check(state, ask, scene)
        for check in dict.fromkeys((*_ALWAYS, *leaving, *_ENTERING.get(ask.position.stage, ())))
    ]


def shut(state: State, ask: Ask, scene: Scene) -> list[Gate]:
    """The gates that are shut."""
    return [gate for gate in gates(state, ask, scene) if not gate.is_open]


def _now(state: State, unit: Unit) -> list[Position]:
    """Where the units of a pattern stand."""
    units = representatives([unit, *(rule.unit for rule in state.rules)])
    return [position_of(state.rules, one) for one in units if unit.covers(one)]


def _step(state: State, ask: Ask, _: Scene) -> Gate:
    ranks = {position.rank for position in _now(state, ask.unit)}
    low, high, to = min(ranks), max(ranks), ask.position.rank
    if high > to:
        return Gate("step", False, f"some of {ask.unit} stands at {ORDER[high].value} already; name the units apart")
    if to - low > 1:
        return Gate("step", False, f"{ask.unit} stands at {ORDER[low].value}; the next stage is {ORDER[low + 1].value}")
    return Gate("step", True, f"{ORDER[low].value} leads to {ask.position}")


def _kill(_: State, __: Ask, scene: Scene) -> Gate:
    says = "the kill file exists, legacy serves everything; remove it first" if scene.killed else "no kill file"
    return Gate("kill file", not scene.killed, says)


def _lease(_: State, __: Ask, scene: Scene) -> Gate:
    says = "a controller watches" if scene.leased else "no controller watches; run `shadow rollout start` beside this"
    return Gate("controller", scene.leased, says)


def _latch(state: State, ask: Ask, scene: Scene) -> Gate:
    cool_down_s = 0.0 if ask.rehearsal else COOL_DOWN_S
    person = bool(ask.names) or ask.rehearsal
    why = latched(state.rollbacks, ask.unit, scene.now_s, person=person, cool_down_s=cool_down_s)
    return Gate("latch", why is None, why or "not latched")


def _hold(state: State, ask: Ask, _: Scene) -> Gate:
    held = [hold for hold in state.holds if not hold.cause and hold.unit.common(ask.unit) is not None]
    if held and not ask.names:
        return Gate("hold", False, f"{held[0].unit} is held ({held[0].why}); a person has to say --approve NAME")
    return Gate("hold", True, "no person holds it")


def _alarm(_: State, ask: Ask, scene: Scene) -> Gate:
    for alarm in scene.alarms:
        if parse_unit(alarm.unit).common(ask.unit) is not None:
            says = f"trigger {alarm.trigger} is open on {alarm.unit} ({alarm.says}); wait until it is mended"
            return Gate("triggers", False, says)
    return Gate("triggers", True, "no trigger is open")


def _order(state: State, ask: Ask, scene: Scene) -> Gate:
    """Public first, then private."""
    if ask.unit.scope == "public" or ask.position.rank <= SHADOW.rank:
        return Gate("order", True, "public units go first")
    if ask.unit.scope == "all":
        return Gate("order", False, f"{ask.unit} is public and private; name them apart, public units first")
    market = Unit(ask.unit.exchange, ask.unit.market, "public")
    for unit, _ in scene.held(market):
        if position_of(state.rules, unit).rank < ask.position.rank:
            return Gate("order", False, f"public units go first, and {unit} is not at {ask.position.stage.value} yet")
    return Gate("order", True, "the public units of its market are as far")


def _share(_: State, ask: Ask, __: Scene) -> Gate:
    if ask.position.share is not None and ask.unit.scope == "private":
        return Gate("share", False, f"{ask.unit} is one unit, which cannot be split; write canary without a share")
    return Gate("share", True, "its units can be told apart")


def _people(_: State, ask: Ask, __: Scene) -> Gate:
    needed = approvals_needed(ask.position, rehearsal=ask.rehearsal)
    given = len({name.strip().casefold() for name in ask.names if name.strip()})
    if given < needed:
        way_out = "--approve NAME --approve OTHER"
        return Gate("approvals", False, f"{ask.position} takes {needed} people, {given} gave a name; add {way_out}")
    return Gate("approvals", True, f"{given} of {needed} names")


def _rehearsal(_: State, ask: Ask, scene: Scene) -> Gate:
    if not ask.rehearsal:
        return Gate("rehearsal", True, "no rehearsal")
    if scene.strangers:
        return Gate("rehearsal", False, f"a rehearsal stays on this machine, and {scene.strangers[0]} does not")
    if not all(consumer.urls for consumer in scene.consumers):
        return Gate("rehearsal", False, "a consumer tells no addresses; a rehearsal has to know that all are loopback")
    if not scene.consumers and ask.position.rank > SHADOW.rank:
        return Gate("rehearsal", False, "no consumer runs, so that nothing says that all addresses are loopback")
    return Gate("rehearsal", True, "every address is loopback")


def _consumers(state: State, ask: Ask, scene: Scene) -> Gate:
    """Every consumer has applied the newest flag, and the side that shall take over is ready."""
    if scene.stale:
        return Gate("consumers", False, f"{scene.stale[0]} has no heartbeat; restart it, or remove its status file")
    held = scene.held(ask.unit)
    if not held:
        return Gate("consumers", False, f"no consumer holds a unit of {ask.unit}; start one, or look at the name")
    for unit, consumer in held:
        if consumer.generation != state.generation:
            says = f"{consumer.name} has applied generation {consumer.generation} of {state.generation}; wait for it"
            return Gate("consumers", False, says)
        if consumer.units[str(unit)].serving == "legacy" and not consumer.units[str(unit)].other_ready:
            return Gate("consumers", False, f"{consumer.name}: the new side of {unit} is not ready; wait for it")
    return Gate("consumers", True, f"{len(held)} units are held and ready")


def _evidence(_: State, ask: Ask, scene: Scene) -> Gate:
    for unit, session in scene.sessions:
        why = _session_trouble(session, ask, scene)
        if why:
            return Gate("evidence", False, f"{unit}: {why}")
    if not scene.sessions:
        return Gate("evidence", False, f"no session has compared {ask.unit}; run `shadow run --grade release`")
    return Gate("evidence", True, f"the newest sessions say SHIP ({len(scene.sessions)} units)")


def _session_trouble(session: Session | None, ask: Ask, scene: Scene) -> str:
    if session is None:
        return "no session has compared it; run `shadow run --grade release`"
    if session.trouble:
        return f"the newest session cannot be trusted: {session.trouble}"
    if session.version != scene.version:
        return f"the newest session, {session.path}, is of version {session.version}, not {scene.version}; run another"
    if session.verdict != "SHIP":
        return f"the newest session, {session.path}, says {session.verdict}; mend the cause, then run another"
    if session.grade != "release" and not ask.rehearsal:
        return f"{session.path} is of grade {session.grade}; run `shadow run --grade release`"
    return ""


def _drill(state: State, ask: Ask, scene: Scene) -> Gate:
    """One of the stage that is left: the offline drill writes `shadow`, one beside a running consumer `live`."""
    if ask.rehearsal:
        return Gate("drill", True, "a rehearsal asks for none")
    stage = min(_now(state, ask.unit), key=lambda position: position.rank).stage.value
    drill = scene.drills.get(stage)
    if drill is None or not drill.passed or (drill.version, drill.machine) != (scene.version, scene.machine):
        why = f"the newest drill of stage {stage} is no passed one of version {scene.version} on {scene.machine}"
        return Gate("drill", False, f"{why}; run `shadow drill --stages {stage}`")
    if not -1.0 <= scene.now_s - drill.made_s <= DRILL_AGE_S:
        return Gate("drill", False, f"{drill.path} is older than 24 h; run `shadow drill --stages {stage}` again")
    return Gate("drill", True, f"{drill.path} passed")


def _judge(_: State, __: Ask, scene: Scene) -> Gate:
    for judge in scene.judges:
        if judge.verdict != "PASS":
            return Gate("judge", False, f"judge {judge.name} says {judge.verdict}; wait for PASS")
        if judge.onset != "quiet":
            return Gate(
                "judge", False, f"the onset watch of judge {judge.name} says {judge.onset}; wait until it is quiet"
            )
    says = "every judge says PASS, onset quiet" if scene.judges else "no judge watches; attach one to a consumer"
    return Gate("judge", bool(scene.judges), says)


def _audit(_: State, ask: Ask, scene: Scene) -> Gate:
    for _unit, consumer in scene.held(ask.unit):
        if not consumer.audit_clean:
            return Gate(
                "audit", False, f"{consumer.name}: the audit of its last flip is not clean; look at it, roll back"
            )
    return Gate("audit", True, "flips lost, doubled and reordered nothing")


def _soak(state: State, ask: Ask, scene: Scene) -> Gate:
    units = representatives([ask.unit, *(rule.unit for rule in state.rules)])
    holding = [state.rule_of(one) for one in units if ask.unit.covers(one)]
    for rule in dict.fromkeys(rule for rule in holding if rule is not None):
        stood_s = scene.now_s - state.since_s(rule)
        limit_s = _soak_limit_s(state, rule.position, rule.unit, rehearsal=ask.rehearsal)
        if stood_s < limit_s:
            return Gate(
                "time", False, f"{rule} for {max(0.0, stood_s):.0f} s without a trigger; {limit_s:.0f} s are asked for"
            )
    return Gate("time", True, "it has stood long enough without a trigger")


def _soak_limit_s(state: State, position: Position, unit: Unit, *, rehearsal: bool) -> float:
    """A plan may ask for more; for less only in a rehearsal."""
    planned = [step.at_least_s for step in state.steps if (step.unit, step.position) == (unit, position)]
    if rehearsal:
        return max(planned, default=0.0)
    return max([SOAK_S.get(position.stage, 0.0), *planned])


def _signoff(_: State, ask: Ask, __: Scene) -> Gate:
    says = (
        "signed off"
        if ask.signoff
        else "complete cannot be undone by the flag; give the release's sign-off: --signoff FILE"
    )
    return Gate("sign-off", bool(ask.signoff), says)


_ALWAYS: Final[tuple[Check, ...]] = (
    *(_rehearsal, _step, _share, _order, _kill, _alarm, _latch, _hold, _people, _lease),
)
_LEAVING: Final[dict[Stage, tuple[Check, ...]]] = {
    Stage.OFF: (),
    Stage.SHADOW: (_consumers, _evidence, _drill, _soak),
    Stage.CANARY: (_consumers, _judge, _audit, _soak),
    Stage.LIVE: (_consumers, _judge, _audit, _drill, _soak),
    Stage.RAMPDOWN: (_consumers, _judge, _audit, _soak),
    Stage.COMPLETE: (),
}
_ENTERING: Final[dict[Stage, tuple[Check, ...]]] = {Stage.COMPLETE: (_signoff,)}
