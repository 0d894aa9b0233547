"""A rollout on loopback for drills: venue, consumer and controller as processes, the small judge in this one.

Stages are set past all gates, since not the way up is drilled but the way back. The units go to `off` and up again
before each harm, so that every one meets a new stack that has just been started.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from shadow.rehearsal.outside import LoopbackRollout
from shadow.rehearsal.parts import UNDISTURBED
from shadow.rehearsal.served import Stream
from shadow.rollout.flag_file import evaluated
from shadow.rollout.stages import OFF, SHADOW, Position, Rule, Rules, serving
from shadow.rollout.units import EVERYTHING, parse_unit

__all__ = ["SYMBOLS", "Scene", "Totals", "sides_of"]

SETTLE_S: Final = 10.0
RATE: Final = 300.0
SYMBOLS: Final = ("BTC_USDT", "ETH_USDT")
Totals = dict[str, int]


class Scene(LoopbackRollout):
    """A rollout that is harmed again and again: its stages, its harms and its counts."""

    def __init__(self, folder: Path, runs: Path, connections: Sequence[str]) -> None:
        super().__init__(folder, runs, connections, SYMBOLS)
        self.judge_lives = True
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.parts.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await self.parts.__aexit__(None, None, None)

    async def open(self, seed: int) -> None:
        """Start all, both stacks connected, legacy serving; ShadowError for a part that does not start."""
        parts = self.parts
        await parts.start_venue(RATE, seed, [f"close@{one}:at=1ms,code=1001" for one in parts.connections])
        self.place((Rule(EVERYTHING, SHADOW),))
        await self.start_controller()
        await parts.start_consumer("sidecar")
        await self.until("both stacks to subscribe", lambda: parts.is_subscribed)
        parts.feed(RATE)
        self._looking = asyncio.create_task(self.keep_looking())
        units = set(parts.units.values())
        await self.until("every unit to be served", lambda: units <= set(parts.ear.serving))

    def place(self, rules: Rules) -> None:
        """Set the stages, past all gates."""
        ledger = self.controller.ledger
        with ledger.locked():
            now_s = time.time()
            ledger.change(now_s, ledger.settled(now_s).state, rules, why="the drill")

    async def restart_new(self) -> None:
        """End the new stack wherever it runs, and start it again; legacy serves."""
        self.place((Rule(EVERYTHING, OFF),))
        await self.until("new to end", lambda: not self.sidecars() and self.has_applied())
        self.place((Rule(EVERYTHING, SHADOW),))
        await self.until("new to connect", self.is_new_ready)

    def is_new_ready(self) -> bool:
        """Whether legacy serves all and new is connected everywhere."""
        status = self.parts.status()
        if status is None or not self.has_applied():
            return False
        return all(unit.serving == "legacy" and unit.other_ready for unit in status.units.values())

    async def reach(self, rules: Rules) -> None:
        """Bring every unit to the side that the rules name."""
        wanted = self.sides(rules)
        self.place(rules)
        await self.until("the units to change sides", lambda: self.parts.ear.serving == wanted and self.has_applied())

    def sides(self, rules: Rules) -> dict[str, str]:
        """Who serves each unit once the rules are applied."""
        return sides_of(rules, sorted(self.parts.ear.serving))

    def sides_are(self, wanted: dict[str, str]) -> bool:
        """Whether each unit is served as wanted."""
        return self.parts.ear.serving == wanted

    def is_held(self) -> bool:
        """Whether the controller holds units since no judge watches."""
        return any(hold.cause == "silence" and not hold.is_over for hold in self.controller.books().state.holds)

    def harm(self, text: str) -> None:
        """Tell new what to do; an empty text ends it."""
        if text:
            self.parts.harm_file.write_text(text)
        else:
            self.parts.harm_file.unlink(missing_ok=True)

    def owed(self) -> int:
        """Events that the venue has sent so far."""
        return sum(stream.counts.owed for stream in self.parts.ear.streams.values())

    def sidecars(self) -> list[int]:
        """Processes that hold new."""
        return self.judge.sidecars()

    async def pause(self) -> None:
        """Send no more until all that was sent is known at both ends, or never will be."""
        await self.parts.stop_feeding()
        with suppress(TimeoutError):  # what is missing then is lost, and counted
            await self.parts.ear.until(self.parts.ear.is_settled, SETTLE_S)

    async def resume(self) -> None:
        """Send again, undisturbed; what is missing has been counted."""
        for stream in self.parts.ear.streams.values():
            stream.write_off()
        await self.parts.begin_leg(UNDISTURBED)
        self.parts.feed(RATE)

    def totals(self) -> Totals:
        """Events that have a version so far: owed, and what was wrong at the consumer."""
        streams = [stream for stream in self.parts.ear.streams.values() if stream.is_versioned]
        return {
            "owed": sum(stream.counts.owed for stream in streams),
            "lost": sum(map(Stream.lost, streams)),
            "doubled": sum(stream.counts.doubled for stream in streams),
            "reordered": sum(stream.counts.reordered for stream in streams),
        }

    async def close(self) -> int:
        """End it in order, so that the consumer tells its flips; its exit code."""
        code = await self.parts.stop_consumer()
        await self.until("the consumer's last line", lambda: self.parts.ear.has_ended)
        await self.parts.stop_controller()
        return code

    def look(self) -> None:
        """Let the judge look, unless it is to be dead."""
        if self.judge_lives:
            super().look()


def sides_of(rules: Rules, units: Sequence[str]) -> dict[str, str]:
    """Who serves each unit under rules; a canary's share is drawn as the flag draws it."""
    stages = evaluated(rules, [parse_unit(unit) for unit in units])
    return {unit: serving(Position(stage)) for unit, stage in zip(units, stages, strict=True)}
