"""The tap, version 1: what both stacks deliver, as lines on a Unix socket for a judge that watches this process.

A message is noted at the callback, a reference and two stamps; it becomes lines later, between deliveries, and only
while somebody reads. What finds no room, here or at a reader, is counted and told in the stream. Raw frames and the
words of errors never leave: they may hold what is secret.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from itertools import chain, count
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import orjson

from exchanges.structs.types import ConnectionState, MessageType, ParsedMessage
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.leg import OnMessage
from infrastructure.networking.websocket.migration.lines import put_events
from infrastructure.networking.websocket.migration.stamps import StampClock
from infrastructure.networking.websocket.migration.streams import spell, without_raw
from infrastructure.networking.websocket.migration.tap_socket import TapSocket

__all__ = ["VERSION", "Source", "Tap"]

VERSION: Final = 1
PERIOD_S: Final = 0.01
BEAT_S: Final = 0.1
SLICE: Final = 32
MOST_NOTES: Final = 16_384
REFUSALS: Final = {MessageType.ERROR: "decode", MessageType.SUBSCRIPTION_ERROR: "subscribe"}

Note = tuple[str, Side, Any, int | None, int]
"""Connection, side, message or state, recv, t."""


class Source:
    """One manager of both stacks at the tap; `name` is its connection, `look` says pid and connectedness by side."""

    def __init__(self, tap: Tap, name: str, look: Callable[[], Mapping[str, Any]]) -> None:
        self.name = name
        self.look = look
        self._tap = tap
        self._has_left = False

    def past(self, side: Side, clock: StampClock, way: OnMessage) -> OnMessage:
        """The same way for a side's messages, past the tap; all that it costs them is in here."""
        tap, name, readers, notes = self._tap, self.name, self._tap.socket.readers, self._tap.notes

        def on_message(message: ParsedMessage) -> Awaitable[None]:
            if readers and not self._has_left:
                if len(notes) < MOST_NOTES:
                    notes.append((name, side, message, clock.received.recv_ns, clock.now()))
                else:
                    tap.lost += 1
            return way(message)

        return on_message

    def note_state(self, side: Side, state: ConnectionState) -> None:
        """A stack's connection has a new state."""
        tap = self._tap
        if not tap.socket.readers or self._has_left:
            return
        if len(tap.notes) < MOST_NOTES:
            tap.notes.append((self.name, side, state, None, perf_counter_ns()))
        else:
            tap.lost += 1

    def leave(self) -> None:
        """The manager is about to close: what comes now is no stack's fault."""
        self._has_left = True
        if self._tap.sources.get(self.name) is self:
            del self._tap.sources[self.name]


class Tap:
    """One for a process: opened before its managers are made, given to each, closed behind the last of them."""

    def __init__(self, path: Path | str) -> None:
        self.socket = TapSocket(Path(path))
        self.sources: dict[str, Source] = {}
        self.notes: deque[Note] = deque()
        self.lost = 0
        self._task: asyncio.Task[None] | None = None
        self._lines = bytearray()
        self._count = 0

    def open(self) -> None:
        """Begin to listen on the running loop. ConfigurationError where the place cannot be a tap's."""
        greeting = {"k": "tap", "tap": VERSION, "pid": os.getpid(), "t": perf_counter_ns()}
        self.socket.greeting = orjson.dumps(greeting, option=orjson.OPT_APPEND_NEWLINE)
        self.socket.open()
        self._task = asyncio.get_running_loop().create_task(self._keep_up())

    def source(self, name: str, look: Callable[[], Mapping[str, Any]]) -> Source:
        """The place of one manager; a second one of the same connection is told as `name#2`."""
        names = chain([name], (f"{name}#{number}" for number in count(2)))
        free = next(one for one in names if one not in self.sources)
        source = self.sources[free] = Source(self, free, look)
        return source

    async def close(self) -> None:
        """Tell the rest and a last word, as far as readers take it at once; then end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            while self.notes:
                self._write(SLICE)
                self._hand_out()
            self._put({"k": "bye", "t": perf_counter_ns()})
            self._hand_out()
        self.socket.close()

    async def _keep_up(self) -> None:
        """Write what was noted in short turns, and beat, until cancelled."""
        beat_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PERIOD_S)
            t_ns, waiting = perf_counter_ns(), len(self.notes)
            for first in range(0, waiting, SLICE):
                self._write(min(SLICE, waiting - first))
                self._hand_out()
                await asyncio.sleep(0)
            if loop.time() >= beat_at:
                beat_at = loop.time() + BEAT_S
                self._beat(t_ns)
            self._hand_out()

    def _beat(self, t_ns: int) -> None:
        """All that was delivered before its moment stands before it; what came since, and waits, does not delay it."""
        if self.socket.readers:
            looks = {name: source.look() for name, source in self.sources.items()}
            self._put({"k": "beat", "t": t_ns, "sources": looks})

    def _write(self, most: int) -> None:
        """Turn the oldest notes into lines."""
        for _ in range(min(most, len(self.notes))):
            name, side, item, recv_ns, t_ns = self.notes.popleft()

            def put(line: dict[str, Any], side: Side = side, recv_ns: int | None = recv_ns) -> None:
                line["by"], line["recv"] = side.value, recv_ns
                self._put(line)

            try:
                self._write_one(put, name, item, t_ns)
            except Exception:  # noqa: BLE001 - a message that is no such event is told as one, and harms nobody
                put({"k": "error", "c": name, "t": t_ns, "kind": "decode"})
        if self.lost:
            self._put({"k": "dropped", "t": perf_counter_ns(), "count": self.lost})
            self.lost = 0

    @staticmethod
    def _write_one(put: Callable[[dict[str, Any]], None], name: str, item: Any, t_ns: int) -> None:
        if isinstance(item, ConnectionState):
            put({"k": "state", "c": name, "t": t_ns, "state": item.value})
        elif item.message_type in REFUSALS:
            put({"k": "error", "c": name, "t": t_ns, "kind": REFUSALS[item.message_type]})
        elif item.data:
            put_events(put, name, t_ns, without_raw(item), spell)

    def _put(self, line: dict[str, Any]) -> None:
        self._lines += orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        self._count += 1

    def _hand_out(self) -> None:
        if self._lines:
            self.socket.send(bytes(self._lines), self._count)
            self._lines.clear()
            self._count = 0
