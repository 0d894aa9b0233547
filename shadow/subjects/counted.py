"""Events counted instead of written: what is left of a subject's CPU is the stack's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from exchanges.structs import MessageType, ParsedMessage
from shadow.subjects.emit import Emitter

__all__ = ["Counts"]

WRITTEN_EVERY_S = 0.2
LISTS = frozenset(
    {
        MessageType.TRADES,
        MessageType.TICKER,
        MessageType.ORDER,
        MessageType.TRADE,
        MessageType.POSITION,
        MessageType.BALANCE,
    }
)


class Counts:
    """The events of each connection so far, written as `count` lines five times a second until `finish`.

    A book that the stack rebuilt by itself is no event.
    """

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._events: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def instead_of(self, sink: Callable[[ParsedMessage], Any], connection: str) -> Callable[[ParsedMessage], Any]:
        """A consumer that counts events and passes everything else on."""
        events = self._events
        events[connection] = 0

        async def on_message(message: ParsedMessage) -> None:
            kind = message.message_type
            if kind in LISTS:
                events[connection] += len(message.data)
            elif kind is MessageType.BOOK_TICKER or (kind is MessageType.ORDERBOOK and not message.data.is_snapshot):
                events[connection] += 1
            elif kind is not MessageType.ORDERBOOK:
                await sink(message)

        return on_message

    def start(self) -> None:
        """Begin writing, on the running loop."""
        self._write()
        self._timer = asyncio.get_running_loop().call_later(WRITTEN_EVERY_S, self.start)

    def finish(self) -> None:
        """Write the last totals."""
        if self._timer is not None:
            self._timer.cancel()
            self._write()

    def _write(self) -> None:
        for connection, events in self._events.items():
            self._emitter.put({"k": "count", "c": connection, "events": events})
