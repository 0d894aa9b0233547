"""A seeded TCP proxy between a stack and an exchange: what networks do to a connection, on purpose and again the same.

It knows nothing of WebSocket: it delays, cuts and joins bytes, and ends connections in the ways that TCP has.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from random import Random

import msgspec

__all__ = ["Conditions", "TcpProxy"]

CHUNK = 64 * 1024


class Conditions(msgspec.Struct, frozen=True):
    """What happens to the bytes on the way from the exchange to the client.

    `delay_s` holds every piece back, with up to `jitter_s` more, in order. `pieces` cuts what arrives into pieces of 1
    to that many bytes; `joined_s` collects for that long and passes on in one write. The way to the exchange is only
    delayed. 0 switches a condition off.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    pieces: int = 0
    joined_s: float = 0.0


class TcpProxy:
    """Listens on loopback and passes each connection on to one target.

    Conditions may be changed at any time; they hold for what arrives from then on. The same seed gives the same cuts
    and delays for the same bytes.
    """

    def __init__(self, host: str, port: int, conditions: Conditions | None = None, seed: int = 1) -> None:
        self.conditions = conditions or Conditions()
        self.connections = 0
        self.passed_bytes = 0
        self._target = host, port
        self._random = Random(f"proxy/{seed}")
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> int:
        """Start to listen; returns the port."""
        self._server = await asyncio.start_server(self._attend, "127.0.0.1", 0, limit=CHUNK)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._server is not None:
            self._server.close()
        self.resume()
        self.reset()
        while self._links:
            await next(iter(self._links)).ended.wait()

    def stall(self) -> None:
        """Pass nothing on from the exchange until `resume`; connections stay open and what comes is kept."""
        self._flowing.clear()

    def resume(self) -> None:
        """End a stall."""
        self._flowing.set()

    def reset(self) -> int:
        """End every connection with a TCP reset on the client's side; returns how many."""
        links = tuple(self._links)
        for link in links:
            link.reset()
        return len(links)

    def half_close(self) -> int:
        """Send the client an end of stream on every connection, while its own bytes still go through."""
        links = tuple(self._links)
        for link in links:
            link.half_close()
        return len(links)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target, limit=CHUNK)
        except OSError:
            writer.close()
            return
        link = _Link(self, writer, up_writer)
        self._links.add(link)
        try:
            await link.run(reader, up_reader)
        finally:
            self._links.discard(link)
            link.ended.set()

    async def _hold(self) -> None:
        """The delay of one piece, and the stall."""
        conditions = self.conditions
        delay = conditions.delay_s + self._random.random() * conditions.jitter_s
        if delay > 0:
            await asyncio.sleep(delay)
        await self._flowing.wait()

    def _cut(self, data: bytes) -> list[bytes]:
        most = self.conditions.pieces
        if most <= 0:
            return [data]
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            size = self._random.randint(1, most)
            pieces.append(data[at : at + size])
            at += size
        return pieces


class _Link:
    """One connection of a client and its twin at the exchange."""

    def __init__(self, proxy: TcpProxy, client: asyncio.StreamWriter, exchange: asyncio.StreamWriter) -> None:
        self.ended = asyncio.Event()
        self._proxy = proxy
        self._client = client
        self._exchange = exchange
        self._is_half_closed = False
        for writer in (client, exchange):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self, from_client: asyncio.StreamReader, from_exchange: asyncio.StreamReader) -> None:
        """Pass on both ways until one side ends."""
        ways = {
            asyncio.create_task(self._upwards(from_client)),
            asyncio.create_task(self._downwards(from_exchange)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (self._client, self._exchange):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def reset(self) -> None:
        """Linger of zero seconds: closing sends a reset, and what was not sent yet is lost."""
        if self._client.transport.is_closing():
            return
        linger = struct.pack("ii", 1, 0)
        self._client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._client.transport.abort()
        self._exchange.transport.abort()

    def half_close(self) -> None:
        """End of stream towards the client."""
        self._is_half_closed = True
        self._client.write_eof()

    async def _upwards(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                conditions = self._proxy.conditions
                if conditions.delay_s > 0:
                    await asyncio.sleep(conditions.delay_s)
                self._exchange.write(data)
                await self._exchange.drain()

    async def _downwards(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                data += await self._collect(reader)
                for piece in self._proxy._cut(data):
                    await self._proxy._hold()
                    await self._pass_on(piece)
            if not self._is_half_closed:
                self._client.write_eof()

    async def _collect(self, reader: asyncio.StreamReader) -> bytes:
        """What else arrives while small writes are being joined."""
        wait_s = self._proxy.conditions.joined_s
        more = bytearray()
        if wait_s <= 0:
            return bytes(more)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while data := await reader.read(CHUNK):
                    more += data
        return bytes(more)

    async def _pass_on(self, piece: bytes) -> None:
        if self._is_half_closed:
            return
        self._client.write(piece)
        self._proxy.passed_bytes += len(piece)
        await self._client.drain()
