"""Real servers on loopback, and each transport by its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from infrastructure.networking.websocket.transport import Opener, resolve_transport

Behaviour = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def exchange(behaviour: Behaviour, refuse_with: int | None = None) -> AsyncIterator[tuple[str, list[Request]]]:
    """A server's address and the handshakes it saw."""
    handshakes: list[Request] = []

    def note(connection: ServerConnection, request: Request) -> Response | None:
        handshakes.append(request)
        return connection.respond(refuse_with, "no\n") if refuse_with is not None else None

    async with serve(behaviour, "127.0.0.1", 0, process_request=note, close_timeout=0.2) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws", handshakes


@pytest.fixture(params=["websockets", "picows"])
def opener(request: pytest.FixtureRequest) -> Opener:
    """Each transport by its name."""
    return resolve_transport(request.param)


async def idle(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


@asynccontextmanager
async def raw_server(behind_handshake: bytes, answer: bool = True) -> AsyncIterator[str]:
    """A server that shakes hands, writes these bytes, and then leaves the socket open; or hangs up on the request."""

    async def serve_raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if answer:
            key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
            accept = accept_key(key.partition(b":")[2].strip().decode())
            head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode() + behind_handshake)
            await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    async with await asyncio.start_server(serve_raw, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await ended.wait()
