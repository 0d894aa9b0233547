"""A MEXC on loopback for renewals: numbered events of every type, an account's too, sent to each connection by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from aiohttp import web

from exchanges.integrations.mexc.builder import build, build_direct
from exchanges.integrations.mexc.endpoints import PRIVATE_CHANNELS, SPOT_CHANNELS
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import (
    ConnectionState,
    ExchangeConfig,
    ExchangeCredentials,
    MessageType,
    ParsedMessage,
    PrivateWebsocketChannelType,
    PublicWebsocketChannelType,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PrivateCallbacks, PublicCallbacks

BTC = Symbol("BTC", "USDT")
ENTRIES = {
    "public": ("book", "trade", "best", "ticker"),
    "private": ("order", "fill", "balance"),
}
BOOK, TRADES, BEST, TICKER = (SPOT_CHANNELS[channel].format("BTCUSDT") for channel in PublicWebsocketChannelType)
ORDERS, FILLS, BALANCES = (
    PRIVATE_CHANNELS[PrivateWebsocketChannelType[name]] for name in ("ORDER", "TRADE", "BALANCE")
)


def push(channel: str, sent_at: int, **body: Any) -> bytes:
    data: bytes = PushDataV3ApiWrapper(
        channel=channel, symbol="BTCUSDT", sendTime=sent_at, **body
    ).SerializeToString()  # fmt: skip
    return data


def frames(scope: str, n: int) -> list[bytes]:
    """The n-th event of each type, n from 1; some values come back to what they were."""
    sent_at, text = n * 1000, str(n)
    if scope == "public":
        level = [{"price": "1", "quantity": text}]
        deal = {"price": "1", "quantity": "1", "tradeType": 1, "time": 5, "tradeId": text}
        best = {"bidPrice": "1", "bidQuantity": str(n % 3), "askPrice": "2", "askQuantity": "1", "version": text}
        mini = {"symbol": "BTCUSDT", "price": str(1 + n % 3), "quantity": "1", "volume": "1", "high": "1", "low": "1"}
        return [
            push(BOOK, sent_at, publicAggreDepths={"bids": level, "fromVersion": text, "toVersion": text}),
            push(TRADES, sent_at, publicAggreDeals={"deals": [deal]}),
            push(BEST, sent_at, publicAggreBookTicker=best),
            push(TICKER, sent_at, publicMiniTicker=mini),
        ]
    order = {"id": "o", "price": "1", "quantity": "999", "tradeType": 1, "orderType": 1, "status": 3}
    fill = {"tradeId": text, "orderId": "o", "price": "2", "quantity": "3", "tradeType": 1, "time": 5}
    account = {"vcoinName": "USDT", "balanceAmount": str(n % 3), "frozenAmount": "0", "time": n}
    return [
        push(ORDERS, sent_at, privateOrders={**order, "cumulativeQuantity": text}),
        push(FILLS, sent_at, privateDeals=fill),
        push(BALANCES, sent_at, privateAccount=account),
    ]


class Link:
    """One socket as the exchange sees it."""

    def __init__(self, scope: str, request: web.Request) -> None:
        self.scope = scope
        self.socket = web.WebSocketResponse()
        self.asked: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self._request = request

    async def send(self, numbers: Iterable[int]) -> None:
        """These events, each of every type, to this connection alone."""
        for number in numbers:
            for frame in frames(self.scope, number):
                await self.socket.send_bytes(frame)

    async def confirm(self, request: dict[str, Any]) -> None:
        names = ",".join(request["params"])
        await self.socket.send_str(json.dumps({"id": request["id"], "code": 0, "msg": names}))

    def abort(self) -> None:
        """The network breaks."""
        assert self._request.transport is not None
        self._request.transport.abort()


class Exchange:
    """Each connection asks `on_asked` what to do about a request; the usual answer is to confirm."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.links: list[Link] = []
        self.is_shut = False
        self.on_asked: dict[int, Callable[[Link, dict[str, Any]], Any]] = {}
        self.calls: list[str] = []
        self.changed = asyncio.Event()
        self.port = 0

    async def depth(self, request: web.Request) -> web.Response:
        return web.json_response({"lastUpdateId": 0, "bids": [], "asks": []})

    async def keys(self, request: web.Request) -> web.Response:
        self.calls.append(request.method)
        return web.json_response({"listenKey": request.query.get("listenKey") or f"key-{len(self.calls)}"})

    async def attend(self, request: web.Request) -> web.StreamResponse:
        if self.is_shut and self.links:
            return web.Response(status=503)
        link = Link(self.scope, request)
        number = len(self.links)
        await link.socket.prepare(request)
        self.links.append(link)
        self.changed.set()
        try:
            async for message in link.socket:
                asked = json.loads(message.data)
                link.asked.append(asked)
                await self.on_asked.get(number, Link.confirm)(link, asked)
                self.changed.set()
        finally:
            link.gone.set()
            self.changed.set()
        return link.socket

    async def opened(self, number: int) -> None:
        """Return when there is a connection of this number, from 0."""
        while len(self.links) <= number:
            self.changed.clear()
            await self.changed.wait()

    async def asked(self, number: int) -> Link:
        """The connection of this number, from 0, when it has asked for something and got its answer."""
        while len(self.links) <= number or not self.links[number].asked:
            self.changed.clear()
            await self.changed.wait()
        return self.links[number]

    def config(self) -> ExchangeConfig:
        url = f"ws://127.0.0.1:{self.port}/ws"
        return ExchangeConfig(
            "MEXC_SPOT",
            ExchangeCredentials("a-key", "a-secret"),
            base_url=f"http://127.0.0.1:{self.port}",
            websocket_url=url,
            websocket=WebSocketConfig(url, close_timeout=2.0),
        )


