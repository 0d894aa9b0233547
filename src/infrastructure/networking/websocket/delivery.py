"""From a socket's callback to the consumer: at once, or in order behind the pause that the consumer asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from exchanges.structs.errors import TransportError

__all__ = ["UNLIMITED", "Deliver", "Delivery"]

# Takes a message; returns something to wait for where the reader has to pause.
Deliver = Callable[[bytes], Awaitable[None] | None]

UNLIMITED = 1 << 63


class Delivery:
    """A connection calls `hand_on` for each message and `end` when it is lost; the consumer's side is `pump`.

    Messages wait while there is no consumer and while its pause lasts. During a pause, and with `max_waiting` messages
    that nobody took, nothing more is read from the socket.
    """

    __slots__ = (
        "_deliver", "_ended", "_failure", "_is_draining", "_is_held", "_is_over", "_is_reading_paused",
        "_max_waiting", "_pause", "_transport", "_waiting", "_wanted",
    )  # fmt: skip

    def __init__(self, max_waiting: int | None) -> None:
        self._max_waiting = UNLIMITED if max_waiting is None else max(1, max_waiting)
        self._transport: asyncio.ReadTransport | None = None
        self._waiting: deque[bytes] = deque()
        self._deliver: Deliver = self._waiting.append
        self._is_held = True
        self._pause: Awaitable[None] | None = None
        self._failure: Exception | None = None
        self._ended: Exception | None = None
        self._wanted = asyncio.Event()
        self._is_reading_paused = False
        self._is_over = False
        self._is_draining = False

    def attach(self, transport: asyncio.ReadTransport) -> None:
        """The socket that is not read during a pause."""
        self._transport = transport

    def hand_on(self, payload: bytes) -> None:
        """One message, to the consumer or to those that wait. Never raises: the consumer's error ends `pump`."""
        if self._is_held:
            self._waiting.append(payload)
            if len(self._waiting) >= self._max_waiting:
                self._read_no_more()
            return
        try:
            pause = self._deliver(payload)
        except Exception as error:  # noqa: BLE001 - in here it would be the event loop's
            self._failure = error
            self._hold(None)
            return
        if pause is not None:
            self._hold(pause)

    def end(self, error: Exception) -> None:
        """The connection is lost; `pump` raises this behind the last message."""
        self._ended = error
        self._wanted.set()

    def drain(self) -> None:
        """The connection is being closed: read on whatever the consumer asked for, since the answer is behind it."""
        self._is_draining = True
        self._read_on()

    async def pump(self, deliver: Deliver) -> None:
        """Hand on each message until the connection is lost and all was handed on; then raise what `end` was given.

        An error of `deliver` is raised at once, and nothing behind that message is handed on.
        """
        if self._is_over:
            raise TransportError("the connection is over and everything was handed on")
        self._deliver = deliver
        try:
            while True:
                if self._failure is not None:
                    raise self._taken_failure()
                await self._hand_on_waiting(deliver)
                self._wanted.clear()
                if self._ended is not None:
                    raise self._taken_end()
                self._is_held = False
                self._read_on()
                await self._wanted.wait()
        finally:
            self._is_held = True
            self._deliver = self._waiting.append

    # An error that is raised holds the frames it went through, and these hold the connection: kept in here as well, it
    # would keep the connection and its buffer alive until some later collection of garbage.

    def _taken_failure(self) -> Exception:
        self._is_over = True
        failure, self._failure = self._failure, None
        assert failure is not None
        return failure

    def _taken_end(self) -> Exception:
        self._is_over = True
        ended, self._ended = self._ended, None
        assert ended is not None
        return ended

    async def _hand_on_waiting(self, deliver: Deliver) -> None:
        pause, self._pause = self._pause, None
        if pause is not None:
            await pause
        waiting = self._waiting
        while waiting:
            pause = deliver(waiting.popleft())
            if pause is not None:
                self._read_no_more()
                await pause

    def _hold(self, pause: Awaitable[None] | None) -> None:
        """Let the messages wait from here on until `pump` has come so far."""
        self._pause = pause
        self._is_held = True
        self._read_no_more()
        self._wanted.set()

    def _read_no_more(self) -> None:
        if self._is_draining:
            return
        if not self._is_reading_paused and self._transport is not None and not self._transport.is_closing():
            self._is_reading_paused = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._is_reading_paused and self._transport is not None:
            self._is_reading_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
