"""One that reads at a tap, and how to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from infrastructure.networking.websocket.migration.tap import Tap

WAIT_S = 10.0
Attach = Callable[[Tap], Awaitable["Judge"]]


class Judge:
    """One that reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def line(self, kind: str = "") -> dict[str, Any]:
        """The next line, of a kind if one is asked for."""
        async with asyncio.timeout(WAIT_S):
            while True:
                found: dict[str, Any] = orjson.loads(await self.reader.readline())
                if kind in ("", found["k"]):
                    return found

    async def rest(self) -> list[dict[str, Any]]:
        """Everything until the end, but beats."""
        async with asyncio.timeout(WAIT_S):
            lines = (await self.reader.read()).splitlines()
        return [line for line in map(orjson.loads, lines) if line["k"] != "beat"]


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it does: what is awaited comes by a socket of this process."""
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 - the other end's own event
            await asyncio.sleep(0)