class Consumer:
    """Numbers by type as either door delivers them, errors, and a way to wait."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.got: dict[str, list[int]] = {name: [] for name in ENTRIES[scope]}
        self.errors: list[tuple[str, str]] = []
        self.states: list[ConnectionState] = []
        self.answers: list[Any] = []
        self.connection: Any = None
        self._changed = asyncio.Event()

    def connect(self, exchange: Exchange, door: str, **options: Any) -> Any:
        """A direct connection or a manager, not started."""
        is_private = self.scope == "private"
        callbacks = self._private() if is_private else self._public()
        if door == "direct":
            self.connection = build_direct(exchange.config(), callbacks, is_private, **options)
        else:
            self.connection = build(exchange.config(), is_private, self._take, callbacks=callbacks, **options)
        return self.connection

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def has(self, count: int) -> None:
        """Wait until the event of this number, or a later one, was delivered of every type."""
        await self.until(lambda: all(numbers[-1:] >= [count] for numbers in self.got.values()))

    def has_each_once(self, count: int) -> bool:
        """Whether every type came once each, in order, from 1 on."""
        assert self.got == {name: list(range(1, count + 1)) for name in ENTRIES[self.scope]}
        return True

    def note(self, kind: str, numbers: list[int]) -> None:
        self.got[kind] += numbers
        self._changed.set()

    def _noting(self, into: list[Any]) -> Callable[..., None]:
        def note(*event: Any) -> None:
            into.append(event if len(event) > 1 else event[0])
            self._changed.set()

        return note

    def _public(self) -> PublicCallbacks:
        return PublicCallbacks(
            on_book=lambda book: None if book.is_snapshot else self.note("book", [book.last or 0]),
            on_trades=lambda trades: self.note("trade", [int(one.trade_id or 0) for one in trades]),
            on_book_ticker=lambda best: self.note("best", [best.update_id or 0]),
            on_ticker=lambda ticker: self.note("ticker", [(ticker.timestamp or 0) // 1000]),
            on_subscription=self._noting(self.answers),
            on_error=self._noting(self.errors),
            on_state=self._noting(self.states),
        )

    def _private(self) -> PrivateCallbacks:
        return PrivateCallbacks(
            on_orders=lambda orders: self.note("order", [int(one.filled) for one in orders]),
            on_fills=lambda fills: self.note("fill", [int(one.id) for one in fills]),
            on_balances=lambda balances: self.note("balance", [one.timestamp for one in balances]),
            on_subscription=self._noting(self.answers),
            on_error=self._noting(self.errors),
            on_state=self._noting(self.states),
        )

    async def _take(self, message: ParsedMessage) -> None:
        data = message.data
        match message.message_type:
            case MessageType.ORDERBOOK if not data.is_snapshot:
                self.note("book", [data.last_update_id])
            case MessageType.TRADES:
                self.note("trade", [int(one.trade_id) for one in data])
            case MessageType.BOOK_TICKER:
                self.note("best", [data.update_id])
            case MessageType.TICKER:
                self.note("ticker", [data[0].timestamp // 1000])
            case MessageType.ORDER:
                self.note("order", [int(one.filled) for one in data])
            case MessageType.TRADE:
                self.note("fill", [int(one.id) for one in data])
            case MessageType.BALANCE:
                self.note("balance", [one.timestamp for one in data])
            case MessageType.SUBSCRIPTION_CONFIRM:
                self.answers.append(message)
                self._changed.set()


@pytest.fixture(params=list(ENTRIES))
async def exchange(request: pytest.FixtureRequest) -> AsyncIterator[Exchange]:
    """Serving one scope after the other."""
    fake = Exchange(request.param)
    app = web.Application()
    app.router.add_get("/api/v3/depth", fake.depth)
    app.router.add_route("*", "/api/v3/userDataStream", fake.keys)
    app.router.add_get("/ws", fake.attend)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.port = runner.addresses[0][1]
    yield fake
    await runner.cleanup()


@pytest.fixture
def consumer(exchange: Exchange) -> Consumer:
    """Of the scope that the exchange serves."""
    return Consumer(exchange.scope)


@pytest.fixture(scope="session")
def numbered() -> Callable[[str, int], list[bytes]]:
    """The n-th frame of every type of a scope."""
    return frames
