"""A small loopback exchange for each exchange's wire, and the stacks that must behave alike against it.

A stack joins by one line in STACKS: the import path of its builder, `{exchange}` standing for gateio or mexc.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from exchanges.structs import (
    BookTicker,
    ConnectionState,
    ExchangeConfig,
    MessageType,
    OrderBookEntry,
    ParsedMessage,
    Symbol,
    Ticker,
    Trade,
    WebSocketConfig,
)

from .wires import NOW_MS, WIRES, GateioWire, Wire

STACKS = {
    "legacy": "legacy.{exchange}.builder:build",
    "new": "exchanges.integrations.{exchange}.builder:build",
}
LOGGER = "conformance"
WAIT_S = 30.0


class Signal:
    """Lets a test wait until a condition over recorded things holds."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Venue(Signal):
    """One loopback exchange: WebSocket with acks, and the REST order book that a stack may ask for."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.ws_url = ""
        self.rest_url = ""
        self.refuse = False
        self.book_version = 100
        self.connections: list[ServerConnection] = []
        self.requests: list[list[dict[str, Any]]] = []

    async def handle(self, connection: ServerConnection) -> None:
        requests: list[dict[str, Any]] = []
        self.connections.append(connection)
        self.requests.append(requests)
        self.changed()
        try:
            async for text in connection:
                assert isinstance(text, str)
                requests.append(orjson.loads(text))
                for answer in self.wire.ack(requests[-1], self.refuse):
                    await connection.send(answer)
                self.changed()
        except ConnectionClosed:
            pass

    async def rest(self, request: web.Request) -> web.Response:
        """An empty order book at `book_version`."""
        versions = {"id": self.book_version, "lastUpdateId": self.book_version}
        return web.json_response(versions | {"current": 1, "update": 1, "bids": [], "asks": []})

    def asked(self, number: int, subscribe: bool = True) -> set[tuple[str, str]]:
        """All (type, symbol) pairs asked for on the connection with this number, from 0."""
        return {
            pair
            for request in (self.requests[number] if number < len(self.requests) else [])
            for pair in self.wire.asked(request, subscribe)
        }

    @property
    def acks(self) -> int:
        """How many subscriptions were answered by an ack."""
        return sum(bool(self.wire.asked(request, True)) for requests in self.requests for request in requests)

    def market(self, *symbols: Symbol) -> set[tuple[str, str]]:
        """The pairs of all four types for these symbols."""
        return {(kind, self.wire.spell(symbol)) for kind in self.wire.channels.values() for symbol in symbols}

    async def subscribed(self, number: int, *symbols: Symbol) -> ServerConnection:
        """The connection with this number, once it asked for all types of these symbols."""
        await self.until(lambda: self.asked(number) >= self.market(*symbols))
        return self.connections[number]

    def expected(self, kind: str, symbol: Symbol, number: int) -> Any:
        """The data of the ParsedMessage for `push(kind, symbol, number)`; for a book its two sides and version."""
        bid, ask = self.wire.ticker_sides
        symbol = self.wire.listed(symbol)
        return {
            "book": ([OrderBookEntry(9.5, 1.25), OrderBookEntry(9.0, 0.0)], [OrderBookEntry(11.0, 2.0)], number),
            "trade": [Trade(symbol, 10.0, 0.5, "sell", NOW_MS, str(number))],
            "book_ticker": BookTicker(symbol, 9.0, 1.0, 11.0, 2.0, NOW_MS, number),
            "ticker": [Ticker(symbol, 10.0, bid, ask, 100.0, 1000.0, 12.0, 8.0, NOW_MS)],
        }[kind]


def is_rebuilt(message: ParsedMessage) -> bool:
    """Whether this is a book that a stack rebuilt."""
    return message.message_type is MessageType.ORDERBOOK and bool(message.data.is_snapshot)


class Caller(Signal):
    """Records what the handlers get; `broken` handlers raise after recording."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[ParsedMessage] = []
        self.states: list[ConnectionState] = []
        self.broken = False
        self._counts: Counter[MessageType] = Counter()

    async def on_message(self, message: ParsedMessage) -> None:
        self.messages.append(message)
        self._counts[message.message_type] += not is_rebuilt(message)
        self.changed()
        if self.broken:
            raise RuntimeError("the caller's handler is broken")

    async def on_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        self.changed()
        if self.broken:
            raise RuntimeError("the caller's handler is broken")

    def of(self, *types: MessageType) -> list[ParsedMessage]:
        """Messages of these types, in order; rebuilt books, which only one stack has, are left out."""
        return [message for message in self.messages if message.message_type in types and not is_rebuilt(message)]

    def count(self, *types: MessageType) -> int:
        """How many `of` would give."""
        return sum(self._counts[one] for one in types)

    async def settled(self, venue: Venue) -> None:
        """Wait until each subscription's ack was handled: only then does a drop find every stack's reader waiting."""
        acks = (MessageType.SUBSCRIPTION_CONFIRM, MessageType.SUBSCRIPTION_ERROR)
        await self.until(lambda: self.count(*acks) >= venue.acks)

    async def got(self, count: int, *types: MessageType) -> list[ParsedMessage]:
        await self.until(lambda: self.count(*types) >= count)
        return self.of(*types)


@pytest.fixture(params=sorted(STACKS))
def stack(request: pytest.FixtureRequest) -> str:
    """Which stack is under test."""
    name: str = request.param
    return name


@pytest.fixture(params=list(WIRES))
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[Venue]:
    """A running loopback exchange of each kind."""
    fake = Venue(WIRES[request.param]())
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.rest)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.rest_url = f"http://{host}:{port}" + ("/api/v4" if isinstance(fake.wire, GateioWire) else "")
    async with serve(fake.handle, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2) as server:
        fake.ws_url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"
        yield fake
        for connection in fake.connections:
            connection.transport.abort()
    await runner.cleanup()


@pytest.fixture
def caller() -> Caller:
    """A recording caller."""
    return Caller()


@pytest.fixture
def build(stack: str, venue: Venue) -> Callable[..., Any]:
    """The stack's builder for the venue's exchange."""
    exchange = "gateio" if isinstance(venue.wire, GateioWire) else "mexc"
    module, _, name = STACKS[stack].format(exchange=exchange).partition(":")
    builder: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return builder


@pytest.fixture
def exchange_config(venue: Venue) -> ExchangeConfig:
    """The configuration that points at the venue."""
    settings = WebSocketConfig(venue.ws_url, close_timeout=0.2, heartbeat_interval=None)
    return ExchangeConfig(venue.wire.name, base_url=venue.rest_url, websocket_url=venue.ws_url, websocket=settings)


@pytest.fixture
async def manager(build: Callable[..., Any], exchange_config: ExchangeConfig, caller: Caller) -> AsyncIterator[Any]:
    """A manager of the stack against the venue, not yet initialised; closed at the end."""
    built = build(exchange_config, False, caller.on_message, caller.on_state, logger=logging.getLogger(LOGGER))
    yield built
    await built.close()
