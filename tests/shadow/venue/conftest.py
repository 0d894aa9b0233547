"""A venue process and plain clients to try it with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from shadow.capture.tables import COLUMNS

from .forked_venue import LEDGER_FD, Forked, fork_venue

Row = dict[str, Any]
GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"


class LedgerReader:
    """Reads the ledger pipe into rows by table."""

    def __init__(self, fd: int) -> None:
        self.tables: dict[str, list[Row]] = defaultdict(list)
        self._fd = fd
        self._data = bytearray()
        self.ended = asyncio.Event()
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self.ended.set()
            return
        self._data += data
        while len(self._data) >= 4:
            size = int.from_bytes(self._data[:4], "little")
            if len(self._data) < 4 + size:
                return
            table, *values = msgspec.msgpack.decode(self._data[4 : 4 + size])
            del self._data[: 4 + size]
            self.tables[table].append(dict(zip(COLUMNS[table], values, strict=True)))


class VenueProcess:
    """`python -m shadow.venue`, spoken to as the orchestrator does."""

    def __init__(self, process: Forked, ledger: LedgerReader) -> None:
        self.process = process
        self.ledger = ledger
        self.ready: Row = {}
        self.said: list[Row] = []
        self._heard = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for line in self.process.stdout:
            async with self._heard:
                self.said.append(json.loads(line))
                self._heard.notify_all()
        async with self._heard:
            self.said.append({"k": "eof"})
            self._heard.notify_all()

    async def hear(self, since: int = 0, **wanted: object) -> Row:
        """The first line after `since` others that has these values."""

        def match() -> Row | None:
            return next((m for m in self.said[since:] if all(m.get(k) == v for k, v in wanted.items())), None)

        async with self._heard:
            await self._heard.wait_for(lambda: match() is not None or {"k": "eof"} in self.said)
            found = match()
            assert found is not None, f"the venue ended without saying {wanted}; it said {self.said}"
            return found

    def send(self, **command: object) -> None:
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def ask(self, cmd: str, **more: object) -> Row:
        """Send a command and wait until it is done."""
        since = len(self.said)
        self.send(cmd=cmd, **more)
        return await self.hear(since, k="done", cmd=cmd)

    async def end(self) -> dict[str, list[Row]]:
        """Stop the venue and return the whole ledger."""
        if self.process.returncode is None:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                self.send(cmd="stop")
        await self.process.wait()
        await self._reader
        await self.ledger.ended.wait()
        return self.ledger.tables


class Client:
    """A plain WebSocket client of one role and connection that keeps what it receives."""

    def __init__(self, socket: ClientConnection, connection: str) -> None:
        self.socket = socket
        self.connection = connection
        self.data: list[bytes] = []
        self.control: list[str] = []
        self.arrived = asyncio.Condition()
        self.reader = asyncio.create_task(self._read())

    def _is_data(self, message: str | bytes) -> bool:
        return '"event":"update"' in message if isinstance(message, str) else True

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                async with self.arrived:
                    if self._is_data(message):
                        self.data.append(message.encode() if isinstance(message, str) else message)
                    else:
                        assert isinstance(message, str)
                        self.control.append(message)
                    self.arrived.notify_all()
        except Exception:  # noqa: BLE001 - how the connection ended is read from close_code
            pass
        async with self.arrived:
            self.arrived.notify_all()

    async def until(self, ready: Callable[[Client], bool]) -> None:
        """Wait until something holds of what was received."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: ready(self))

    async def closed(self) -> int | None:
        """Wait for the end of the connection; its close code."""
        await self.reader
        await self.socket.wait_closed()
        return self.socket.close_code

    async def subscribe(self, symbols: list[str], channels: list[str]) -> None:
        """Send the usual subscriptions and wait for every ack."""
        acks = len(self.control)
        if self.connection == GATEIO:
            for channel in channels:
                name = {
                    "book": "spot.order_book_update",
                    "trade": "spot.trades",
                    "book_ticker": "spot.book_ticker",
                    "ticker": "spot.tickers",
                }[channel]
                for symbol in symbols:
                    acks += 1
                    payload = [symbol, "100ms"] if channel == "book" else [symbol]
                    await self.send({"time": 1, "id": acks, "channel": name, "event": "subscribe", "payload": payload})
        else:
            names = {
                "book": "spot@public.aggre.depth.v3.api.pb@100ms@{}",
                "trade": "spot@public.aggre.deals.v3.api.pb@100ms@{}",
                "book_ticker": "spot@public.aggre.bookTicker.v3.api.pb@100ms@{}",
                "ticker": "spot@public.miniTicker.v3.api.pb@{}@UTC+8",
            }
            for channel in channels:
                acks += 1
                params = [names[channel].format(symbol.replace("_", "")) for symbol in symbols]
                await self.send({"method": "SUBSCRIPTION", "params": params})
        await self.until(lambda client: len(client.control) >= acks)

    async def send(self, message: object) -> None:
        await self.socket.send(json.dumps(message))


Start = Callable[..., Awaitable[VenueProcess]]
Join = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start(server_of_venues: socket.socket) -> AsyncIterator[Start]:
    """Starts venues; whatever still runs at the end is ended."""
    venues: list[VenueProcess] = []

    async def begin(**options: object) -> VenueProcess:
        read, write = os.pipe()
        process = await fork_venue(server_of_venues, write)
        os.close(write)
        venue = VenueProcess(process, LedgerReader(read))
        venues.append(venue)
        first = {
            "roles": ["legacy", "new"],
            "connections": [GATEIO],
            "symbols": ["BTC_USDT", "ETH_USDT"],
            "channels": ["book", "trade", "book_ticker", "ticker"],
            "ledger_fd": LEDGER_FD,
            "seed": 7,
            **options,
        }
        process.stdin.write(json.dumps(first).encode() + b"\n")
        async with venue._heard:
            await venue._heard.wait_for(lambda: bool(venue.said))
        venue.ready = venue.said[0]
        return venue

    yield begin
    for venue in venues:
        await venue.end()


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Connects clients to a lane; all are closed at the end."""
    clients: list[Client] = []

    async def begin(venue: VenueProcess, role: str, connection: str = GATEIO, **options: Any) -> Client:
        market = connection.rpartition(".")[0]
        url = venue.ready["lanes"][role]["ws"][market]
        client = Client(await connect(url, compression=None, **options), connection)
        clients.append(client)
        return client

    yield begin
    for client in clients:
        client.socket.transport.abort()
        await asyncio.gather(client.reader, return_exceptions=True)
