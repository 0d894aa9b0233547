"""A rollout on loopback, as one sees it from outside: by its files, its processes and the consumer's own lines."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from shadow.errors import ShadowError
from shadow.rehearsal.judge import Judge
from shadow.rehearsal.parts import Parts
from shadow.rollout.controller import Controller
from shadow.rollout.lease import read_lease
from shadow.rollout.stages import position_of, serving
from shadow.rollout.units import parse_unit

__all__ = ["LoopbackRollout"]

START_S: Final = 30.0
LOOK_S: Final = 0.1


class LoopbackRollout:
    """Venue, consumer and controller as processes, the small judge in this one; who plays it decides what happens."""

    def __init__(self, folder: Path, runs: Path, connections: Sequence[str], symbols: Sequence[str]) -> None:
        self.folder = folder
        self.parts = Parts(folder, runs, connections, symbols)
        self.controller = Controller(self.parts.places, rehearsal=True)
        self.judge = Judge(self.parts)

    async def start_controller(self, plan: Path | None = None) -> None:
        """One that goes on from the journal; by a plan where one is named."""
        await self.parts.start_controller(["--rehearsal"] if plan is None else [str(plan), "--rehearsal"])
        await self.until("the controller to watch", self._is_watched)

    def _is_watched(self) -> bool:
        process, lease = self.parts.controller, read_lease(self.parts.places.lease)
        assert process is not None
        return lease is not None and lease.is_live(time.time()) and lease.holder.endswith(f":{process.pid}")

    async def kill_controller(self) -> None:
        """As `kill -9` does."""
        process = self.parts.controller
        assert process is not None
        process.send_signal(signal.SIGKILL)
        await process.wait()

    def has_applied(self) -> bool:
        """Whether the consumer goes by the flag as the journal has it."""
        return self.parts.has_applied(self.controller.books().state.generation)

    @property
    def is_with_legacy(self) -> bool:
        """Whether legacy serves every unit, by the consumer's own lines."""
        return set(self.parts.ear.serving.values()) == {"legacy"}

    def is_back(self) -> bool:
        """Legacy serves every unit, and the journal and the flag say so; not yet while they cannot be read."""
        if not self.is_with_legacy:
            return False
        try:
            rules = self.controller.books().state.rules
            places = [position_of(rules, parse_unit(unit)) for unit in self.parts.ear.serving]
            return all(serving(place) == "legacy" for place in places) and self.has_applied()
        except ShadowError:
            return False

    def look(self) -> None:
        """Let the judge look once."""
        self.judge.look()

    async def keep_looking(self) -> None:
        """Let the judge look again and again, until this is cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    async def until(self, what: str, holds: Callable[[], bool], within_s: float = START_S) -> None:
        """Wait for it; ShadowError where it does not come."""
        try:
            await self.parts.ear.until(holds, within_s)
        except TimeoutError:
            raise ShadowError(f"waited {within_s:.0f} s for {what} in vain; logs are in {self.folder}") from None
