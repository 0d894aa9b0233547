"""Whole connections of both exchanges over real loopback sockets, at door direct."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from time import perf_counter
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import ConnectionState, ExchangeConfig, PublicWebsocketChannelType, Symbol, WebSocketConfig
from exchanges.structs.events import BookTickerEvent, PublicCallbacks, SubscriptionEvent

BTC = Symbol("BTC", "USDT")
CHANNELS = [PublicWebsocketChannelType.BOOK_TICKER]


def gateio_ack(request: dict[str, Any]) -> str:
    return json.dumps({**request, "result": {"status": "success"}})


def mexc_ack(request: dict[str, Any]) -> str:
    return json.dumps({"id": request["id"], "code": 0, "msg": ",".join(request["params"])})


def gateio_push(number: int) -> str:
    result = {"t": 1, "u": number, "s": "BTC_USDT", "b": "1", "B": "1", "a": "2", "A": "1"}
    return json.dumps({"channel": "spot.book_ticker", "event": "update", "result": result})


def futures_push(number: int) -> str:
    result = {"t": 1, "u": number, "s": "BTC_USDT", "b": "1", "B": 1, "a": "2", "A": "1"}
    return json.dumps({"channel": "futures.book_ticker", "event": "update", "result": result})


def mexc_push(number: int) -> bytes:
    best = {"bidPrice": "1", "bidQuantity": "1", "askPrice": "2", "askQuantity": "1", "version": str(number)}
    channel = "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT"
    data: bytes = PushDataV3ApiWrapper(channel=channel, sendTime=1, publicAggreBookTicker=best).SerializeToString()
    return data


WIRES = {
    "GATEIO_SPOT": (gateio_ack, gateio_push),
    "GATEIO_FUTURES": (gateio_ack, futures_push),
    "MEXC_SPOT": (mexc_ack, mexc_push),
}


class Venue:
    """A server that confirms, pushes `burst` frames and then closes with `code`, or stays."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.burst = 0
        self.code: int | None = None
        self.links: set[ServerConnection] = set()
        self.requests: list[Any] = []
        self.opened: list[float] = []
        self.closed: list[float] = []
        self.url = ""

    async def handle(self, connection: ServerConnection) -> None:
        self.opened.append(perf_counter())
        ack, push = WIRES[self.name]
        self.links.add(connection)
        with suppress(ConnectionClosedError):
            await self._serve(connection, ack, push)
        self.links.discard(connection)

    async def _serve(
        self, connection: ServerConnection, ack: Callable[..., str], push: Callable[[int], str | bytes]
    ) -> None:
        async for text in connection:
            self.requests.append(json.loads(text))
            await connection.send(ack(self.requests[-1]))
            for number in range(self.burst):
                await connection.send(push(number))
            if self.code is not None and len(self.opened) == 1:
                self.closed.append(perf_counter())
                await connection.close(self.code)

    async def push(self, number: int) -> None:
        """One frame to whoever is connected."""
        _, push = WIRES[self.name]
        for connection in tuple(self.links):
            await connection.send(push(number))

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[int]:
        """Listen; yields the port."""
        async with serve(self.handle, "127.0.0.1", port, close_timeout=0.2) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"ws://127.0.0.1:{port}/ws"
            yield port


class Listener:
    """What a direct consumer got, and a way to wait for it."""

    def __init__(self) -> None:
        self.best: list[BookTickerEvent] = []
        self.answers: list[SubscriptionEvent] = []
        self.states: list[ConnectionState] = []
        self._changed = asyncio.Event()
        self.callbacks = PublicCallbacks(
            on_book_ticker=self._noting(self.best),
            on_subscription=self._noting(self.answers),
            on_state=self._noting(self.states),
        )

    def _noting(self, into: list[Any]) -> Callable[[Any], None]:
        def note(event: Any) -> None:
            into.append(event)
            self._changed.set()

        return note

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture(params=list(WIRES))
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[Venue]:
    fake = Venue(request.param)
    async with fake.serving():
        yield fake


def connect(venue: Venue, listener: Listener) -> Any:
    builder = import_module(f"exchanges.integrations.{venue.name.partition('_')[0].lower()}.builder")
    settings = WebSocketConfig(venue.url, heartbeat_interval=None, close_timeout=0.5)
    config = ExchangeConfig(venue.name, websocket_url=venue.url, websocket=settings)
    return builder.build_direct(config, listener.callbacks)


