"""The controller: the only one that changes the flag, by verdict or by hand.

It talks to no process: it reads the journal, the flag file, sessions and status files, and writes the journal and the
flag file. A rollback asks nobody: no gate, no analysis, no journal even, where that is broken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from infrastructure.networking.websocket.migration.kill_switch import is_killed, kill_file
from infrastructure.networking.websocket.migration.stage import Stage
from shadow.connections import CONNECTIONS
from shadow.errors import ShadowError, UsageError
from shadow.rollout.consumers import TriggerId, read_statuses, strangers
from shadow.rollout.evidence import checked, newest_drills, newest_session, our_machine, our_version
from shadow.rollout.flag_file import evaluated
from shadow.rollout.gates import Ask, Gate, Scene, gates
from shadow.rollout.lease import read_lease, release, renew, this_process
from shadow.rollout.ledger import Books, Ledger
from shadow.rollout.places import Places
from shadow.rollout.reactions import Reaction, promotions, reactions
from shadow.rollout.stages import (
    OFF,
    SHADOW,
    Position,
    Rule,
    Rules,
    farther,
    is_irreversible,
    is_revocable,
    lowered,
    placed,
    position_of,
    taken_back,
)
from shadow.rollout.state import State, Step
from shadow.rollout.units import ANY, Unit, parse_unit, representatives

__all__ = ["Controller", "Outcome", "goes_away", "next_step"]

OURS: Final = tuple(parse_unit(name.rpartition(".")[0]) for name in CONNECTIONS)
"""Exchanges and markets that our stacks speak."""


@dataclass(frozen=True)
class Outcome:
    """What was done: a sentence, the flag file's generation now, what was wrong on the way; whether it led back."""

    says: str
    generation: int
    trouble: str = ""
    is_back: bool = False


def goes_away(state: State, unit: Unit, position: Position) -> bool:
    """Whether some unit of the pattern would stand farther from legacy than it does."""
    return bool(farther(placed(state.rules, Rule(unit, position)), state.rules))


