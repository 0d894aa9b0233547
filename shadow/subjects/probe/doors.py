"""Both stacks without a socket: a frame goes in where the reader would hand it on, and comes out at the consumer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import (
    ExchangeConfig,
    ExchangeCredentials,
    ParsedMessage,
    PublicWebsocketChannelType,
    SubscriptionAction,
    WebSocketConfig,
)
from exchanges.structs.book import LocalBook
from exchanges.structs.events import BookUpdate
from exchanges.structs.symbols import from_gateio
from infrastructure.networking.websocket.migration.stacks import load_builder
from shadow.subjects.probe.frames import SYMBOL

__all__ = ["Arrivals", "Door", "end_task", "first_version", "offline_config", "prepare", "sync"]

URL, REST_URL = "ws://127.0.0.1:1/", "http://127.0.0.1:1"
NAMES = {"gateio": "GATEIO_SPOT", "mexc": "MEXC_SPOT"}


def offline_config(exchange: str) -> ExchangeConfig:
    """Settings that connect to nobody; the credentials are made up."""
    return ExchangeConfig(
        NAMES[exchange],
        ExchangeCredentials("probe-key", "probe-secret"),
        websocket_url=URL,
        base_url=REST_URL,
        websocket=WebSocketConfig(url=URL),
    )


class Arrivals:
    """A consumer at either door that counts, and tells when enough came. `last_ns` is when the last one came."""

    def __init__(self) -> None:
        self.last_ns = 0
        self._left = 0
        self._done = asyncio.Event()

    def one(self, _: Any) -> None:
        """The plain callback: one event."""
        self._left -= 1
        if not self._left:
            self.last_ns = perf_counter_ns()
            self._done.set()

    async def handler(self, _: ParsedMessage) -> None:
        """The awaited handler: one message."""
        self._left -= 1
        if not self._left:
            self.last_ns = perf_counter_ns()
            self._done.set()

    def expect(self, count: int) -> None:
        """Wait for `count` more."""
        self._left = count
        self._done.clear()

    async def wait(self) -> None:
        """Until they came."""
        await self._done.wait()


class Door:
    """One stack behind the callers' door: `take` is where its reader hands a frame on, `handler` the consumer.

    Needs a running loop; `close` ends its task.
    """

    def __init__(self, architecture: str, exchange: str, handler: Callable[[ParsedMessage], Any]) -> None:
        manager = load_builder(architecture, exchange)(offline_config(exchange), False, handler, None)
        self._handler: Any = None
        if architecture == "legacy":
            self.take: Callable[[bytes], Any] = manager._on_raw_message
            self._task = asyncio.create_task(manager._process_messages())
            return
        self._handler = manager.handler
        prepare(self._handler)
        self.take = self._handler._on_raw_message
        self._task = asyncio.create_task(self._handler._process_messages(self._handler._backlog))

    def renew(self, frames: list[bytes]) -> None:
        """Let frames that came before be new once more."""
        if self._handler is not None:
            sync(self._handler, frames)

    async def close(self) -> None:
        """End what hands messages to the consumer."""
        await end_task(self._task)


def prepare(handler: Any) -> None:
    """Let a handler make its subscription frames, as on a connection, so that it knows its channels."""
    keys = [(channel, from_gateio(SYMBOL)) for channel in PublicWebsocketChannelType]
    handler.set_subscriptions([from_gateio(SYMBOL)], list(PublicWebsocketChannelType))
    handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, keys)


def sync(handler: Any, frames: list[bytes]) -> None:
    """Let the frames be new once more: forget the trades seen, set the local book to the version before the first.

    The book is set where the first frame is one of a book.
    """
    handler._recent_trades.forget()
    versions = first_version(frames[0])
    if versions is None:
        return
    name = handler.symbol_name(from_gateio(SYMBOL))
    handler._books._books[name] = LocalBook(name)
    handler._books.apply(BookUpdate(0, name, None, versions - 1, [], [], is_snapshot=True))


def first_version(frame: bytes) -> int | None:
    """The first version of a book frame, None for other types."""
    found = re.search(rb'"U":([0-9]+)', frame)
    if found:
        return int(found[1])
    push = PushDataV3ApiWrapper.FromString(frame) if not frame.startswith(b"{") else None
    if push is not None and push.HasField("publicAggreDepths"):
        return int(push.publicAggreDepths.fromVersion)
    return None


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
