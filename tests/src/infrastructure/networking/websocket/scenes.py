"""Scenes on a virtual clock: a mock handler, a fake server and a consumer that remembers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from exchanges.structs import ConnectionState, WebSocketConfig
from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual, settle

State = ConnectionState
CONFIG = WebSocketConfig("ws://exchange/ws?listenKey=secret", heartbeat_interval=None, close_timeout=5.0)


class Consumer:
    """A coroutine consumer that can be held, can fail, and remembers."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.states: list[State] = []
        self.gate: asyncio.Event | None = None
        self.fails = False

    async def on_message(self, message: Any) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self.got.append(message)
        if self.fails:
            raise RuntimeError("broken consumer")

    async def on_state(self, state: State) -> None:
        self.states.append(state)
        if self.fails:
            raise RuntimeError("broken consumer")


def make(server: FakeServer, consumer: Consumer | None = None, **options: Any) -> MockHandler:
    """A mock handler on a fake server."""
    config = options.pop("config", CONFIG)
    return MockHandler(
        config,
        message_handler=consumer.on_message if consumer else None,
        connection_handler=consumer.on_state if consumer else None,
        transport=server.open,
        random_source=random.Random(1),
        **options,
    )


def play(scene: Callable[[FakeServer, Consumer, MockHandler], Awaitable[None]], **options: Any) -> None:
    """Run a scene with a connected handler, and close it."""

    async def main() -> None:
        server, consumer = FakeServer(), Consumer()
        handler = make(server, consumer, **options)
        await handler.initialize()
        await settle()
        await scene(server, consumer, handler)
        await handler.close()

    run_virtual(main())
