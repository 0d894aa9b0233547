"""A whole private connection over loopback: signed REST for the keys, a socket that takes valid keys only."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from exchanges.integrations.mexc.builder import build_direct
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import ConnectionState, ExchangeConfig, ExchangeCredentials, WebSocketConfig
from exchanges.structs.events import PrivateCallbacks

API_KEY, SECRET = "mx0-the-api-key", "the-very-secret-secret"
DEALS = "spot@private.deals.v3.api.pb"


def fill(number: int) -> bytes:
    body = {"tradeId": f"t{number}", "orderId": "o", "price": "2", "quantity": "3", "tradeType": 1, "time": 5}
    data: bytes = PushDataV3ApiWrapper(channel=DEALS, symbol="BTCUSDT", privateDeals=body).SerializeToString()
    return data


class Exchange:
    """One account: keys that are made, ended, and let in; and a socket that repeats the last fill to each client."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.made: list[str] = []
        self.valid: set[str] = set()
        self.sockets: list[web.WebSocketResponse] = []
        self.fills: list[int] = [1]
        self.port = 0

    async def keys(self, request: web.Request) -> web.Response:
        self.calls.append(request.method)
        signed, _, signature = request.query_string.rpartition("&signature=")
        expected = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if request.headers["X-MEXC-APIKEY"] != API_KEY or signature != expected:
            text = f"Signature of {request.headers['X-MEXC-APIKEY']} is not valid."
            return web.json_response({"code": 700002, "msg": text}, status=400)
        key = request.query.get("listenKey") or f"listen-key-{len(self.made) + 1}"
        if request.method == "POST":
            self.made.append(key)
            self.valid.add(key)
        elif key not in self.valid:
            return web.json_response({"code": 730002, "msg": f"no key {key}"}, status=400)
        elif request.method == "DELETE":
            self.valid.discard(key)
        return web.json_response({"listenKey": key})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        if request.query.get("listenKey") not in self.valid:
            await socket.send_str("Invalid listen key")
        async for message in socket:
            asked = json.loads(message.data)
            await socket.send_str(json.dumps({"id": asked["id"], "code": 0, "msg": ",".join(asked["params"])}))
            for number in self.fills:
                await socket.send_bytes(fill(number))
        return socket

    def config(self, secret: str = SECRET) -> ExchangeConfig:
        url = f"ws://127.0.0.1:{self.port}/ws"
        return ExchangeConfig(
            "MEXC_SPOT",
            ExchangeCredentials(API_KEY, secret),
            base_url=f"http://127.0.0.1:{self.port}",
            websocket_url=url,
            websocket=WebSocketConfig(url, close_timeout=2.0),
        )


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    fake = Exchange()
    app = web.Application()
    app.router.add_route("*", "/api/v3/userDataStream", fake.keys)
    app.router.add_get("/ws", fake.socket)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.port = runner.addresses[0][1]
    yield fake
    await runner.cleanup()


class Listener:
    """What a direct consumer got, and a way to wait for it."""

    def __init__(self) -> None:
        self.fills: list[str] = []
        self.errors: list[tuple[str, str]] = []
        self.states: list[ConnectionState] = []
        self._changed = asyncio.Event()
        self.callbacks = PrivateCallbacks(
            on_fills=lambda fills: self._note(self.fills, [one.id for one in fills]),
            on_error=lambda kind, text: self._note(self.errors, [(kind, text)]),
            on_state=lambda state: self._note(self.states, [state]),
        )

    def _note(self, into: list[Any], items: list[Any]) -> None:
        into.extend(items)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that our loggers wrote, of every level, with tracebacks."""
    caplog.set_level(logging.DEBUG, "websocket")
    return lambda: caplog.text


@pytest.mark.checklist("3.1.11", "3.1.17", "5.2.2")
async def test_a_whole_life_with_an_expired_key(exchange: Exchange, written: Callable[[], str]) -> None:
    """The key expires in the middle: the stream goes on by another, and no fill comes twice."""
    listener = Listener()
    connection = build_direct(exchange.config(), listener.callbacks, is_private=True)
    await connection.start([])
    await listener.until(lambda: listener.fills == ["t1"])
    exchange.valid.clear()
    exchange.fills.append(2)
    await exchange.sockets[0].send_str("Invalid listen key")
    await listener.until(lambda: listener.fills == ["t1", "t2"])
    assert listener.errors == [("auth", "Invalid listen key")]
    assert connection.handler.handler_metrics()["repeated_fills"] == 1
    assert exchange.valid == {"listen-key-2"}
    await connection.close()
    assert exchange.calls == ["POST", "POST", "DELETE"]
    assert exchange.valid == set()
    assert listener.states[-1] is ConnectionState.CLOSED
    assert "WebSocket connected" in written()
    shown = written() + repr(listener.errors) + repr(connection.handler) + repr(exchange.config())
    assert [secret for secret in (API_KEY, SECRET, *exchange.made) if secret in shown] == []


@pytest.mark.checklist("1.3.13", "2.3.9")
async def test_refused_credentials_give_up_and_tell_no_secret(exchange: Exchange, written: Callable[[], str]) -> None:
    listener = Listener()
    connection = build_direct(exchange.config("wrong-secret"), listener.callbacks, is_private=True)
    await connection.start([])
    await listener.until(lambda: ConnectionState.ERROR in listener.states)
    await connection.close()
    assert exchange.calls == ["POST"]
    assert exchange.sockets == []
    assert listener.errors == [
        ("auth", "POST /api/v3/userDataStream: 700002 Signature of *** is not valid."),
    ]
    assert [secret for secret in (API_KEY, "wrong-secret") if secret in written()] == []


async def test_a_key_that_is_ended_elsewhere_is_noticed_at_its_extension(exchange: Exchange) -> None:
    listener = Listener()
    connection = build_direct(exchange.config(), listener.callbacks, is_private=True, extend_every_s=0.05)
    await connection.start([])
    await listener.until(lambda: listener.fills == ["t1"])
    exchange.valid.clear()
    exchange.fills.append(2)
    await listener.until(lambda: "t2" in listener.fills)
    await connection.close()
    assert [kind for kind, _ in listener.errors] == ["auth"]
    assert "no key ***" in listener.errors[0][1]
    assert set(exchange.calls) == {"POST", "PUT", "DELETE"}
    assert len(exchange.made) == 2
