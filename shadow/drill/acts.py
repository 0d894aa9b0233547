"""How each harm of a stage is done, and what has to hold besides: each act takes the scene and gives a sentence of what
was missing, empty where nothing was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Final

from shadow.drill.scene import RATE, Scene
from shadow.drill.served_plan import Act, Served
from shadow.rehearsal.cost import Cost
from shadow.rehearsal.parts import CHUNK_S
from shadow.rollout.consumers import HEARTBEAT_S
from shadow.rollout.flag_file import replace_file
from shadow.rollout.stages import Rules

__all__ = ["ACTS", "GRACE_S", "Strike"]

GRACE_S: Final = 5.0
"""How much longer than its bound a way back is waited for, so that its length is known."""
DEAD_S: Final = 2.0
STALE_S: Final = 6.0
AWAY_S: Final = 0.3
QUIET_RATE: Final = RATE / 20
CALM_RATE: Final = RATE / 3
FEED_S: Final = 1.0
NONSENSE: Final = b'{"flags": '


@dataclass
class Strike:
    """One act under way: what it is done to, and when it struck and was over (ns; 0: not yet).

    `happened` counts those who owned up to it, or what proves it from outside.
    """

    scene: Scene
    served: Served
    rules: Rules
    bound_s: float
    cost: Cost | None = None
    messages: int = 1
    struck_ns: int = 0
    back_ns: int = 0
    happened: int = 0
    wanted: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """From here on its time runs."""
        self.struck_ns = perf_counter_ns()

    def tell_new(self) -> None:
        """New does its word from now on."""
        self.begin()
        each_ns = 0 if self.cost is None else round(self.served.share * self.cost.usual_ns / self.messages)
        self.scene.harm(f"{self.served.word} {each_ns}" if each_ns else self.served.word)

    async def back(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds, somewhat longer than it may take."""
        try:
            await self.scene.parts.ear.until(holds, self.bound_s + GRACE_S)
        except TimeoutError:
            return
        self.back_ns = perf_counter_ns()


async def by_new(strike: Strike) -> str:
    """New does its word; where that has to fire, it has to be left."""
    strike.tell_new()
    return await _felt(strike)


async def _felt(strike: Strike) -> str:
    scene, served = strike.scene, strike.served
    if served.drill.trigger:
        await strike.back(scene.is_back)
    else:
        await asyncio.sleep(served.lasts_s)
    strike.happened = len(scene.parts.owned_up(served.word))
    return ""


async def in_a_flip(strike: Strike) -> str:
    """As soon as the first unit has changed sides."""
    scene = strike.scene
    moves = len(scene.parts.ear.moves)
    scene.place(strike.rules)
    await scene.until("the first unit to change sides", lambda: len(scene.parts.ear.moves) > moves)
    return await by_new(strike)


async def without_controller(strike: Strike) -> str:
    """The consumer itself has to leave new; the flag follows once a controller lives again."""
    scene = strike.scene
    await scene.kill_controller()
    strike.tell_new()
    await strike.back(lambda: scene.is_with_legacy)
    strike.happened = len(scene.parts.owned_up(strike.served.word))
    await scene.start_controller()
    try:
        await scene.parts.ear.until(scene.is_back, strike.bound_s)
    except TimeoutError:
        return "the flag did not follow when a controller lived again"
    return ""


async def with_nonsense(strike: Strike) -> str:
    """The flag file cannot be read when the trigger opens."""
    replace_file(strike.scene.parts.places.flags, NONSENSE)
    return await by_new(strike)


async def quiet(strike: Strike) -> str:
    """Hardly anything is sent."""
    return await _paced(strike, QUIET_RATE, RATE)


async def burst(strike: Strike) -> str:
    """Behind a calm while ten times as much as in it."""
    strike.scene.parts.rate = CALM_RATE
    await asyncio.sleep(2 * CHUNK_S)
    return await _paced(strike, 10 * CALM_RATE, CALM_RATE)


async def _paced(strike: Strike, rate: float, usual: float) -> str:
    parts = strike.scene.parts
    parts.rate = rate
    strike.begin()
    await asyncio.sleep(CHUNK_S)
    owed, since_ns = strike.scene.owed(), parts.ear.ledger_ns
    await asyncio.sleep(FEED_S)
    found = (strike.scene.owed() - owed) / max(1, parts.ear.ledger_ns - since_ns) * 1e9
    strike.happened = int(_is_nearer(rate, usual, found))
    parts.rate = RATE
    await asyncio.sleep(strike.served.lasts_s)
    return ""


def _is_nearer(wanted: float, usual: float, found: float) -> bool:
    """Whether a rate is nearer to the wanted one; that of what arrives is below that of what is sent."""
    return abs(found - wanted) < abs(found - usual)


async def outage(strike: Strike) -> str:
    """The venue closes every connection of both sides; links that subscribe anew prove it.

    It does so while nothing is sent: legacy loses what it has not handed on yet when a close comes behind it.
    """
    parts = strike.scene.parts
    before = {row[:2] for row in parts.ear.subscribed}
    await strike.scene.pause()
    strike.begin()
    await parts.strike()
    await asyncio.sleep(AWAY_S)
    parts.feed(RATE)
    await asyncio.sleep(strike.served.lasts_s)
    fresh = {row[:2] for row in parts.ear.subscribed} - before
    missing = set(parts.connections) - {connection for connection, _ in fresh}
    strike.happened = len(fresh)
    return f"{', '.join(sorted(missing))} did not come back" if missing else ""


async def judge_dies(strike: Strike) -> str:
    """Its status gets no heartbeat: what new serves is held until somebody watches again."""
    scene = strike.scene
    strike.begin()
    scene.judge_lives = False
    try:
        await scene.parts.ear.until(scene.is_held, HEARTBEAT_S + 3.0)
    except TimeoutError:
        return "nobody held the units"
    finally:
        scene.judge_lives = True
    strike.happened = 1
    await scene.until("the hold to be over", lambda: not scene.is_held())
    return ""


async def controller_dies(strike: Strike) -> str:
    """Stages stay, and another one goes on from the journal."""
    scene, before = strike.scene, strike.scene.controller.books().state.rules
    strike.begin()
    await scene.kill_controller()
    strike.happened = 1
    await asyncio.sleep(DEAD_S)
    await scene.start_controller()
    return "" if scene.controller.books().state.rules == before else "the state of the journal is another one"


async def flag_unreadable(strike: Strike) -> str:
    """Longer than the flag counts as fresh: the last good one stays."""
    path = strike.scene.parts.places.flags
    good = path.read_bytes()
    strike.begin()
    replace_file(path, NONSENSE)
    await asyncio.sleep(STALE_S)
    strike.happened = int(path.read_bytes() == NONSENSE)
    replace_file(path, good)
    return ""


ACTS: Final[dict[Act, Callable[[Strike], Awaitable[str]]]] = {
    "harm": by_new,
    "flip": in_a_flip,
    "orphan": without_controller,
    "nonsense": with_nonsense,
    "quiet": quiet,
    "burst": burst,
    "outage": outage,
    "judge": judge_dies,
    "controller": controller_dies,
    "flag": flag_unreadable,
}
