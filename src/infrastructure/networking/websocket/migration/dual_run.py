"""Both stacks behind the public API of one WebSocketManager, for the stages between `off` and `complete`.

What is sent to the exchange goes out by one side alone. Errors of the other side stay in here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any

from exchanges.structs.errors import ConfigurationError, ExchangeRestError
from exchanges.structs.types import ConnectionState, ParsedMessage, Symbol
from infrastructure.networking.websocket.migration.beat import Beat
from infrastructure.networking.websocket.migration.event import Limits, Side
from infrastructure.networking.websocket.migration.flag_reader import FlagReader
from infrastructure.networking.websocket.migration.guard import Guard
from infrastructure.networking.websocket.migration.lane import FlipRecord
from infrastructure.networking.websocket.migration.lanes import Lanes
from infrastructure.networking.websocket.migration.leg import Build, Leg, OnMessage, OnState, build_either, leg_metrics
from infrastructure.networking.websocket.migration.revival import Revival
from infrastructure.networking.websocket.migration.stage import Stage
from infrastructure.networking.websocket.migration.stamps import StampClock
from infrastructure.networking.websocket.migration.streams import spell
from infrastructure.networking.websocket.migration.tap import Source, Tap
from infrastructure.networking.websocket.migration.unit import PRIVATE, Unit

__all__ = ["DualRunManager"]

PUBLIC_CHANNELS = ("book", "trade", "book_ticker", "ticker")
SETTLE_S = 0.02
LOOK_AGAIN_S = 0.002


class DualRunManager:
    """The public API of WebSocketManager over legacy and new; `scope` names exchange, market and, private, account.

    Both stacks run in the caller's loop. A stack that the stage does not need is closed; one that fails while it only
    stands by is shed, with the reason in `get_performance_metrics()["migration"]`.
    """

    architecture_version = "dual"

    def __init__(
        self,
        scope: Unit,
        builds: Mapping[Side, Build],
        message_handler: OnMessage,
        connection_handler: OnState | None = None,
        *,
        stage: Stage = Stage.SHADOW,
        logger: logging.Logger | None = None,
        limits: Limits | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.scope = scope
        self.message_handler = message_handler
        self.connection_handler = connection_handler
        self.logger = logger or logging.getLogger("websocket.migration")
        self.limits = limits or Limits()
        self._reader = FlagReader(self._on_flag_thread, first=stage)
        self._reader.add([scope])
        self._legs: dict[Side, Leg] = {}
        self._lanes = Lanes(
            scope, self._reader, self._legs, message_handler, self._on_flag, limits=self.limits, logger=self.logger
        )
        self._source: Source | None = None if tap is None else tap.source(scope.connection, self._look)
        self._legs.update((side, self._make_leg(side, builds[side])) for side in Side)
        self._revival = Revival(self._revive_legacy)
        self._guard = Guard(self._legs, self._lanes.by_stream)
        self._symbols: dict[Symbol, None] = {}
        self._channels: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._settling: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._is_closed, self._is_settled = False, True
        try:
            serving = self._lanes.side_of(scope)
            build_either(self._legs[serving], self._legs[serving.other] if self._is_needed(serving.other) else None)
        except BaseException:
            self._leave_tap()
            raise

    def _make_leg(self, side: Side, build: Build) -> Leg:
        def on_message(message: ParsedMessage) -> Awaitable[None]:
            return self._lanes.take_in(side, message)

        async def on_state(state: ConnectionState) -> None:
            await self._on_state(side, state)

        way: OnMessage = self._lanes.passage.hand_on if side is Side.LEGACY else on_message

        def on_shed() -> None:
            self._lanes.leave(side)
            if side is Side.LEGACY:
                self._revival.note_end()

        if self._source is None:
            return Leg(side, build, way, on_state, on_shed, self.logger)
        clock = StampClock()
        past_tap = self._source.past(side, clock, way)
        return Leg(side, build, past_tap, on_state, on_shed, self.logger, clock=clock)

    def _look(self) -> dict[str, Any]:
        """What the tap tells of this manager at each beat, by side; a side without a process does not run."""
        return {side.value: leg.look() for side, leg in self._legs.items()}

    def _leave_tap(self) -> None:
        if self._source is not None:
            self._source.leave()

    # The public API

    async def initialize(self, symbols: Sequence[Symbol] | None = None, default_channels: Any = None) -> None:
        """Start the stacks that the stage needs; returns before they are connected.

        ConfigurationError when none of them starts.
        """
        self._loop = asyncio.get_running_loop()
        self._symbols = dict.fromkeys(symbols or ())
        self._channels = list(default_channels) if default_channels else None
        self._add_units(self._symbols)
        self._reader.start()
        self._in_background(self._guard.watch())
        self._in_background(Beat().beat())
        self._in_background(self._lanes.passage.keep_up())
        for side in (Side.LEGACY, Side.NEW):
            if self._is_needed(side) and self._legs[side].problem is None:
                await self._legs[side].try_start(list(self._symbols), self._channels)
        if not any(leg.is_running for leg in self._legs.values()):
            self._revival.cancel()
            raise ConfigurationError("; ".join(f"{side.value}: {leg.problem}" for side, leg in self._legs.items()))

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Ask for more symbols; ExchangeRestError 503 offline, 400 when it could not be sent."""
        await self._control.subscribe(symbols)
        self._symbols.update(dict.fromkeys(symbols))
        self._add_units(symbols)
        self._in_background(self._standby.try_subscribe(symbols))

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Give symbols up."""
        await self._control.unsubscribe(symbols)
        for symbol in symbols:
            self._symbols.pop(symbol, None)
        self._in_background(self._standby.try_unsubscribe(symbols))

    async def send_message(self, message: dict[str, Any]) -> None:
        """Send a JSON text frame by the serving side alone; ExchangeRestError 503 offline, 400 when it failed."""
        self._lanes.note_sent()
        await self._control.send_message(message)

    def is_connected(self) -> bool:
        """Whether the side that speaks for both is connected."""
        return self._legs[self._lanes.control_side].is_connected()

    @property
    def connection_state(self) -> ConnectionState:
        """Where the connection of the side that speaks for both stands."""
        return self._legs[self._lanes.control_side].state

    def get_performance_metrics(self) -> dict[str, Any]:
        """The figures of the side that speaks for both, while it is there, and `migration`: stages, sides, shed."""
        stack = self._legs[self._lanes.control_side].stack
        own: dict[str, Any] = {} if stack is None else stack.get_performance_metrics()
        return own | {"architecture_version": self.architecture_version, "migration": self._migration_metrics()}

    async def close(self) -> None:
        """Close both stacks; never raises."""
        if self._is_closed:
            return
        self._is_closed = True
        self._revival.cancel()
        self._leave_tap()
        self._lanes.keep_control()
        await asyncio.to_thread(self._reader.stop)
        settling = {self._settling} if self._settling is not None else set()
        for task in self._tasks - settling - {asyncio.current_task()}:
            task.cancel()
        # A stack that is being closed is closed whole: a sidecar would be left behind.
        if unfinished := settling - {asyncio.current_task()}:
            await asyncio.wait(unfinished)
        await asyncio.gather(*(leg.shed(None) for leg in self._legs.values()), return_exceptions=True)
        await self._lanes.close()

    # Stages

    def stages(self) -> dict[Unit, Stage]:
        """The stage of every unit, as applied."""
        return self._reader.stages()

    def serving(self) -> dict[Unit, Side]:
        """Who serves each unit of which a stream has begun; one that has not moved as a whole is where it was."""
        return self._lanes.serving()

    def flip_records(self) -> list[FlipRecord]:
        """Every change of sides of the streams, the newest with its audit so far."""
        return self._lanes.flip_records()

    def _is_needed(self, side: Side) -> bool:
        stages = set(self.stages().values())
        return bool(stages - {Stage.OFF} if side is Side.NEW else stages - {Stage.COMPLETE})

    def _add_units(self, symbols: Iterable[Symbol]) -> None:
        if self.scope.channel == PRIVATE:
            return
        exchange, market = self.scope.exchange, self.scope.market
        self._reader.add(Unit(exchange, market, channel, spell(one)) for one in symbols for channel in PUBLIC_CHANNELS)

    def _on_flag_thread(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._on_flag)

    def _on_flag(self) -> None:
        """Let streams and stacks follow the stages; a little later where that is not possible yet."""
        if self._is_closed:
            return
        if not self._lanes.follow():
            if self._again is None or self._again.when() <= asyncio.get_running_loop().time():
                self._again = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._on_flag)
            return
        self._is_settled = False
        if self._settling is None or self._settling.done():
            self._settling = self._in_background(self._settle_legs())

    def _revive_legacy(self) -> bool:
        """Start legacy again, which went by itself; False while stacks are being started or closed."""
        if self._settling is not None and not self._settling.done():
            return False
        if not self._is_closed and self._is_needed(Side.LEGACY):
            self._lanes.follow()
            self._settling = self._in_background(self._settle_legs(self._legs[Side.LEGACY]))
        return True

    async def _settle_legs(self, gone: Leg | None = None) -> None:
        """Start what the stages need now; close what they do not, once nothing is served by it."""
        if gone is not None and not gone.is_running:
            await gone.try_start(list(self._symbols), self._channels)
        while not (self._is_settled or self._is_closed):
            self._is_settled = True
            for side, leg in self._legs.items():
                if self._is_needed(side):
                    if not leg.is_running and leg.may_start:
                        await leg.try_start(list(self._symbols), self._channels)
                elif leg.is_running:
                    if self._lanes.is_idle(side):
                        await leg.shed(None)
                    else:
                        self._is_settled = False
                else:
                    leg.pardon()
            await asyncio.sleep(SETTLE_S)

    # Which side speaks

    @property
    def _control(self) -> Any:
        stack = self._legs[self._lanes.control_side].stack
        if stack is None:
            raise ExchangeRestError(503, "WebSocket not connected")
        return stack

    @property
    def _standby(self) -> Leg:
        return self._legs[self._lanes.control_side.other]

    async def _on_state(self, side: Side, state: ConnectionState) -> None:
        if self._source is not None:
            self._source.note_state(side, state)
        self._lanes.set_connected(side, state is ConnectionState.CONNECTED)
        if self.connection_handler is not None and side is self._lanes.control_side:
            await self.connection_handler(state)

    # Helpers

    def _in_background(self, step: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _migration_metrics(self) -> dict[str, Any]:
        reader = self._reader
        return {
            "generation": reader.generation,
            "flag_errors": reader.errors,
            "flag_age_s": reader.age_s,
            "is_stale": reader.is_stale,
            "is_killed": reader.is_killed,
            "stages": {str(unit): stage.value for unit, stage in self.stages().items()},
            **self._lanes.metrics(),
            "restarts": self._revival.count,
            **leg_metrics(self._legs.values()),
        }
