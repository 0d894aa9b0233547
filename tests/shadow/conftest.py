"""A second venue as the exchange: a process of its own behind TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from .venue.forked_venue import fork_venue, venue_server


class TlsFront:
    """Takes TLS off in front of a plain port; its connections can be ended from here."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self._moved = asyncio.Condition()
        self.connections = 0

    async def open(self, context: ssl.SSLContext) -> int:
        self._server = await asyncio.start_server(self._attend, "127.0.0.1", 0, ssl=context)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def passed_on(self, count: int) -> None:
        """Wait until so many more bytes went through, either way."""
        async with self._moved:
            target = self._bytes + count
            await self._moved.wait_for(lambda: self._bytes >= target)

    def drop(self) -> None:
        """End every connection without a close frame."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        self._server.close()
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        venue_reader, venue_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, venue_writer}
        ways = [
            asyncio.create_task(self._pump(reader, venue_writer)),
            asyncio.create_task(self._pump(venue_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for one in (writer, venue_writer):
            one.transport.abort()
        self._writers -= {writer, venue_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
                self._bytes += len(data)
                async with self._moved:
                    self._moved.notify_all()


class SecondVenue:
    """The upstream's file and the fronts of its two ports."""

    def __init__(self, file: Path, credentials: dict[str, dict[str, str]], ws: TlsFront, rest: TlsFront) -> None:
        self.file = file
        self.credentials = credentials
        self.ws = ws
        self.rest = rest


Begin = Callable[..., Awaitable[SecondVenue]]


@pytest.fixture(scope="session")
def server_of_venues() -> Iterator[socket.socket]:
    """Where venues are forked that need not import first."""
    with venue_server() as door:
        yield door


@asynccontextmanager
async def second_venue(door: socket.socket, folder: Path, **options: Any) -> AsyncIterator[SecondVenue]:
    """A venue process, its two ports behind TLS, and the file for `$WS_SHADOW_UPSTREAM`."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    process = await fork_venue(door, nowhere, options)
    os.close(nowhere)
    ready = json.loads(await process.stdout.readline())
    ws_port, rest_port = (
        int(next(iter(ready[kind].values())).split(":")[2].partition("/")[0]) for kind in ("ws", "rest")
    )
    ws, rest = TlsFront(ws_port), TlsFront(rest_port)
    moved = {ws_port: await ws.open(context), rest_port: await rest.open(context)}
    for kind in ("ws", "rest"):
        for name, url in ready[kind].items():
            scheme, host, tail = url.split(":", 2)
            port, slash, path = tail.partition("/")
            ready[kind][name] = f"{scheme}s:{host}:{moved[int(port)]}{slash}{path}"
    file = folder / "upstream.json"
    file.write_text(json.dumps({**ready, "ca": str(folder / "authority.pem")}))
    try:
        yield SecondVenue(file, ready["credentials"], ws, rest)
    finally:
        await ws.close()
        await rest.close()
        await process.stop()


@pytest.fixture
async def upstream(
    server_of_venues: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Begin]:
    """Starts second venues with `run_alone`'s options and makes them the upstream of this machine."""
    async with AsyncExitStack() as stack:

        async def begin(**options: Any) -> SecondVenue:
            begun = await stack.enter_async_context(second_venue(server_of_venues, tmp_path, **options))
            monkeypatch.setenv("WS_SHADOW_UPSTREAM", str(begun.file))
            return begun

        yield begin
