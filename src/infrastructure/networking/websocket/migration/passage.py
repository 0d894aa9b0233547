"""Legacy's straight way to the consumer while the stage gives the consumer what legacy alone would give.

The primary path then does one look at an attribute and one append more than without a second stack, and awaits and
locks nothing. What went by is told to the arbiters a moment later, between deliveries.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any

from exchanges.structs.types import ParsedMessage
from infrastructure.networking.websocket.migration.leg import OnMessage

__all__ = ["Passage"]

PERIOD_S = 0.01
SLICE = 32
SHARE = 8
"""A turn tells so many messages, or one in so many of those that wait: under any load that lasts they stay bounded."""


class Passage:
    """`take_in` is the way by the arbiters, `note` tells them what has passed, `may_open` that nothing is in the way.

    A handler that is no coroutine function is called in one, which tells when it has returned. Where `shut` has to wait
    for the consumer, the next message shuts: behind a backlog there is no moment between two.
    """

    def __init__(
        self,
        consume: OnMessage,
        take_in: OnMessage,
        note: Callable[[ParsedMessage], None],
        may_open: Callable[[], bool],
    ) -> None:
        self.is_open = False
        self._consume = consume if inspect.iscoroutinefunction(consume) else _in_a_coroutine(consume)
        self._take_in = self._by_arbiters = take_in
        self._is_closing = False
        self._note = note
        self._may_open = may_open
        self._behind: deque[ParsedMessage] = deque()
        self._delivery: Any = None

    def hand_on(self, message: ParsedMessage) -> Awaitable[None]:
        """A message of legacy; what is returned is to be awaited."""
        if self.is_open:
            self._behind.append(message)
            delivery = self._delivery = self._consume(message)
            return delivery
        return self._take_in(message)

    @property
    def is_in_flight(self) -> bool:
        """Whether the consumer has not returned from the last message that went straight."""
        return isinstance(self._delivery, CoroutineType) and self._delivery.cr_frame is not None

    @property
    def is_straight(self) -> bool:
        """Whether legacy's messages go, or went until now, straight to the consumer, and are told later."""
        return self.is_open or self._is_closing

    def shut(self, *, waits: bool = True) -> bool:
        """Lead everything by the arbiters from now on; False while the consumer has not returned and that matters."""
        if not self.is_straight:
            return True
        self.is_open = False
        if waits and self.is_in_flight:
            self._is_closing, self._take_in = True, self._shut_and_take_in
            return False
        self._is_closing, self._take_in = False, self._by_arbiters
        self.catch_up()
        return True

    def _shut_and_take_in(self, message: ParsedMessage) -> Awaitable[None]:
        """The next message while `shut` waits: legacy brings it when the consumer has returned from the one before."""
        self.shut(waits=False)
        return self._by_arbiters(message)

    def catch_up(self, limit: int | None = None) -> None:
        """Tell what went by, the oldest first."""
        behind = self._behind
        for _ in range(len(behind) if limit is None else min(limit, len(behind))):
            self._note(behind.popleft())

    async def keep_up(self) -> None:
        """Tell what went by in short turns, and open whenever nothing stands in the way, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            while self._behind:
                self.catch_up(max(SLICE, len(self._behind) // SHARE))
                await asyncio.sleep(0)
            if not self.is_straight:
                self.is_open = self._may_open()


def _in_a_coroutine(consume: OnMessage) -> OnMessage:
    async def consume_one(message: ParsedMessage) -> None:
        await consume(message)

    return consume_one
