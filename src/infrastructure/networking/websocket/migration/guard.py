"""What a manager of both stacks does by itself against a new stack that harms: no flag, no judge, nothing that waits.

A stream that new serves goes back to legacy when legacy has had something for a second that new does not bring. A new
stack that delivers many times what legacy does is shed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.lane import Lane
from infrastructure.networking.websocket.migration.leg import Leg
from infrastructure.networking.websocket.migration.streams import Stream

__all__ = ["SILENCE_S", "Guard"]

LOOK_S = 0.1
SILENCE_S = 1.0
FLOOD_LOOKS = 10
FLOOD_TIMES = 3
FLOOD_FACTOR = 10
FLOOD_SPARE = 1000
"""A flood: `FLOOD_TIMES` seconds in a row with more than so many messages beside ten times those of legacy."""


@dataclass(slots=True)
class Silence:
    """A stream that lacks something: how much its consumer had by then, and for how many looks it has been so."""

    taken: int
    looks: int = 0


class Guard:
    """Looks at both stacks ten times a second. A loop that stood still counts as one look, so it accuses nobody."""

    def __init__(self, legs: Mapping[Side, Leg], lanes: Mapping[Stream, Lane]) -> None:
        self._legs = legs
        self._lanes = lanes
        self._silences: dict[Stream, Silence] = {}
        self._counted = dict.fromkeys(Side, 0)
        self._floods = 0

    async def watch(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            looks += 1
            self.look()
            if looks % FLOOD_LOOKS == 0 and (reason := self.flood()) is not None:
                await self._legs[Side.NEW].shed(reason)

    def look(self) -> None:
        """Take every stream back that new has left without what legacy has."""
        if not self._legs[Side.LEGACY].is_connected():
            # A cause that both share is none to go back for.
            self._silences.clear()
            return
        for stream, lane in self._lanes.items():
            if lane.arbiter.serving is Side.NEW and lane.wanted is Side.NEW and lane.arbiter.is_starved:
                self._note(stream, lane)
            else:
                self._silences.pop(stream, None)

    def _note(self, stream: Stream, lane: Lane) -> None:
        silence = self._silences.get(stream)
        if silence is None or silence.taken != lane.arbiter.taken:
            self._silences[stream] = Silence(lane.arbiter.taken)
            return
        silence.looks += 1
        if silence.looks * LOOK_S >= SILENCE_S:
            del self._silences[stream]
            lane.retreat(f"new has been silent for {SILENCE_S:g} s while legacy was not")

    def flood(self) -> str | None:
        """Once a second: why new has to be shed; None while it delivers no more than is plausible."""
        fresh = {side: self._legs[side].messages - before for side, before in self._counted.items()}
        self._counted = {side: leg.messages for side, leg in self._legs.items()}
        is_flood = fresh[Side.NEW] > FLOOD_FACTOR * fresh[Side.LEGACY] + FLOOD_SPARE
        is_flood = is_flood and self._legs[Side.NEW].is_running and self._legs[Side.LEGACY].is_connected()
        self._floods = self._floods + 1 if is_flood else 0
        if self._floods < FLOOD_TIMES:
            return None
        self._floods = 0
        return f"new floods: {fresh[Side.NEW]} messages in a second, legacy {fresh[Side.LEGACY]}"
