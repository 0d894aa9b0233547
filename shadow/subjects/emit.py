"""Events to protocol lines: encoded at the callback, flushed every 10 ms, never blocking on the pipe.

No event object is kept, so the capture adds nothing to the stack's heap.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import orjson

__all__ = ["FLUSH_INTERVAL_S", "Emitter"]

FLUSH_INTERVAL_S = 0.010

_dumps = orjson.dumps


class Emitter:
    """Collects lines and hands them to a non-blocking pipe.

    `emit_ns` is the total time spent encoding and writing, for the `bye` line.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broken = False
        self.emit_ns = 0

    def start(self) -> None:
        """Begin flushing on the running loop."""
        os.set_blocking(self._fd, False)
        self._loop = asyncio.get_running_loop()
        self._tick()

    def attend(self, subject: Any) -> None:
        """Who speaks; one that only writes need not know."""

    def put(self, fields: dict[str, Any]) -> None:
        """Encode one line into the buffer."""
        began = perf_counter_ns()
        self._buffer += _dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        self.emit_ns += perf_counter_ns() - began

    def flush(self) -> None:
        """Write what the pipe takes now; the rest stays for the next flush."""
        if not self._buffer or self._broken:
            return
        began = perf_counter_ns()
        try:
            written = os.write(self._fd, self._buffer)
            del self._buffer[:written]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._broken = True
        self.emit_ns += perf_counter_ns() - began

    async def finish(self, timeout_s: float = 4.0) -> None:
        """Write the rest, waiting for the pipe at most timeout_s."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self._buffer and not self._broken and loop.time() < deadline:
            self.flush()
            if self._buffer:
                await asyncio.sleep(FLUSH_INTERVAL_S)

    def _tick(self) -> None:
        self.flush()
        if self._loop is not None:
            self._loop.call_later(FLUSH_INTERVAL_S, self._tick)


def make_burn(burn_ns: int) -> Callable[[], None] | None:
    """A busy loop of burn_ns on the CPU, or None for nothing to burn.

    The positive control and the drill slow a stack by real work, never by editing a figure.
    """
    if burn_ns <= 0:
        return None

    def burn() -> None:
        end = perf_counter_ns() + burn_ns
        while perf_counter_ns() < end:
            pass

    return burn
