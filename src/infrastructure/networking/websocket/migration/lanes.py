"""Which message of two stacks reaches the consumer: each goes to the arbiter of its stream, and from there out once."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from exchanges.structs.types import MessageType, ParsedMessage
from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.flag_reader import FlagReader
from infrastructure.networking.websocket.migration.lane import FlipRecord, Lane, by_unit
from infrastructure.networking.websocket.migration.leg import Leg, OnMessage
from infrastructure.networking.websocket.migration.passage import Passage
from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture
from infrastructure.networking.websocket.migration.streams import Stream, make_arbiter, place
from infrastructure.networking.websocket.migration.unit import PRIVATE, Unit

__all__ = ["Lanes"]

ANSWER_S = 5.0
"""How long behind the last thing sent by a side its answers are handed on, whoever speaks by then."""
RANKS = {stage: rank for rank, stage in enumerate(Stage)}


class Lanes:
    """The lanes of a manager's streams, begun as their messages come, and legacy's `passage` past all of them.

    `legs` may be filled later, but before the first message. `on_late` is called, a turn of the loop later, when a
    stream that went straight turns out to have a stage that does not give the consumer legacy alone.
    """

    def __init__(
        self,
        scope: Unit,
        reader: FlagReader,
        legs: Mapping[Side, Leg],
        consume: OnMessage,
        on_late: Callable[[], None],
        *,
        limits: Limits,
        logger: logging.Logger,
    ) -> None:
        self.by_stream: dict[Stream, Lane] = {}
        self.passage = Passage(consume, partial(self.take_in, Side.LEGACY), self._note_passed, self._may_pass)
        self._scope = scope
        self._reader = reader
        self._legs = legs
        self._consume = consume
        self._on_late = on_late
        self._limits = limits
        self._logger = logger
        self._last_control: Side | None = None
        self._sent_at = dict.fromkeys(Side, -math.inf)
        self._followed = reader.stages()

    # What the stacks say

    async def take_in(self, side: Side, message: ParsedMessage) -> None:
        """A side delivered a message; what belongs to no stream goes to the consumer from the side that speaks.

        An answer comes from the side that was asked.
        """
        self._legs[side].messages += 1
        placed = self._place(side, message)
        if placed is None:
            if side is self.control_side or self._may_answer(side, message):
                await self._consume(message)
            return
        stream, event = placed
        await (self.by_stream.get(stream) or self._make_lane(stream)).take_in(side, event)

    def set_connected(self, side: Side, is_connected: bool) -> None:
        """A side's connection came or went."""
        for lane in self.by_stream.values():
            lane.set_connected(side, is_connected)

    def leave(self, side: Side) -> None:
        """A stack is gone: what it served goes back to the other one."""
        if side is Side.LEGACY:
            self.passage.shut(waits=False)
        for lane in self.by_stream.values():
            if lane.arbiter.serving is side and self._legs[side.other].is_running:
                if side is Side.NEW:
                    lane.retreat(self._legs[side].problem or "new is gone")
                else:
                    lane.move(side.other, is_rollback=True)

    def _note_passed(self, message: ParsedMessage) -> None:
        """Legacy's message went straight to the consumer."""
        self._legs[Side.LEGACY].messages += 1
        placed = self._place(Side.LEGACY, message)
        if placed is not None:
            stream, event = placed
            lane = self.by_stream.get(stream)
            if lane is not None:
                lane.note_passed(Side.LEGACY, event)
                return
            self._begin_led_lane(stream).note_passed(Side.LEGACY, event)

    def _may_pass(self) -> bool:
        return (
            self._is_legacys()
            and self._legs[Side.LEGACY].is_running
            and all(lane.is_legacys_alone for lane in self.by_stream.values())
        )

    def _place(self, side: Side, message: ParsedMessage) -> tuple[Stream, Event] | None:
        try:
            return place(message)
        except Exception as error:  # noqa: BLE001 - a message that cannot be placed comes from the side that speaks
            self._legs[side].errors += 1
            self._logger.warning(
                "%s: %s message without a place: %s", side.value, MessageType(message.message_type).name, error
            )
            return None

    # How a stream begins

    def _make_lane(self, stream: Stream) -> Lane:
        if self.passage.is_straight:
            self.passage.catch_up()
            return self.by_stream.get(stream) or self._begin_led_lane(stream)
        wanted = self.side_of(self._unit_of(stream))
        lane = self._begin_lane(stream, wanted if self._legs[wanted].is_connected() else wanted.other)
        self._apply(lane)
        return lane

    def _begin_led_lane(self, stream: Stream) -> Lane:
        """Of a stream that went straight: it was legacy's alone, whatever the stage is by now.

        Its stage is applied behind all that went by, or the incoming side would give that once more.
        """
        lane = self._begin_lane(stream, Side.LEGACY)
        if self._is_legacys():
            self._apply(lane)
        else:
            asyncio.get_running_loop().call_soon(self._on_late)
        return lane

    def _begin_lane(self, stream: Stream, serving: Side) -> Lane:
        unit = self._unit_of(stream)
        lane = Lane(unit, make_arbiter(stream, serving, self._limits), self._consume, self._logger)
        for side, leg in self._legs.items():
            lane.set_connected(side, leg.is_connected())
        self.by_stream[stream] = lane
        return lane

    def _unit_of(self, stream: Stream) -> Unit:
        if self._scope.channel == PRIVATE:
            return self._scope
        unit = Unit(self._scope.exchange, self._scope.market, stream.channel, stream.symbol)
        self._reader.add([unit])
        return unit

    # What the stages say

    def side_of(self, unit: Unit) -> Side:
        """Who serves a unit by its stage."""
        return Side(serving_architecture(self._reader.stage(unit)))

    def follow(self) -> bool:
        """Bring every stream to the side that its stage names: rollbacks at once, flips when they are ready.

        False, and nothing is done, while the consumer has not returned from what went straight.
        """
        if not self._is_legacys() and not self.passage.shut():
            return False
        if self._advances():
            self._legs[Side.NEW].pardon()
        for lane in self.by_stream.values():
            self._apply(lane)
        return True

    def _advances(self) -> bool:
        """Whether some unit stands farther from legacy than when this was last asked: only people bring it there."""
        stages = self._reader.stages()
        before, self._followed = self._followed, stages
        return any(RANKS[stage] > RANKS[before.get(unit, stage)] for unit, stage in stages.items())

    def _sides(self) -> set[Side]:
        """Who serves something by the stages."""
        return {Side(serving_architecture(stage)) for stage in set(self._reader.stages().values())}

    def _is_legacys(self) -> bool:
        """Whether every stage gives the consumer legacy alone."""
        return self._sides() == {Side.LEGACY}

    def _apply(self, lane: Lane) -> None:
        stage = self._reader.stage(lane.unit)
        to = Side(serving_architecture(stage))
        lane.arbiter.fills = stage not in (Stage.OFF, Stage.SHADOW)
        if to is Side.LEGACY:
            lane.latch = None
        elif lane.latch is not None:
            return
        # A side that does not run cannot be gone back to at once: the other goes on until this one is connected.
        is_rollback = to is Side.LEGACY and self._legs[Side.LEGACY].is_running
        if to is not lane.wanted or (is_rollback and to is not lane.arbiter.serving):
            lane.move(to, is_rollback=is_rollback)

    # Which side serves and speaks

    def serving(self) -> dict[Unit, Side]:
        """Who serves each unit of which a stream has begun; one that has not moved as a whole is where it was."""
        self.passage.catch_up()
        found: dict[Unit, Side] = {}
        for lane in self.by_stream.values():
            if found.setdefault(lane.unit, lane.arbiter.serving) is not lane.arbiter.serving:
                found[lane.unit] = lane.wanted.other
        return found

    @property
    def control_side(self) -> Side:
        """Legacy until every unit is new; then new. In the midst of a close it is the last one."""
        if self._last_control is not None:
            return self._last_control
        if not self._legs[Side.NEW].is_running:
            return Side.LEGACY
        is_new = self._sides() == {Side.NEW} and self._is_left_by(Side.LEGACY)
        return Side.NEW if is_new or not self._legs[Side.LEGACY].is_running else Side.LEGACY

    def keep_control(self) -> None:
        """The side that speaks now does so to the end: the stacks are about to be closed."""
        self._last_control = self.control_side

    def note_sent(self) -> None:
        """The side that speaks is about to send what may be answered."""
        self._sent_at[self.control_side] = time.monotonic()

    def _may_answer(self, side: Side, message: ParsedMessage) -> bool:
        # A subscription of the standby that failed is no answer to the caller.
        return message.message_type is not MessageType.SUBSCRIPTION_ERROR and self._is_asked(side)

    def _is_asked(self, side: Side) -> bool:
        return time.monotonic() - self._sent_at[side] < ANSWER_S

    def is_idle(self, side: Side) -> bool:
        """Whether a side serves no stream, does not speak for both, and, of legacy, owes no answer.

        New is not waited for: it may be doing harm.
        """
        is_asked = side is Side.LEGACY and self._is_asked(side)
        return self._is_left_by(side) and self.control_side is not side and not is_asked

    def _is_left_by(self, side: Side) -> bool:
        return all(lane.arbiter.serving is not side for lane in self.by_stream.values())

    # What is told of them

    def flip_records(self) -> list[FlipRecord]:
        """Every change of sides of the streams, the newest with its audit so far."""
        lanes = self.by_stream.values()
        for lane in lanes:
            lane.seal()
        return sorted((one for lane in lanes for one in lane.records), key=lambda one: one.decided_at)

    def metrics(self) -> dict[str, Any]:
        """Who serves each unit, why one was taken back, holes that were given up, and events."""
        lanes = self.by_stream.values()
        return {
            "serving": {str(unit): side.value for unit, side in self.serving().items()},
            "latched": {str(lane.unit): lane.latch for lane in lanes if lane.latch},
            "gaps": {unit: count for unit, count in by_unit(lanes, lambda lane: lane.arbiter.gaps).items() if count},
            "events": by_unit(lanes, lambda lane: lane.arbiter.taken),
        }

    async def close(self) -> None:
        """End the timers and tasks of every lane."""
        for lane in self.by_stream.values():
            await lane.close()
