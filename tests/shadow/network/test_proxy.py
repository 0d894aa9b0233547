"""The proxy on real sockets: what it does to bytes, and what our new stack makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from exchanges.integrations.gateio.builder import build_direct
from exchanges.structs import ConnectionState, ExchangeConfig, PublicWebsocketChannelType, Symbol, WebSocketConfig
from exchanges.structs.events import BookTickerEvent, PublicCallbacks
from shadow.network.proxy import Conditions, TcpProxy

State = ConnectionState
MESSAGE = bytes(range(256)) * 8


class Echo:
    """A server that sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.arrived = asyncio.Event()

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.got += data
                self.arrived.set()
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, int]]:
    server = Echo()
    listening = await asyncio.start_server(server.attend, "127.0.0.1", 0)
    yield server, listening.sockets[0].getsockname()[1]
    listening.close()
    while accepted := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(accepted)


async def through(port: int, conditions: Conditions, seed: int = 1) -> tuple[TcpProxy, Any, Any]:
    proxy = TcpProxy("127.0.0.1", port, conditions, seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.open())
    return proxy, reader, writer


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(),
        Conditions(pieces=7),
        Conditions(joined_s=0.02),
        Conditions(delay_s=0.005, jitter_s=0.01, pieces=900),
    ],
)
async def test_every_byte_comes_through_in_order(echo: tuple[Echo, int], conditions: Conditions) -> None:
    proxy, reader, writer = await through(echo[1], conditions)
    writer.write(MESSAGE)
    assert await reader.readexactly(len(MESSAGE)) == MESSAGE
    assert proxy.passed_bytes == len(MESSAGE)
    writer.close()
    await proxy.close()


async def test_pieces_are_cut_by_the_seed(echo: tuple[Echo, int]) -> None:
    same, other = TcpProxy("127.0.0.1", 1, Conditions(pieces=9), 4), TcpProxy("127.0.0.1", 1, Conditions(pieces=9), 5)
    again = TcpProxy("127.0.0.1", 1, Conditions(pieces=9), 4)
    cuts = same._cut(MESSAGE)
    assert b"".join(cuts) == MESSAGE
    assert max(map(len, cuts)) <= 9
    assert cuts == again._cut(MESSAGE) != other._cut(MESSAGE)


async def test_a_delay_holds_bytes_back(echo: tuple[Echo, int]) -> None:
    proxy, reader, writer = await through(echo[1], Conditions(delay_s=0.05))
    began = perf_counter()
    writer.write(b"x")
    await reader.readexactly(1)
    assert perf_counter() - began >= 0.1  # there and back
    writer.close()
    await proxy.close()


async def test_a_stall_keeps_what_comes_and_a_reset_ends_it(echo: tuple[Echo, int]) -> None:
    proxy, reader, writer = await through(echo[1], Conditions())
    proxy.stall()
    writer.write(b"kept")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(1)
    proxy.resume()
    assert await reader.readexactly(4) == b"kept"
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()
    await proxy.close()


async def test_a_half_closed_connection_still_takes_what_the_client_says(echo: tuple[Echo, int]) -> None:
    server, port = echo
    proxy, reader, writer = await through(port, Conditions())
    writer.write(b"a")
    await reader.readexactly(1)
    assert proxy.half_close() == 1
    assert await reader.read(1) == b""
    writer.write(b"b")
    async with asyncio.timeout(30):
        while bytes(server.got) != b"ab":
            server.arrived.clear()
            await server.arrived.wait()
    writer.close()
    await proxy.close()


async def test_nobody_behind_it_is_a_closed_connection() -> None:
    proxy, reader, writer = await through(1, Conditions())
    assert await reader.read(1) == b""
    writer.close()
    await proxy.close()


