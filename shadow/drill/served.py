"""Does each drill of a stage to a running rollout, and says what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any, Final

import msgspec

from shadow.drill.acts import ACTS, Strike
from shadow.drill.cells import Cell
from shadow.drill.scene import Scene, Totals
from shadow.drill.served_plan import ROLLBACK_S, Served, rules_of
from shadow.many_sessions import Tell
from shadow.rehearsal.cost import Cost

__all__ = ["StageDrill", "audited", "bound_of", "cell_of", "lacking", "wrong_since"]

AFTER_S: Final = 1.0
WHOLE_S: Final = 3.0
"""Until every book came whole once: what a stack leaves to that nobody has missed, as legacy served."""
WRONG: Final = ("lost", "doubled", "reordered")
DIRTY: Final = ("lost", "duplicated", "reordered", "given_up")


class StageDrill:
    """The drills of one stage, one after the other."""

    def __init__(self, stage: str, scene: Scene, tell: Tell) -> None:
        self._stage = stage
        self._rules = rules_of(stage)
        self._scene = scene
        self._tell = tell
        self._is_unharmed = False

    async def play(self, drills: Sequence[Served]) -> list[Cell]:
        """Their lines, in order; ShadowError where a part fails to do its work."""
        found: list[tuple[Cell, int]] = []
        for number, served in enumerate(drills, 1):
            cell = await self._one(served)
            found.append((cell, perf_counter_ns()))
            self._tell(f"{self._stage} {number}/{len(drills)} {served.drill.what}: {cell.reason}")
        await self._scene.pause()
        code = await self._scene.close()
        lacks = f"the consumer ended with code {code}" if code else ""
        return [lacking(cell, lacks) for cell in audited(found, self._scene.parts.ear.flips)]

    async def _one(self, served: Served) -> Cell:
        before = self._scene.totals()
        await self._prepare(served)
        strike = await self._stand(served)
        lacks = await ACTS[served.act](strike)
        self._scene.harm("")
        await asyncio.sleep(AFTER_S)
        await self._scene.pause()
        cell = lacking(lacking(cell_of(strike), lacks), wrong_since(before, self._scene.totals()))
        self._is_unharmed = not served.word and not cell.fired and self._scene.sides_are(strike.wanted)
        await self._scene.resume()
        return cell

    async def _prepare(self, served: Served) -> None:
        """A new stack at its stage that nobody has harmed yet; for a flip right before it."""
        scene = self._scene
        for note in scene.parts.owned_up("*"):
            note.unlink()
        if served.word == "conflate":
            scene.harm("conflate")
        if served.word or not (self._is_unharmed and scene.sides_are(scene.sides(self._rules))):
            await scene.restart_new()
        if served.word == "conflate":
            await asyncio.sleep(WHOLE_S)
        scene.judge.begin()
        scene.judge.look()  # what it found in a stack that was just starting is no longer open
        if served.act != "flip":
            await scene.reach(self._rules)

    async def _stand(self, served: Served) -> Strike:
        """Let it serve for a while, undisturbed."""
        scene, owed = self._scene, self._scene.owed()
        consumer = scene.parts.consumer
        assert consumer is not None
        cost = Cost(scene.sidecars(), consumer.pid) if served.share else None
        scene.judge.begin(cost)
        await asyncio.sleep(served.before_s if served.act != "flip" else 0.0)
        if cost is not None:
            await scene.until("the usual cost", lambda: cost.is_ready)
        bound_s = bound_of(served, cost)
        messages = max(1, scene.owed() - owed)
        return Strike(scene, served, self._rules, bound_s, cost, messages, wanted=scene.sides(self._rules))


def bound_of(served: Served, cost: Cost | None) -> float:
    """Seconds that the way back may take; with a cost what its noise lets one promise, but never more than planned."""
    planned_s = served.drill.bound_s or 0.0
    return planned_s if cost is None else min(planned_s, cost.seconds_to_see(1.0 + served.share) + ROLLBACK_S)


def cell_of(strike: Strike) -> Cell:
    """What was seen of a drill."""
    scene, wanted = strike.scene, strike.served.drill
    alarms, first_ns = scene.judge.alarms, scene.judge.first_alarm_ns
    is_back = bool(strike.back_ns) if wanted.trigger else not scene.sides_are(strike.wanted)
    opened_s, back_s = (seconds_since(strike.struck_ns, t) for t in (first_ns, strike.back_ns or None))
    says = "; ".join(f"{alarm.trigger}: {alarm.says}" for alarm in alarms) or "no trigger opened"
    times = f", opened after {opened_s:g} s" if opened_s is not None else ""
    times += f", legacy served after {back_s:g} s" if back_s is not None else ""
    return Cell(
        drill=wanted,
        happened=strike.happened,
        verdict="ROLL_BACK" if is_back else "HOLD",
        reason=f"{says}{times}",
        decided_by=alarms[0].trigger if alarms and is_back else "",
        fired=tuple(dict.fromkeys(alarm.trigger for alarm in alarms)),
        delay=back_s,
        bound=round(strike.bound_s, 1) if wanted.trigger else None,
        early=first_ns is not None and first_ns < strike.struck_ns,
    )


def seconds_since(start_ns: int, t_ns: int | None) -> float | None:
    return None if t_ns is None else round((t_ns - start_ns) / 1e9, 2)


def lacking(cell: Cell, lacks: str) -> Cell:
    """The line with one more thing that had to hold and did not; an empty text adds none."""
    both = "; ".join(text for text in (cell.lacks, lacks) if text)
    return msgspec.structs.replace(cell, lacks=both)


def wrong_since(before: Totals, now: Totals) -> str:
    """What the consumer lost, got twice or out of order since then, of events with a version."""
    if now["owed"] <= before["owed"]:
        return "nothing was sent"
    return ", ".join(f"{now[name] - before[name]} {name}" for name in WRONG if now[name] > before[name])


def audited(found: Sequence[tuple[Cell, int]], flips: Sequence[dict[str, Any]]) -> list[Cell]:
    """The lines with the audits of the flips of their time; each comes with when (ns) it ended."""
    cells, began_ns = [], 0
    for cell, ended_ns in found:
        ours = [flip for flip in flips if began_ns <= flip["decided"] < ended_ns and flip["audited"]]
        bad = [flip["unit"] for flip in ours if any(flip[name] for name in DIRTY)]
        lacks = f"{len(bad)} of {len(ours)} audits not clean, first {bad[0]}" if bad else ""
        if cell.drill.trigger and not ours:
            lacks = "no flip was audited"
        cells.append(lacking(cell, lacks))
        began_ns = ended_ns
    return cells
