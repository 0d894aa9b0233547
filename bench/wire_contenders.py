"""Each pipeline at the end of a real connection, as a function that asks for the frames and returns behind the last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from websockets.asyncio.client import connect

from bench.lean import lean
from bench.measure import Runner
from bench.wire import GO
from exchanges.structs import ExchangeConfig, PublicWebsocketChannelType, WebSocketConfig, WebSocketManagerConfig
from exchanges.structs.events import PublicCallbacks
from exchanges.structs.symbols import from_gateio
from infrastructure.networking.websocket.migration.stacks import load_builder
from infrastructure.networking.websocket.transport import ConnectionEnded, TransportSettings, open_websockets
from shadow.subjects.probe.doors import Arrivals, offline_config, sync
from shadow.subjects.probe.frames import SYMBOL

__all__ = ["WireContenders"]

CHANNELS = {
    "book": PublicWebsocketChannelType.ORDERBOOK,
    "trade": PublicWebsocketChannelType.TRADES,
    "book_ticker": PublicWebsocketChannelType.BOOK_TICKER,
    "ticker": PublicWebsocketChannelType.TICKER,
}
# The legacy's queue drops what it cannot hold; here it is to hold everything.
ROOM = WebSocketManagerConfig(max_pending_messages=1_000_000)


class WireContenders:
    """All pipelines for one exchange and event type, each on a connection of its own."""

    def __init__(self, exchange: str, event_type: str, base_url: str, count: int) -> None:
        self._exchange = exchange
        self._event_type = event_type
        self._url = f"{base_url}/{exchange}/{event_type}/{count}"
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def all(self) -> dict[str, Runner]:
        """Name to runner.

        `lean` on the library's own client, `lean-framed` on our reader of frames, `new` (door direct), `legacy`, and
        `new-factory`.
        """
        return {
            "lean": await self._lean(),
            "lean-framed": await self._lean_framed(),
            "new": await self._direct(),
            "legacy": await self._managed("legacy"),
            "new-factory": await self._managed("new"),
        }

    async def close(self) -> None:
        """Close the connections."""
        for close in self._closing:
            await close()

    def _config(self) -> ExchangeConfig:
        plain = offline_config(self._exchange)
        settings = WebSocketConfig(url=self._url, enable_compression=False, heartbeat_interval=None)
        return ExchangeConfig(plain.name, websocket_url=self._url, base_url=plain.base_url, websocket=settings)

    async def _lean(self) -> Runner:
        socket = await connect(self._url, compression=None, ping_interval=None, max_queue=1000, proxy=None)
        self._closing.append(socket.close)
        take = lean(self._exchange, self._event_type, lambda _: None)

        async def run(frames: list[bytes]) -> None:
            await socket.send(GO)
            for _ in frames:
                take(await socket.recv(False))

        return run

    async def _lean_framed(self) -> Runner:
        transport = await open_websockets(TransportSettings(self._url))
        count = Arrivals()
        take = lean(self._exchange, self._event_type, count.one)
        reading = asyncio.create_task(transport.pump(take))

        async def close() -> None:
            await transport.close()
            with suppress(ConnectionEnded):
                await reading

        self._closing.append(close)
        return asking(lambda: transport.send(GO), count)

    async def _direct(self) -> Runner:
        count = Arrivals()
        callbacks = PublicCallbacks(
            on_book=count.one, on_trades=count.one, on_book_ticker=count.one, on_ticker=count.one
        )
        builder = import_module(f"exchanges.integrations.{self._exchange}.builder")
        connection = builder.build_direct(self._config(), callbacks)
        self._closing.append(connection.close)
        await connection.start([from_gateio(SYMBOL)], [CHANNELS[self._event_type]])
        return await self._new(connection.handler, count)

    async def _managed(self, architecture: str) -> Runner:
        arrivals = Arrivals()
        manager = load_builder(architecture, self._exchange)(
            self._config(), False, arrivals.handler, None, manager_config=ROOM
        )
        self._closing.append(manager.close)
        await manager.initialize([from_gateio(SYMBOL)], [CHANNELS[self._event_type]])
        if architecture == "new":
            return await self._new(manager.handler, arrivals)
        while not manager.is_connected():  # noqa: ASYNC110 - set-up, and nothing tells
            await asyncio.sleep(0.01)
        return asking(lambda: manager._websocket.send(GO), arrivals)

    async def _new(self, handler: Any, count: Arrivals) -> Runner:
        """Its book is put where the frames begin, each time; nothing is fetched for it."""
        while not handler.active_symbols:  # noqa: ASYNC110 - set-up
            await asyncio.sleep(0.01)
        handler._books.reset()
        run = asking(lambda: handler._send(GO), count)

        def run_synced(frames: list[bytes]) -> Awaitable[None] | None:
            sync(handler, frames)
            return run(frames)

        return run_synced


def asking(ask: Callable[[], Awaitable[None]], count: Arrivals) -> Runner:
    """Ask for the frames and wait for the last callback."""

    async def run(frames: list[bytes]) -> None:
        count.expect(len(frames))
        await ask()
        await count.wait()

    return run
