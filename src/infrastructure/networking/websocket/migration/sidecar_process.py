"""The sidecar's own side: builds one stack, does what it is told, and writes what the stack delivers into the ring.

Started by `Sidecar` with two descriptors, the ring's memory and the pipe that wakes the parent. It ends with its
standard input.
"""

from __future__ import annotations

import asyncio
import base64
import os
import pickle
import sys
from typing import Any

from exchanges.structs.errors import ExchangeRestError
from exchanges.structs.types import ConnectionState, ParsedMessage
from infrastructure.networking.websocket.migration import stacks
from infrastructure.networking.websocket.migration.ring import Ring
from infrastructure.networking.websocket.migration.stamps import StampClock
from infrastructure.networking.websocket.migration.streams import without_raw
from infrastructure.networking.websocket.utils import build_stack

__all__ = ["main"]

LINE_BYTES = 16 << 20
BEAT_S = 0.1
BEATS_PER_METRICS = 10
FULL_S = 0.001


class Outlet:
    """What goes to the parent. Unlike the primary's ring this one loses nothing: when it is full, the stack waits."""

    def __init__(self, ring: Ring, wake_fd: int) -> None:
        self._ring = ring
        self._wake_fd = wake_fd
        self.clock = StampClock()

    async def put(self, kind: str, content: Any) -> None:
        """Hand over one record, and wake the parent if it sleeps."""
        recv_ns, t_ns = self.clock.received.recv_ns, self.clock.now()
        payload = pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL)
        # The reader tells nobody that it has read: that would cost it a call for each record.
        while not self._ring.write(payload, recv_ns or 0, t_ns):  # noqa: ASYNC110
            await asyncio.sleep(FULL_S)
        if self._ring.reader_sleeps:
            self._ring.note_sleep(False)
            os.write(self._wake_fd, b"x")

    async def put_message(self, message: ParsedMessage) -> None:
        """A message of the stack."""
        await self.put("message", without_raw(message))

    async def put_state(self, state: ConnectionState) -> None:
        """A state of the stack."""
        await self.put("state", state)


def decode_line(line: bytes) -> Any:
    """What `encode_line` was given."""
    return pickle.loads(base64.b64decode(line))


async def _commands() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(LINE_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    return reader


async def _beat(ring: Ring, outlet: Outlet, stack: Any) -> None:
    count = 0
    while True:
        ring.note_beat()
        if count % BEATS_PER_METRICS == 0:
            await outlet.put("metrics", stack.get_performance_metrics())
        count += 1
        await asyncio.sleep(BEAT_S)


async def _obey(stack: Any, outlet: Outlet, number: int, name: str, arguments: tuple[Any, ...]) -> None:
    failure = None
    try:
        await getattr(stack, name)(*arguments)
    except ExchangeRestError as error:
        failure = error.code, error.message
    except Exception as error:  # noqa: BLE001 - the parent is told, and decides
        failure = 400, f"{type(error).__name__}: {error}"
    await outlet.put("answer", (number, failure))


async def _run(ring: Ring, outlet: Outlet) -> None:
    commands = await _commands()
    spec = decode_line(await commands.readline())
    stacks.BUILDERS.update(spec.builders)
    stacks.UNITS.update(spec.units)
    try:
        stack = build_stack(
            spec.architecture, spec.config, spec.is_private, outlet.put_message, outlet.put_state, **spec.options
        )
    except Exception as error:  # noqa: BLE001 - whatever a stack raises is a result
        await outlet.put("failed", f"{type(error).__name__}: {error}")
        return
    outlet.clock.set(stack)
    beat = asyncio.create_task(_beat(ring, outlet, stack))
    while line := await commands.readline():
        number, name, arguments = decode_line(line)
        if name == "close":
            break
        await _obey(stack, outlet, number, name, arguments)
    await stack.close()
    beat.cancel()


def main() -> None:
    """Run until the parent says so, or is gone."""
    ring = Ring(int(sys.argv[1]))
    asyncio.run(_run(ring, Outlet(ring, int(sys.argv[2]))))


if __name__ == "__main__":
    main()