class Controller:
    """Flips, rollbacks, holds, and the watch that does the last two by itself; `clock` gives Unix seconds.

    A rehearsal marks each line that it writes into the journal.
    """

    def __init__(self, places: Places, clock: Callable[[], float] = time.time, *, rehearsal: bool = False) -> None:
        self.places = places
        self.clock = clock
        self.rehearsal = rehearsal
        self.ledger = Ledger(places, {"rehearsal": True} if rehearsal else {})

    def gates(self, ask: Ask) -> list[Gate]:
        """Every gate of a move as it stands now; changes nothing."""
        return gates(self.ledger.read().state, ask, self._scene(ask))

    def flip(self, ask: Ask) -> Outcome:
        """Move units; UsageError names the first gate that is shut. A move towards legacy is a rollback."""
        if not self._goes_away(ask):
            return self.rollback(ask.unit, ask.position, names=list(ask.names))
        scene = self._scene(ask)
        with self._alone():
            return self._go(ask, scene)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.ledger.locked() as alone:
            if not alone:
                lock = self.places.lock
                raise UsageError(f"{lock} is locked by another process, or cannot be; look at it, then try again")
            yield

    def _go(self, ask: Ask, scene: Scene) -> Outcome:
        now_s = self.clock()
        state = self.ledger.settled(now_s).state
        for gate in gates(state, ask, scene):
            if not gate.is_open:
                raise UsageError(f"{ask.unit} stays: {gate.name}: {gate.says}")
        self._lift_holds(state, ask.unit, now_s)
        rules = self._chosen(state, ask, scene)
        self.ledger.change(now_s, state, rules, why="by hand", move=f"{ask.unit} {ask.position}", **_signed(ask))
        return Outcome(f"{ask.unit} is at {ask.position}", self.ledger.read().state.generation)

    def rollback(self, unit: Unit, position: Position = SHADOW, why: str = "by hand", **more: Any) -> Outcome:
        """Take units back to `shadow` or `off`, whatever else is broken; ShadowError if the flag cannot be written."""
        self._check_name(unit)
        with self.ledger.locked():
            return self._take_back(unit, position, why, **more)

    def hold(self, unit: Unit, why: str) -> Outcome:
        """Keep units where they are until a person lets them go on."""
        self._check_name(unit)
        with self._alone():
            now_s = self.clock()
            state = self.ledger.settled(now_s).state
            self.ledger.note("hold", now_s, unit=str(unit), why=why, cause="")
            return Outcome(f"{unit} is held where it is: {why}", state.generation)

    def _check_name(self, unit: Unit) -> None:
        """UsageError for an exchange or market that nobody knows: a slip of the pen must not look like a rollback."""
        if any(one.common(unit) for one in OURS):
            return
        placed = [rule.unit for rule in self.ledger.wreck().rules if rule.unit.exchange != ANY]
        if not self.seen().held(unit) and not any(one.common(unit) for one in placed):
            markets = ", ".join(dict.fromkeys(str(one) for one in OURS))
            raise UsageError(f"nothing is {unit} here; look at the name, there are {markets} and what a consumer holds")

    def begin(self, steps: Sequence[Step]) -> None:
        """Note a plan; UsageError while another one is on its way."""
        with self._alone():
            now_s = self.clock()
            state = self.ledger.settled(now_s).state
            moved = any(is_revocable(rule.position) for rule in state.rules)
            if moved and next_step(state) is not None and tuple(steps) != state.steps:
                raise UsageError("another plan is on its way; `shadow rollout status` shows it, `rollback '*'` ends it")
            texts = [[str(step.unit), str(step.position), step.at_least_s] for step in steps]
            self.ledger.note("plan", now_s, steps=texts)

    def turn(self, *, strict: bool = False, holder: str = "") -> list[Reaction]:
        """One look of the watch: keep the lease, promote proved triggers, take back or hold what a trigger names.

        ShadowError where the lease cannot be written; what a trigger asks for is done all the same.
        """
        now_s = self.clock()
        unwritten: ShadowError | None = None
        try:
            renew(self.places.lease, holder or this_process(), now_s)
        except UsageError:
            raise
        except ShadowError as error:
            unwritten = error
        found = self._look(now_s, strict=strict)
        if unwritten is not None:
            raise unwritten
        return found

    def _look(self, now_s: float, *, strict: bool) -> list[Reaction]:
        scene = self.seen()
        if self.rehearsal and scene.strangers:
            raise UsageError(f"a rehearsal stays on this machine, and {scene.strangers[0]} does not; leave it out")
        with self.ledger.locked() as alone:
            state, sound = self._state_to_watch(now_s)
            if alone and sound:
                state = self._promote(state, scene)
            found = reactions(state, scene, strict=strict or state.strict, rehearsal=self.rehearsal)
            for reaction in found:
                if reaction.kind == "rollback":
                    self._take_back(reaction.unit, SHADOW, reaction.why)
                elif alone and sound:
                    unit, why = str(reaction.unit), reaction.why
                    self.ledger.note(reaction.kind, now_s, unit=unit, why=why, cause=reaction.cause)
            return found

    def _state_to_watch(self, now_s: float) -> tuple[State, bool]:
        """The state, and whether it may be written on. Of one that cannot be trusted every trigger acts."""
        try:
            return self.ledger.settled(now_s).state, True
        except ShadowError:
            base = self.ledger.wreck()
            return State(rules=(*base.flag.rules, *base.served), acting=frozenset(get_args(TriggerId))), False

    def _promote(self, state: State, scene: Scene) -> State:
        proved = promotions(state, scene)
        for trigger in proved:
            self.ledger.note("promote", scene.now_s, trigger=trigger)
        return replace(state, acting=state.acting | set(proved))

    def stop(self, holder: str = "") -> None:
        """Give the lease back; stages stay as they are."""
        release(self.places.lease, holder or this_process())

    def books(self) -> Books:
        """Journal and flag file as they are."""
        return self.ledger.read()

    def _goes_away(self, ask: Ask) -> bool:
        """A state that cannot be read is no reason to refuse a way back to legacy."""
        if ask.position.rank <= OFF.rank:
            return False
        try:
            return goes_away(self.ledger.read().state, ask.unit, ask.position)
        except ShadowError:
            if ask.position == SHADOW:
                return False
            raise

    def _take_back(self, unit: Unit, position: Position, why: str, **more: Any) -> Outcome:
        base = self.ledger.wreck()
        rules = _nearer(base.rules, unit, position)
        stuck = [rule for rule in base.rules if is_irreversible(rule.position) and rule.unit.common(unit) is not None]
        if stuck and rules == base.rules == base.flag.rules:
            raise UsageError(
                f"{stuck[0].unit} is complete, which the flag cannot undo; while legacy is installed,"
                f" the kill file can: touch {kill_file()}, and start again what was started at complete"
            )
        if rules == base.flag.rules and not base.trouble and base.generation == base.flag.mark.generation:
            return Outcome(f"{unit} is no farther than {position} already", base.generation, is_back=True)
        back = [str(common) for one in taken_back(base.served, rules) if (common := one.common(unit)) is not None]
        trouble = self.ledger.change_anyhow(self.clock(), base, rules, why=why, rolled_back=back, **more)
        troubles = "; ".join(text for text in dict.fromkeys((base.trouble, trouble)) if text)
        return Outcome(f"{unit} is back at {position}: {why}", base.generation + 1, troubles, is_back=True)

    def _lift_holds(self, state: State, unit: Unit, now_s: float) -> None:
        """Open gates, or a person's name, end what held the unit."""
        if any(hold.unit.common(unit) is not None for hold in state.holds):
            self.ledger.note("release", now_s, unit=str(unit))

    def _chosen(self, state: State, ask: Ask, scene: Scene) -> Rules:
        """The new rules. A canary keeps the units it has, and one that chooses none of those in use gets the first."""
        rules = placed(state.rules, Rule(ask.unit, ask.position))
        if ask.position.share is None or ask.unit.is_single:
            return rules
        alone = Position(Stage.CANARY)
        kept = tuple(rule for rule in state.rules if rule.unit.is_single and rule.position == alone)
        rules = (*(rule for rule in kept if ask.unit.covers(rule.unit)), *rules)
        units = [unit for unit, _ in scene.held(ask.unit)]
        if Stage.CANARY in evaluated(rules, units) or not units:
            return rules
        return placed(rules, Rule(units[0], alone))

    def seen(self) -> Scene:
        """What consumers and judges say; a status file that is none counts as one without a heartbeat."""
        now_s = self.clock()
        told = read_statuses(self.places.folder, now_s)
        lease = read_lease(self.places.lease)
        return Scene(
            now_s=now_s,
            leased=lease is not None and lease.is_live(now_s),
            killed=is_killed(),
            consumers=told.consumers,
            judges=told.judges,
            stale=told.stale,
            strangers=strangers(told.consumers),
            drills=newest_drills(self.places.runs),
            version=our_version(),
            machine=our_machine(),
        )

    def _scene(self, ask: Ask) -> Scene:
        """The same, with the newest session about each unit in use that is asked for."""
        scene = self.seen()
        units = list(dict.fromkeys(unit for unit, _ in scene.held(ask.unit)))
        found = [(unit, newest_session(self.places.runs, unit)) for unit in units]
        paths = {session.path: session for _, session in found if session is not None}
        trouble = {path: checked(session) for path, session in paths.items()}
        return replace(
            scene,
            sessions=[
                (unit, replace(session, trouble=trouble[session.path]) if session is not None else None)
                for unit, session in found
            ],
        )


def next_step(state: State) -> Step | None:
    """The first step of the plan that its units have not reached; None at its end, or without a plan."""
    for step in state.steps:
        units = representatives([step.unit, *(rule.unit for rule in state.rules)])
        if any(goes_away(state, unit, step.position) for unit in units if step.unit.covers(unit)):
            return step
    return None


def _nearer(rules: Rules, unit: Unit, position: Position) -> Rules:
    """The rules with the pattern no farther than the position; of a canary with its share."""
    if position.stage in (Stage.OFF, Stage.SHADOW):
        return lowered(rules, unit, position)
    nearer = placed(rules, Rule(unit, position))
    units = [one for one in representatives(rule.unit for rule in (*rules, *nearer)) if unit.covers(one)]
    if any(is_irreversible(position_of(rules, one)) for one in units):
        return rules
    if farther(nearer, rules):
        raise UsageError(f"some of {unit} is nearer to legacy than {position}; name the units apart")
    return nearer


def _signed(ask: Ask) -> dict[str, Any]:
    return {"names": list(ask.names), "strict": ask.strict, **({"signoff": ask.signoff} if ask.signoff else {})}
