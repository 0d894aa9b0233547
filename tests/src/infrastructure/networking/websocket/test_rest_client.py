from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http.client import HTTPConnection

import pytest

from exchanges.structs.errors import ConfigurationError, ExchangeRestError
from infrastructure.networking.websocket.rest_client import RestClient

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Serve) -> AsyncIterator[str]:
    """A server's base address; every connection it accepted has ended when the block has."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # a client that hung up without asking
            await answer(reader, writer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v4"
    while accepted := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(accepted)


def answering(status: str, body: bytes, asked: list[bytes]) -> Serve:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return answer


async def test_the_path_goes_below_the_base_with_its_query() -> None:
    asked: list[bytes] = []
    async with serving(answering("200 OK", b'{"id":1}', asked)) as base:
        assert await RestClient(base).get("/spot/order_book", {"currency_pair": "A_B"}) == b'{"id":1}'
    assert asked == [b"GET /api/v4/spot/order_book?currency_pair=A_B HTTP/1.1"]


async def test_a_refusal_carries_its_status_and_text() -> None:
    async with serving(answering("429 Too Many Requests", b"slow down", [])) as base:
        with pytest.raises(ExchangeRestError) as refused:
            await RestClient(base).get("/x", {})
    assert refused.value.code == 429
    assert "slow down" in refused.value.message


async def test_any_method_with_headers_of_its_own_and_any_answer() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 418 no\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with serving(answer) as base:
        assert await RestClient(base).send("PUT", "/x", {"a": "1", "b": "2"}, {"X-KEY": "k"}) == (418, b"{}")
        with pytest.raises(ExchangeRestError) as refused:
            await RestClient(base).send("POST", "/x", {}, {"X-KEY": "secret\n"})
    lines = asked[0].splitlines()
    assert lines[0] == b"PUT /api/v4/x?a=1&b=2 HTTP/1.1"
    assert b"X-KEY: k" in lines
    assert refused.value.code == 503
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("date", "sent_ms"),
    [("Fri, 27 Nov 2026 08:09:10 GMT", 1_795_766_950_000), ("some day", None), ("", None)],
)
async def test_an_answer_is_dated_by_the_servers_clock_where_it_tells_it(date: str, sent_ms: int | None) -> None:
    head = f"\r\nDate: {date}" if date else ""
    async with serving(answering(f"200 OK{head}", b"{}", [])) as base:
        assert await RestClient(base).ask("GET", "/x", {}) == (200, b"{}", sent_ms)


async def test_nobody_there_is_503() -> None:
    async with serving(answering("200 OK", b"", [])) as base:
        pass
    with pytest.raises(ExchangeRestError) as refused:
        await RestClient(base).get("/x", {})
    assert refused.value.code == 503


async def test_an_answer_that_is_no_http_is_503() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"what?\r\n\r\n")

    async with serving(nonsense) as base:
        with pytest.raises(ExchangeRestError) as refused:
            await RestClient(base).get("/x", {})
    assert refused.value.code == 503


async def test_close_hangs_up_on_a_server_that_never_answers() -> None:
    asked = asyncio.Event()
    gone = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        gone.set()

    async with serving(mute) as base:
        client = RestClient(base, timeout_s=30.0)
        call = asyncio.ensure_future(client.get("/x", {}))
        await asked.wait()
        began = time.monotonic()
        await client.close()
        with pytest.raises(ExchangeRestError):
            await call
        await gone.wait()
        assert time.monotonic() - began < 5.0


async def test_a_call_given_up_while_it_connects_asks_nothing_and_close_waits_for_its_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []
    connecting, may_connect, connects = threading.Event(), threading.Event(), []
    really_connect = HTTPConnection.connect

    def connect(connection: HTTPConnection) -> None:
        connecting.set()
        assert may_connect.wait(5.0)
        really_connect(connection)
        connects.append(connection)

    monkeypatch.setattr(HTTPConnection, "connect", connect)
    async with serving(answering("200 OK", b"{}", asked)) as base:
        client = RestClient(base)
        call = asyncio.ensure_future(client.get("/x", {}))
        await asyncio.to_thread(connecting.wait, 5.0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        closing = asyncio.ensure_future(client.close())
        await asyncio.sleep(0)
        assert not closing.done()
        may_connect.set()
        await closing
    assert len(connects) == 1
    assert connects[0].sock is None
    assert asked == []


def test_an_address_without_a_host_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        RestClient("api.example")
