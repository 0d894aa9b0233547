"""Both transports and the REST client over TLS: the certificate counts, and so does the name in it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve

from exchanges.structs.errors import ExchangeRestError
from infrastructure.networking.websocket.rest_client import RestClient
from infrastructure.networking.websocket.transport import ConnectFailed, ConnectionEnded, Opener, TransportSettings

FRAMES = 500
LARGE = 200_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine trusts the authority, as it would trust an exchange's."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return iter(())


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context


@asynccontextmanager
async def exchange(context: ssl.SSLContext) -> AsyncIterator[str]:
    """Answers a request with many frames, a large one, and a close right behind them."""

    async def behave(connection: ServerConnection) -> None:
        await connection.recv()
        for number in range(FRAMES):
            await connection.send(b"%d" % number)
        await connection.send(b"x" * LARGE)
        await connection.close(1001)

    async with serve(behave, "127.0.0.1", 0, ssl=context, close_timeout=0.2) as server:
        yield f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"


@pytest.mark.usefixtures("trusted")
async def test_every_frame_comes_over_tls_up_to_the_close(opener: Opener, authority: trustme.CA) -> None:
    got: list[bytes] = []
    async with exchange(server_side(authority)) as url:
        connection = await opener(TransportSettings(url))
        await connection.send("{}")
        with pytest.raises(ConnectionEnded) as ended:
            await asyncio.wait_for(connection.pump(got.append), 30)
    assert got == [*(b"%d" % number for number in range(FRAMES)), b"x" * LARGE]
    assert ended.value.code == 1001


async def test_a_certificate_that_nobody_trusts_is_refused(opener: Opener, authority: trustme.CA) -> None:
    async with exchange(server_side(authority)) as url:
        with pytest.raises(ConnectFailed, match=r"(?i)certificate") as failed:
            await opener(TransportSettings(url))
    assert failed.value.cause == "unknown"
    assert failed.value.reconnect_helps


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_of_another_name_is_refused(opener: Opener, authority: trustme.CA) -> None:
    async with exchange(server_side(authority, "exchange.example")) as url:
        with pytest.raises(ConnectFailed, match=r"(?i)certificate|hostname|mismatch"):
            await opener(TransportSettings(url))


@asynccontextmanager
async def rest(context: ssl.SSLContext) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    while accepted := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(accepted)


@pytest.mark.usefixtures("trusted")
async def test_rest_goes_over_tls(authority: trustme.CA) -> None:
    async with rest(server_side(authority)) as base:
        assert await RestClient(base).get("/x", {}) == b"{}"


async def test_rest_refuses_a_certificate_that_nobody_trusts(authority: trustme.CA) -> None:
    async with rest(server_side(authority)) as base:
        with pytest.raises(ExchangeRestError) as refused:
            await RestClient(base).get("/x", {"secret": "value"})
    assert refused.value.code == 503
    assert "value" not in str(refused.value)