class Exchange:
    """Gate.io's best bid and ask: acks, then pushes with ascending ids for as long as somebody listens."""

    def __init__(self) -> None:
        self.number = 0
        self.sockets: set[ServerConnection] = set()

    async def attend(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                request = json.loads(text)
                if request.get("event") == "subscribe":
                    await socket.send(json.dumps({**request, "result": {"status": "success"}}))
                    self.sockets.add(socket)
                elif request["channel"] == "spot.ping":
                    await socket.send('{"time":1,"channel":"spot.pong","event":"","result":null}')
        self.sockets.discard(socket)

    async def push(self, count: int) -> int:
        """Send `count` updates to whoever subscribed; returns the last id."""
        for _ in range(count):
            self.number += 1
            result = {"t": 1, "u": self.number, "s": "BTC_USDT", "b": "1", "B": "1", "a": "2", "A": "1"}
            frame = json.dumps({"channel": "spot.book_ticker", "event": "update", "result": result})
            for socket in tuple(self.sockets):
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(frame)
        return self.number


class Consumer:
    """What the stack delivered, and a way to wait for it."""

    def __init__(self) -> None:
        self.ids: list[int | None] = []
        self.states: list[State] = []
        self.answers = 0
        self._changed = asyncio.Event()
        self.callbacks = PublicCallbacks(
            on_book_ticker=self._on_best, on_state=self._on_state, on_subscription=self._on_answer
        )

    def _on_best(self, event: BookTickerEvent) -> None:
        self.ids.append(event.update_id)
        self._changed.set()

    def _on_state(self, state: State) -> None:
        self.states.append(state)
        self._changed.set()

    def _on_answer(self, _: Any) -> None:
        self.answers += 1
        self._changed.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


PINGS = {"heartbeat_interval": 0.3, "ping_timeout": 0.2}


@pytest.fixture(params=[{"heartbeat_interval": None}], ids=["no pings"])
async def exchange(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Exchange, TcpProxy, Consumer, Any]]:
    """An exchange, a proxy before it, and our new stack behind the proxy, subscribed.

    It pings only where a ping is to notice something: a busy machine answers later than any of them waits.
    """
    venue, consumer = Exchange(), Consumer()
    async with serve(venue.attend, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2) as server:
        proxy = TcpProxy("127.0.0.1", next(iter(server.sockets)).getsockname()[1])
        url = f"ws://127.0.0.1:{await proxy.open()}/ws"
        settings = WebSocketConfig(url, **request.param, close_timeout=0.5)
        connection = build_direct(
            ExchangeConfig("GATEIO_SPOT", websocket_url=url, websocket=settings), consumer.callbacks
        )
        await connection.start([Symbol("BTC", "USDT")], [PublicWebsocketChannelType.BOOK_TICKER])
        await consumer.until(lambda: consumer.answers == 1)
        yield venue, proxy, consumer, connection
        await connection.close()
        await proxy.close()


Scene = tuple[Exchange, TcpProxy, Consumer, Any]


@pytest.mark.checklist("5.2.13")
@pytest.mark.parametrize(
    "conditions", [Conditions(pieces=3), Conditions(joined_s=0.03), Conditions(jitter_s=0.002, pieces=200)]
)
async def test_the_stack_reads_frames_however_they_are_cut(exchange: Scene, conditions: Conditions) -> None:
    venue, proxy, consumer, _ = exchange
    proxy.conditions = conditions
    last = await venue.push(60)
    await consumer.until(lambda: len(consumer.ids) == last)
    assert consumer.ids == list(range(1, last + 1))
    assert proxy.connections == 1


@pytest.mark.checklist("5.2.13")
@pytest.mark.parametrize("cut", ["reset", "half_close"])
async def test_the_stack_comes_back_after_a_cut_and_subscribes_again(exchange: Scene, cut: str) -> None:
    venue, proxy, consumer, _ = exchange
    before = await venue.push(5)
    await consumer.until(lambda: len(consumer.ids) == before)
    getattr(proxy, cut)()
    await consumer.until(lambda: consumer.answers == 2)
    assert proxy.connections == 2
    last = await venue.push(5)
    await consumer.until(lambda: consumer.ids[-1] == last)
    assert consumer.ids == list(range(1, last + 1))
    assert consumer.states[-1] is State.CONNECTED


@pytest.mark.checklist("5.2.13")
@pytest.mark.parametrize("exchange", [PINGS], indirect=True, ids=["pings"])
async def test_a_stalled_link_is_noticed_by_the_ping_and_replaced(exchange: Scene) -> None:
    venue, proxy, consumer, connection = exchange
    opened, answers, told = proxy.connections, consumer.answers, len(consumer.states)
    proxy.stall()
    await consumer.until(lambda: proxy.connections > opened or State.DISCONNECTED in consumer.states[told:])
    proxy.resume()
    await consumer.until(lambda: consumer.answers > answers)
    last = await venue.push(1)
    await consumer.until(lambda: consumer.ids == [last])
    assert connection.handler.error_count >= 1