@pytest.mark.no_cover
@pytest.mark.checklist("1.2.14", "1.2.15", "5.2.1", "5.2.3", "5.2.5")
async def test_connects_within_the_targets_and_delivers_every_frame(venue: Venue) -> None:
    venue.burst = 2000
    listener = Listener()
    connection = connect(venue, listener)
    started = perf_counter()
    await connection.start([BTC], CHANNELS)
    await listener.until(lambda: bool(listener.answers))
    assert perf_counter() - started < 2.0
    await listener.until(lambda: len(listener.best) == 2000)
    assert [best.update_id for best in listener.best] == list(range(2000))
    await connection.close()
    assert listener.states[-1] is ConnectionState.CLOSED


@pytest.mark.no_cover
@pytest.mark.parametrize("code", [1000, 1001, 1012])
async def test_data_right_in_front_of_a_close_is_delivered_and_the_connection_replaced(venue: Venue, code: int) -> None:
    """L1: the burst and the close come together."""
    venue.burst, venue.code = 300, code
    listener = Listener()
    connection = connect(venue, listener)
    await connection.start([BTC], CHANNELS)
    await listener.until(lambda: len(listener.best) == 600)
    assert [best.update_id for best in listener.best] == 2 * list(range(300))
    assert len(venue.opened) == 2
    assert venue.opened[1] - venue.closed[0] < 0.5
    assert connection.handler.reconnection_count == 1
    assert connection.handler.error_count == 0
    await connection.close()


class Several:
    """A venue for each exchange and `each` connections to it; `stopped` tells which one has gone away."""

    def __init__(self, each: int) -> None:
        self.each = each
        self.venues = {name: Venue(name) for name in WIRES}
        self.listeners = {name: [Listener() for _ in range(each)] for name in WIRES}
        self.connections: list[Any] = []
        self._doors: dict[str, AsyncExitStack] = {}
        self.ports: dict[str, int] = {}

    async def listen(self, name: str) -> None:
        self._doors[name] = door = AsyncExitStack()
        self.ports[name] = await door.enter_async_context(self.venues[name].serving(self.ports.get(name, 0)))

    async def stop(self, name: str) -> None:
        await self._doors.pop(name).aclose()

    async def start(self) -> None:
        for name, venue in self.venues.items():
            await self.listen(name)
            for listener in self.listeners[name]:
                self.connections.append(connect(venue, listener))
                await self.connections[-1].start([BTC], CHANNELS)
        for name in self.venues:
            await self.confirmed(name, 1)

    async def confirmed(self, name: str, times: int) -> None:
        for listener in self.listeners[name]:
            await listener.until(lambda listener=listener: len(listener.answers) == times)

    async def close(self) -> None:
        for connection in self.connections:
            await connection.close()
        for name in tuple(self._doors):
            await self.stop(name)


def held() -> tuple[int, int, int]:
    """Tasks, open files and threads of this process."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), threading.active_count()


@pytest.mark.checklist("5.2.7", "5.2.9")
@pytest.mark.parametrize("failing", WIRES)
async def test_one_exchange_failing_leaves_the_others_alone(failing: str) -> None:
    several = Several(each=2)
    await several.start()
    well = [name for name in WIRES if name != failing]
    await several.stop(failing)
    for listener in several.listeners[failing]:
        await listener.until(lambda listener=listener: listener.states[-1] is not ConnectionState.CONNECTED)
    for number in range(50):
        for name in well:
            await several.venues[name].push(number)
    for name in well:
        for listener in several.listeners[name]:
            await listener.until(lambda listener=listener: len(listener.best) == 50)
            assert [best.update_id for best in listener.best] == list(range(50))
            assert listener.states.count(ConnectionState.CONNECTED) == 1
    await several.listen(failing)
    await several.confirmed(failing, 2)
    await several.venues[failing].push(7)
    for listener in several.listeners[failing]:
        await listener.until(lambda listener=listener: len(listener.best) == 1)
    await several.close()


@pytest.mark.no_cover
@pytest.mark.checklist("5.2.10", "5.2.13")
async def test_a_storm_of_reconnections_ends_with_one_link_for_each_and_nothing_left_behind() -> None:
    before = held()
    several = Several(each=10)
    await several.start()
    for rounds in range(2, 7):
        for venue in several.venues.values():
            links = tuple(venue.links)
            assert len(links) == several.each
            for link in links:
                link.transport.abort()
        for name, venue in several.venues.items():
            await several.confirmed(name, rounds)
            assert len(venue.opened) == len(venue.requests) == several.each * rounds
    for venue in several.venues.values():
        await venue.push(1)
        await venue.push(2)
    for listener in (one for listeners in several.listeners.values() for one in listeners):
        await listener.until(lambda listener=listener: len(listener.best) == 2)
    await several.close()
    gc.collect()
    assert held() == before
