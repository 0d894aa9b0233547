"""One of the two stacks behind a dual-run manager: built, started and closed so that no error of it gets out."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

from exchanges.structs.types import ConnectionState, ParsedMessage, Symbol
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stamps import StampClock

__all__ = ["Build", "Leg", "Stack", "build_either", "leg_metrics"]

OnMessage = Callable[[ParsedMessage], Awaitable[None]]
OnState = Callable[[ConnectionState], Awaitable[None]]


class Stack(Protocol):
    """What both managers can do."""

    async def initialize(self, symbols: Sequence[Symbol] | None = None, default_channels: Any = None) -> None:
        """Start."""

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Ask for more symbols."""

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Give symbols up."""

    async def send_message(self, message: dict[str, Any]) -> None:
        """Send a JSON text frame."""

    def is_connected(self) -> bool:
        """Connected, and the socket open."""

    def get_performance_metrics(self) -> dict[str, Any]:
        """Counters."""

    async def close(self) -> None:
        """End everything."""


Build = Callable[[OnMessage, OnState], Stack]


class Leg:
    """A stack that may be there or not. `problem` says why it was shed; `errors` counts what it kept to itself,
    `messages` what it delivered. `clock` is set to the stack that is built."""

    def __init__(
        self,
        side: Side,
        build: Build,
        on_message: OnMessage,
        on_state: OnState,
        on_shed: Callable[[], None],
        logger: logging.Logger,
        *,
        clock: StampClock | None = None,
    ) -> None:
        self.side = side
        self.state = ConnectionState.DISCONNECTED
        self.problem: str | None = None
        self.errors = 0
        self.messages = 0
        self.stack: Stack | None = None
        self._build = build
        self._on_message = on_message
        self._on_state = on_state
        self._on_shed = on_shed
        self.logger = logger
        self._clock = clock
        self._unasked: dict[Symbol, None] = {}
        self._turn = asyncio.Lock()
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def is_running(self) -> bool:
        """Whether the stack exists."""
        return self.stack is not None

    @property
    def pid(self) -> int | None:
        """The process that the stack runs in, where it has one of its own."""
        return getattr(self.stack, "pid", None)

    def is_connected(self) -> bool:
        """Whether the stack exists and says that it is connected."""
        return self.stack is not None and self.stack.is_connected()

    def look(self) -> dict[str, Any]:
        """What the tap tells of it; one without a process of its own runs in this one."""
        pid = (self.pid or os.getpid()) if self.is_running else None
        return {"connected": self.is_connected(), "pid": pid, "shed": self.problem is not None}

    @property
    def may_start(self) -> bool:
        """Whether nothing speaks against it: a new stack that was shed stays so until it is pardoned."""
        return self.side is Side.LEGACY or self.problem is None

    def pardon(self) -> None:
        """Forget why the stack was shed: a person wants it again, or nobody does any more."""
        self.problem = None

    def build(self) -> None:
        """Make the stack; whatever it raises is the caller's."""
        if self.stack is None:
            self.stack = self._build(self._on_message, self._note_state)
            if self._clock is not None:
                self._clock.set(self.stack)
            self.problem = None

    async def start(self, symbols: Sequence[Symbol], channels: Any) -> None:
        """Make the stack and let it connect; whatever it raises is the caller's."""
        self.build()
        assert self.stack is not None
        await self.stack.initialize(symbols, channels)

    async def try_start(self, symbols: Sequence[Symbol], channels: Any) -> None:
        """As `start`, of a standby: what fails to import, construct or start is shed."""
        try:
            await self.start(symbols, channels)
        except Exception as error:  # noqa: BLE001 - the standby's error never reaches the caller
            await self.shed(f"{type(error).__name__}: {error}")

    async def shed(self, reason: str | None) -> None:
        """Close the stack and forget it; with a reason it is a failure, which is logged."""
        if reason is not None:
            self.problem = reason
            self.errors += 1
            self.logger.warning("%s stack shed: %s", self.side.value, reason)
        stack, self.stack = self.stack, None
        if reason is not None:
            self._on_shed()
        for task in self._asking:
            task.cancel()
        if stack is not None:
            await self._quietly(stack.close())
        self.state = ConnectionState.DISCONNECTED

    async def try_subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Of a standby: what it cannot ask for now is asked for when it is connected."""
        self._unasked.update(dict.fromkeys(symbols))
        await self._ask()

    async def try_unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Of a standby."""
        for symbol in symbols:
            self._unasked.pop(symbol, None)
        if self.stack is not None:
            await self._quietly(self.stack.unsubscribe(symbols))

    async def _ask(self) -> None:
        async with self._turn:
            symbols = list(self._unasked)
            if symbols and self.is_connected() and self.stack is not None:
                self._unasked.clear()
                if not await self._quietly(self.stack.subscribe(symbols)):
                    self._unasked.update(dict.fromkeys(symbols))

    def _ask_beside(self) -> None:
        """Whoever tells the state of a sidecar is also the one who would bring its answer."""
        task = asyncio.get_running_loop().create_task(self._ask())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _note_state(self, state: ConnectionState) -> None:
        self.state = state
        try:
            await self._on_state(state)
        finally:
            # The caller's error is the stack's to count, and changes nothing here.
            await self._follow(state)

    async def _follow(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._ask_beside()
        problem = getattr(self.stack, "problem", None)
        if state is ConnectionState.ERROR and problem is not None:
            await self.shed(problem)

    async def _quietly(self, step: Awaitable[None]) -> bool:
        try:
            await step
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the standby's error never reaches the caller
            self.errors += 1
            self.logger.warning("%s stack: %s", self.side.value, error)
            return False
        return True


def build_either(serving: Leg, other: Leg | None) -> None:
    """Make the stack that serves now, so that a caller's mistake shows at once; where it fails, the other one."""
    try:
        serving.build()
    except Exception as error:
        serving.problem = f"{type(error).__name__}: {error}"
        if other is None:
            raise
        try:
            other.build()
        except Exception:  # noqa: BLE001 - neither can be made: the serving one's reason is the one to tell
            raise error from None
        serving.logger.warning("%s stack shed: %s", serving.side.value, error)


def leg_metrics(legs: Collection[Leg]) -> dict[str, Any]:
    """By side: errors that were kept from the caller, processes, who is connected, and why one was shed."""
    return {
        "errors": {leg.side.value: leg.errors for leg in legs},
        "sidecars": {leg.side.value: pid for leg in legs if (pid := leg.pid) is not None},
        "connected": {leg.side.value: leg.is_connected() for leg in legs},
        "shed": {leg.side.value: leg.problem for leg in legs if leg.problem},
    }
