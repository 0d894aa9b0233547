"""Each pipeline as a function that takes frames and returns when the last one reached its callback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bench.classic import Classic
from bench.frames import SYMBOL
from bench.lean import Take, lean, metered
from bench.measure import Runner
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import (
    ExchangeConfig,
    ParsedMessage,
    PublicWebsocketChannelType,
    SubscriptionAction,
    WebSocketConfig,
)
from exchanges.structs.book import LocalBook
from exchanges.structs.events import BookUpdate, PublicCallbacks
from exchanges.structs.symbols import from_gateio
from infrastructure.networking.websocket.migration.stacks import load_builder

__all__ = ["Contenders", "direct_handler", "ignore", "sync"]

CHUNK = 256
URL, REST_URL = "ws://127.0.0.1:1/", "http://127.0.0.1:1"
NAMES = {"gateio": "GATEIO_SPOT", "mexc": "MEXC_SPOT"}


def ignore(_: Any) -> None:
    """A plain callback that does nothing."""


class Arrivals:
    """A consumer at either door that counts, and tells when enough came."""

    def __init__(self) -> None:
        self._left = 0
        self._done = asyncio.Event()

    def one(self, _: Any) -> None:
        """The plain callback: one event."""
        self._left -= 1
        if not self._left:
            self._done.set()

    async def handler(self, _: ParsedMessage) -> None:
        """The awaited handler: one message."""
        self._left -= 1
        if not self._left:
            self._done.set()

    def expect(self, count: int) -> None:
        """Wait for `count` more."""
        self._left = count
        self._done.clear()

    async def wait(self) -> None:
        """Until they came."""
        await self._done.wait()


def queued(take: Callable[[bytes], Any], arrivals: Arrivals) -> Runner:
    """Feeds 256 frames at a time, the size a queue of 1000 holds, and waits for their callbacks."""

    async def run(frames: list[bytes]) -> None:
        for first in range(0, len(frames), CHUNK):
            chunk = frames[first : first + CHUNK]
            arrivals.expect(len(chunk))
            for raw in chunk:
                take(raw)
            await arrivals.wait()

    return run


def one_by_one(take: Take) -> Callable[[list[bytes]], None]:
    """The loop around every pipeline that calls back before it returns, the same for all of them."""

    def run(frames: list[bytes]) -> None:
        for raw in frames:
            take(raw)

    return run


def config(exchange: str) -> ExchangeConfig:
    """Settings that connect to nobody: the bench hands frames in by itself."""
    return ExchangeConfig(NAMES[exchange], websocket_url=URL, base_url=REST_URL, websocket=WebSocketConfig(url=URL))


class Contenders:
    """All pipelines for one exchange and event type; `close` ends what they hold."""

    def __init__(self, exchange: str, event_type: str, called: Callable[[Any], None] = ignore) -> None:
        self._exchange = exchange
        self._event_type = event_type
        self._called = called
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def all(self) -> dict[str, Runner]:
        """Name to runner: lean, lean-metered, classic, legacy, new (door direct), new-factory."""
        return {
            "lean": self._lean(),
            "lean-metered": self._lean_metered(),
            "classic": self._classic(),
            "legacy": self._managed("legacy"),
            "new": self._direct(),
            "new-factory": self._managed("new"),
        }

    async def close(self) -> None:
        """End tasks and timers."""
        for close in self._closing:
            await close()

    def _lean(self) -> Runner:
        return one_by_one(lean(self._exchange, self._event_type, self._called))

    def _lean_metered(self) -> Runner:
        return one_by_one(metered(lean(self._exchange, self._event_type, self._called)))

    def _classic(self) -> Runner:
        arrivals = Arrivals()
        classic = Classic(self._exchange, arrivals.handler)
        self._closing.append(classic.close)
        return queued(classic.take, arrivals)

    def _managed(self, architecture: str) -> Runner:
        arrivals = Arrivals()
        build = load_builder(architecture, self._exchange)
        manager = build(config(self._exchange), False, arrivals.handler, None)
        if architecture == "legacy":
            task = asyncio.create_task(manager._process_messages())
            self._closing.append(lambda: _cancel(task))
            return queued(manager._on_raw_message, arrivals)
        handler = manager.handler
        prepare(handler)
        task = asyncio.create_task(handler._process_messages(handler._backlog))
        self._closing.append(lambda: _cancel(task))
        run = queued(handler._on_raw_message, arrivals)

        def run_synced(frames: list[bytes]) -> Awaitable[None] | None:
            sync(handler, frames)
            return run(frames)

        return run_synced

    def _direct(self) -> Runner:
        handler = direct_handler(self._exchange, self._called)
        run = one_by_one(handler._on_raw_message)

        def run_synced(frames: list[bytes]) -> None:
            sync(handler, frames)
            run(frames)

        return run_synced


def direct_handler(exchange: str, called: Callable[[Any], None]) -> Any:
    """The new stack's handler at door direct, as on a connection that asked for everything."""
    builder = import_module(f"exchanges.integrations.{exchange}.builder")
    callbacks = PublicCallbacks(on_book=called, on_trades=called, on_book_ticker=called, on_ticker=called)
    handler = builder.build_direct(config(exchange), callbacks).handler
    prepare(handler)
    return handler


def prepare(handler: Any) -> None:
    """Let a handler make its subscription frames, as on a connection, so that it knows its channels."""
    keys = [(channel, from_gateio(SYMBOL)) for channel in PublicWebsocketChannelType]
    handler.set_subscriptions([from_gateio(SYMBOL)], list(PublicWebsocketChannelType))
    handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, keys)


def sync(handler: Any, frames: list[bytes]) -> None:
    """Let the frames be new once more: forget the trades seen, set the local book to the version before the first."""
    handler._recent_trades.forget()
    versions = first_version(frames[0])
    if versions is None:
        return
    name = handler.symbol_name(from_gateio(SYMBOL))
    handler._books._books[name] = LocalBook(name)
    handler._books.apply(BookUpdate(name, [], [], 0, versions - 1, is_snapshot=True))


def first_version(frame: bytes) -> int | None:
    """The first version of a book frame, None for other types."""
    found = re.search(rb'"U":([0-9]+)', frame)
    if found:
        return int(found[1])
    push = PushDataV3ApiWrapper.FromString(frame) if not frame.startswith(b"{") else None
    if push is not None and push.HasField("publicAggreDepths"):
        return int(push.publicAggreDepths.fromVersion)
    return None


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
