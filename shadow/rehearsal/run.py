"""Plays a rehearsal: up by the plan's steps, an injected regression, back by itself.

The orchestrator asks for moves as a person would, with `Controller.flip`; that the way back is found is the affair of
judge, controller process and consumer alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from shadow.errors import ShadowError, UsageError
from shadow.rehearsal.outside import LoopbackRollout
from shadow.rehearsal.plan import RehearsalPlan
from shadow.rehearsal.result import Moment, MomentKind
from shadow.rollout.gates import Ask
from shadow.rollout.plan_file import plan_text
from shadow.rollout.stages import SHADOW
from shadow.rollout.state import Step

__all__ = ["Rehearsal"]

MOVE_S: Final = 20.0
DETECT_S: Final = 15.0
SETTLE_S: Final = 8.0
ASK_AGAIN_S: Final = 0.2
PLAN_NAME: Final = "plan.toml"
Tell = Callable[[str], None]


class NoFartherError(ShadowError):
    """A gate stayed shut, or a unit where it was."""


class Rehearsal(LoopbackRollout):
    """One run; what happened is in its fields afterwards. `tell` hears of each moment."""

    def __init__(self, plan: RehearsalPlan, folder: Path, runs: Path, tell: Tell) -> None:
        super().__init__(folder, runs, plan.connections, plan.symbols)
        self.plan = plan
        self._plan_file = folder / PLAN_NAME
        self.moments: list[Moment] = []
        self.reached: list[Step] = []
        self.began_ns = self.harmed_ns = self.back_ns = self.fed_ns = 0
        self.began_s = time.time()
        self.wrong_before = self.wrong_behind = 0
        self.restarted_alike: bool | None = None
        self.settled = False
        self.consumer_code = -1
        self.stage = "starting"
        self._tell = tell

    async def play(self) -> None:
        """From the first process to the last; ShadowError where a part fails to do its work."""
        async with self.parts:
            await self._open()
            looking = asyncio.create_task(self.keep_looking())
            try:
                await self._until_done(looking)
            finally:
                looking.cancel()
                await asyncio.wait({looking})

    async def _until_done(self, looking: asyncio.Task[None]) -> None:
        """A judge that fails ends the rehearsal: a success is never declared without one."""
        playing = asyncio.create_task(self._play())
        await asyncio.wait({playing, looking}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            playing.cancel()
            await asyncio.wait({playing})
            looking.result()
        await playing

    async def _open(self) -> None:
        parts = self.parts
        await parts.start_venue(self.plan.rate, self.plan.seed)
        self._plan_file.write_text(plan_text(list(self.plan.steps)))
        await self.start_controller(self._plan_file)
        for step in self._first_steps():
            await self._move(step)
        await parts.start_consumer(self.plan.placement)
        await self.until("both stacks to subscribe", lambda: parts.is_subscribed)

    def _first_steps(self) -> list[Step]:
        """Those that have to be made before the consumer starts: one that starts at `off` has legacy alone."""
        return [step for step in self.plan.steps if step.position == SHADOW]

    async def _play(self) -> None:
        self.began_ns, self.began_s = perf_counter_ns(), time.time()
        self.parts.feed(self.plan.rate)
        self._note("stage", "shadow: legacy serves, both stacks are connected")
        streams = set(self.parts.units.values())
        await self.until("every unit to be served", lambda: streams <= set(self.parts.ear.serving))
        try:
            await self._climb()
        except NoFartherError as error:
            self._note("end", str(error))
        else:
            await self._harm_and_come_back()
            await asyncio.sleep(self.plan.after_s)
        await self._end()

    async def _climb(self) -> None:
        steps = [step for step in self.plan.steps if step.position != SHADOW]
        for number, step in enumerate(steps):
            await self._move(step)
            self._note("stage", f"{step.unit} {step.position}")
            await self._applied()
            if self.plan.kill_controller and number == len(steps) // 2:
                await self._outlive_controller()
        await asyncio.sleep(steps[-1].at_least_s)
        if set(self.parts.ear.serving.values()) != {"new"}:
            raise NoFartherError("not every unit is served by new behind the last step")

    async def _move(self, step: Step) -> None:
        """Ask until the gates are open."""
        self.stage = f"{step.unit} {step.position}"
        ask = Ask(step.unit, step.position, rehearsal=True)
        ends_s = time.monotonic() + MOVE_S + max(one.at_least_s for one in self.plan.steps)
        while True:
            try:
                await asyncio.to_thread(self.controller.flip, ask)
            except UsageError as shut:
                if time.monotonic() > ends_s:
                    raise NoFartherError(f"it came no farther: {shut}") from None
                await asyncio.sleep(ASK_AGAIN_S)
            else:
                self.reached.append(step)
                return

    async def _applied(self) -> None:
        await self.until("the consumer to apply the flag", self.has_applied, MOVE_S)

    async def _outlive_controller(self) -> None:
        """Kill it; what the journal says and what the consumer gets has to be the same before, without and after."""
        before = self.controller.books().state.rules, dict(self.parts.ear.serving)
        await self.kill_controller()
        self._note("controller", "killed; nothing advances, nothing changes sides")
        await self.start_controller(self._plan_file)
        self.restarted_alike = before == (self.controller.books().state.rules, dict(self.parts.ear.serving))
        self._note("controller", "another one goes on from the journal")

    async def _harm_and_come_back(self) -> None:
        self.wrong_before = self.wrong()
        self.harmed_ns = perf_counter_ns()
        self.parts.harm_file.write_text(self.plan.harm)
        self._note("harm", f"the new stack begins to {self.plan.harm}")
        with suppress(TimeoutError):
            await self.parts.ear.until(self.is_back, DETECT_S)
            self.back_ns = perf_counter_ns()
            self._note("back", "every unit is with legacy, and the flag says so")
        self.parts.harm_file.unlink()
        # What the harm did is known once the ledger's rows of that time have come.
        await asyncio.sleep(min(2.0, self.plan.after_s))
        self.wrong_behind = self.wrong()

    def wrong(self) -> int:
        """Events so far that the consumer should not have got, or not so."""
        return sum(stream.counts.wrong for stream in self.parts.ear.streams.values())

    async def _end(self) -> None:
        self.stage = "ending"
        await self.parts.stop_feeding()
        self.fed_ns = perf_counter_ns()
        with suppress(TimeoutError):
            await self.parts.ear.until(self.parts.ear.is_settled, SETTLE_S)
            self.settled = True
        self.consumer_code = await self.parts.stop_consumer()
        await self.until("the consumer's last line", lambda: self.parts.ear.has_ended, SETTLE_S)
        await self.parts.stop_controller()
        self._note("end", "the consumer has ended")

    def look(self) -> None:
        """Let the judge look; the first alarm is a moment."""
        first = self.judge.first_alarm_ns
        super().look()
        if first is None and self.judge.first_alarm_ns is not None:
            alarm = self.judge.alarms[0]
            self._note("trigger", f"{alarm.trigger}: {alarm.says}")

    def since_s(self, t_ns: int) -> float:
        """Seconds from the first frame on."""
        return (t_ns - self.began_ns) / 1e9

    def _note(self, kind: MomentKind, says: str) -> None:
        moment = Moment(round(self.since_s(perf_counter_ns()), 3), kind, says)
        self.moments.append(moment)
        self._tell(f"{moment.at_s:6.1f} s  {kind}: {says}")
