"""The relay on real sockets, in front of an exchange of a few lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, web
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from shadow.capture.tables import COLUMNS
from shadow.network.budget import CAPS, Budget
from shadow.network.relay import Relay, Route
from shadow.network.rest_relay import RestRelay
from shadow.venue.ledger import Ledger

PUBLIC, PRIVATE, MEXC = "gateio.spot.public", "gateio.spot.private", "mexc.spot.public"
SUBSCRIBE = {"id": 1, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}
ORDER = {"id": 2, "channel": "spot.order_place", "event": "api", "payload": {"req_id": "r", "req_param": {}}}
TRADE = (
    b'{"channel":"spot.trades","event":"update","result":{"id":7,"side":"buy","currency_pair":"BTC_USDT",'
    b'"amount":"1","price":"2","create_time":1,"create_time_ms":"1000.5"}}'
)


class Rows:
    """A ledger's rows by table."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def append(self, table: str, row: tuple[object, ...]) -> None:
        self.tables[table].append(dict(zip(COLUMNS[table], row, strict=True)))

    def flush(self) -> None: ...

    def take_drops(self) -> int:
        return 0

    def settle(self) -> None: ...

    def close(self) -> None: ...


class Exchange:
    """Acks each Gate.io subscription and remembers what came, per connection."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.headers: list[Any] = []
        self.targets: list[str] = []
        self.sockets: list[ServerConnection] = []
        self.refuse: HTTPStatus | None = None
        self.changed = asyncio.Condition()

    async def attend(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.headers.append(socket.request.headers)
        self.targets.append(socket.request.path)
        self.sockets.append(socket)
        await self.tell()
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                self.got.append(message.encode() if isinstance(message, str) else message)
                await self.tell()
                frame = json.loads(message)
                if frame.get("event") == "subscribe":
                    await socket.send(json.dumps({**frame, "error": None, "result": {"status": "success"}}))
        await socket.wait_closed()
        await self.tell()

    def handshake(self, socket: ServerConnection, request: Request) -> Response | None:
        return None if self.refuse is None else socket.respond(self.refuse, "blocked here\n")

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, sockets: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.sockets) >= sockets)


class Bench:
    """One relay for a role, its ledger and the exchange behind it."""

    def __init__(self, exchange: Exchange, url: str) -> None:
        self.exchange = exchange
        self.url = url
        self.rows = Rows()
        self.ledger = Ledger(self.rows)
        self.complete: list[tuple[str, bool]] = []
        self.relays: list[Relay] = []

    async def relay(self, role: str = "new", budget: Budget | None = None) -> dict[str, str]:
        wanted = frozenset({("trade", "BTC_USDT")})
        routes = {one: Route(one, f"{self.url}/ws", wanted) for one in (PUBLIC, PRIVATE, MEXC)}
        made = Relay(role, routes, self.ledger, budget or Budget(), None, lambda c, ok: self.complete.append((c, ok)))
        self.relays.append(made)
        return await made.open()

    def of(self, table: str, **wanted: object) -> list[dict[str, Any]]:
        return [row for row in self.rows.tables[table] if all(row[k] == v for k, v in wanted.items())]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    exchange = Exchange()
    server = await serve(exchange.attend, "127.0.0.1", 0, process_request=exchange.handshake, ping_interval=None)
    made = Bench(exchange, f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}")
    yield made
    for relay in made.relays:
        await relay.close()
    server.close()
    await server.wait_closed()


async def subscribed(url: str) -> ClientConnection:
    client = await connect(url, compression=None)
    await client.send(json.dumps(SUBSCRIBE))
    assert json.loads(await client.recv())["result"] == {"status": "success"}
    return client


async def test_bytes_pass_both_ways_and_are_written_down(bench: Bench) -> None:
    urls = await bench.relay()
    client = await connect(f"{urls[PUBLIC]}?key=1", additional_headers={"X-Gate-Size-Decimal": "1"}, compression=None)
    asked = json.dumps(SUBSCRIBE, indent=3)
    await client.send(asked)
    await client.recv()
    await bench.exchange.sockets[0].send(TRADE, text=True)
    await bench.exchange.sockets[0].send(b"\x00\xff", text=False)
    assert await client.recv(decode=False) == TRADE
    assert await client.recv() == b"\x00\xff"
    assert bench.exchange.got == [asked.encode()]
    assert bench.exchange.targets == ["/ws?key=1"]
    assert bench.exchange.headers[0]["X-Gate-Size-Decimal"] == "1"
    await client.close()
    frames = [(f["kind"], f["channel"], f["symbol"], f["payload"], f["fault"]) for f in bench.of("frames")]
    assert frames[1:] == [("ws", "trade", "BTC_USDT", TRADE, ""), ("ws", "", "", b"\x00\xff", "corrupt")]
    assert all(send["t_sent"] and send["conn_no"] == 1 for send in bench.of("sends", subject="new"))
    assert [row["kind"] for row in bench.of("requests")] == ["handshake", "ws"]
    assert bench.of("connections", event="subscribed")[0]["channel"] == "trade"
    assert bench.complete == [(PUBLIC, True), (PUBLIC, False)]


async def test_what_the_exchange_repeats_is_told(bench: Bench) -> None:
    """A stack that delivers a copy once is not to be blamed for it."""
    client = await subscribed((await bench.relay())[PUBLIC])
    for payload in (TRADE, TRADE.replace(b'"id":7', b'"id":8'), TRADE):
        await bench.exchange.sockets[0].send(payload, text=True)
        assert await client.recv(decode=False) == payload
    await client.close()
    assert [frame["fault"] for frame in bench.of("frames", kind="ws")] == ["", "", "duplicate"]


async def test_an_order_is_refused_and_reported_and_never_reaches_the_exchange(bench: Bench) -> None:
    client = await subscribed((await bench.relay())[PUBLIC])
    await client.send(json.dumps(ORDER))
    answer = json.loads(await client.recv())
    assert (answer["request_id"], answer["header"]["status"]) == ("r", "400")
    await client.send(json.dumps({**SUBSCRIBE, "id": 9}))
    await client.recv()
    assert [json.loads(raw)["id"] for raw in bench.exchange.got] == [1, 9]
    assert json.loads(bench.of("marks", name="order-refused")[0]["detail"])["what"] == "spot.order_place"
    assert b"order_place" in bench.of("requests", kind="ws")[1]["payload"]
    await client.close()


@pytest.mark.parametrize(("code", "seen"), [(1001, 1001), (1012, 1012), (1006, 1006)])
async def test_a_close_of_the_exchange_comes_through_with_its_code(bench: Bench, code: int, seen: int) -> None:
    client = await subscribed((await bench.relay())[PUBLIC])
    if code == 1006:
        bench.exchange.sockets[0].transport.abort()
    else:
        await bench.exchange.sockets[0].close(code)
    await client.wait_closed()
    assert client.close_code == seen
    (close,) = bench.of("connections", event="close")
    assert (close["cause"], close["code"]) == ("upstream", seen)


@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_subject_that_leaves_leaves_nothing_open_at_the_exchange(bench: Bench, abrupt: bool) -> None:
    client = await subscribed((await bench.relay())[PUBLIC])
    if abrupt:
        client.transport.abort()
    else:
        await client.close()
    await bench.exchange.sockets[0].wait_closed()
    assert bench.exchange.sockets[0].close_code == (1006 if abrupt else 1000)
    assert [row["cause"] for row in bench.of("connections", event="close")] == ["client"]


async def test_a_subject_that_leaves_a_held_relay_is_let_go_at_once(bench: Bench) -> None:
    client = await subscribed((await bench.relay())[PUBLIC])
    bench.relays[0].hold()
    await bench.exchange.sockets[0].send(TRADE, text=True)
    await client.close()
    async with asyncio.timeout(1.5):  # less than the relay waits for an answer to its close
        await bench.relays[0].ended(PUBLIC)
    assert bench.exchange.sockets[0].close_code == 1000
    assert TRADE not in [row["payload"] for row in bench.of("frames")]


async def test_a_refused_handshake_is_refused_with_the_same_status(bench: Bench) -> None:
    urls = await bench.relay()
    bench.exchange.refuse = HTTPStatus.FORBIDDEN
    with pytest.raises(InvalidStatus) as refused:
        await connect(urls[PUBLIC])
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"blocked here\n")
    assert [(row["code"], row["cause"]) for row in bench.of("connections", event="refused")] == [(403, "upstream")]


async def test_an_exchange_out_of_reach_is_not_held_against_the_side(bench: Bench) -> None:
    bench.url = "ws://127.0.0.1:1"
    with pytest.raises(InvalidStatus) as refused:
        await connect((await bench.relay())[PUBLIC])
    assert refused.value.response.status_code == 502
    assert [row["cause"] for row in bench.of("connections", event="refused")] == ["fault:unreachable"]


async def test_a_reconnect_storm_of_new_leaves_the_private_stream_of_legacy_untouched(bench: Bench) -> None:
    """The storm meets the budget; the other side's connection stays, and gets what comes meanwhile."""
    caps = msgspec.structs.replace(CAPS["gateio"], opens=6, opens_s=60.0)
    budget = Budget({**CAPS, "gateio": caps})
    legacy = await subscribed((await bench.relay("legacy", budget))[PRIVATE])
    storm = (await bench.relay("new", budget))[PUBLIC]
    answers: list[tuple[int, bool]] = []
    for _ in range(20):
        try:
            (await connect(storm, compression=None)).transport.abort()
        except InvalidStatus as error:
            answers.append((error.response.status_code, b"budget" in (error.response.body or b"")))
    await bench.exchange.sockets[0].send(TRADE, text=True)
    assert await legacy.recv(decode=False) == TRADE
    assert answers == [(429, True)] * 15
    assert len(bench.exchange.sockets) == 6
    assert len(bench.of("marks", name="budget", role="new")) == 15
    assert bench.of("connections", event="close", subject="legacy") == []
    await legacy.close()


async def test_a_message_beyond_the_budget_waits_and_is_counted(bench: Bench) -> None:
    caps = msgspec.structs.replace(CAPS["gateio"], messages_per_s=2)
    client = await subscribed((await bench.relay(budget=Budget({**CAPS, "gateio": caps})))[PUBLIC])
    for number in (2, 3):
        await client.send(json.dumps({**SUBSCRIBE, "id": number}))
    answers = [json.loads(await client.recv())["id"] for _ in range(2)]
    assert answers == [2, 3]
    (mark,) = bench.of("marks", name="budget")
    assert json.loads(mark["detail"])["waits"]
    await client.close()


async def test_subscriptions_beyond_the_budget_are_refused_to_the_subject(bench: Bench) -> None:
    names = [f"spot@public.aggre.deals.v3.api.pb@100ms@S{n}" for n in range(31)]
    client = await connect((await bench.relay())[MEXC], compression=None)
    await client.send(json.dumps({"id": 5, "method": "SUBSCRIPTION", "params": names}))
    assert json.loads(await client.recv()) == {"id": 5, "code": 0, "msg": "refused by the relay"}
    assert bench.exchange.got == []
    assert not json.loads(bench.of("marks", name="budget")[0]["detail"])["waits"]
    await client.close()


async def test_pings_go_through_to_the_exchange(bench: Bench) -> None:
    client = await subscribed((await bench.relay())[PUBLIC])
    before = bench.exchange.sockets[0].protocol
    await (await client.ping(b"still there"))
    assert [row["payload"] for row in bench.of("requests", kind="ping")] == [b"still there"]
    assert before.state.name == "OPEN"
    await client.close()


@pytest.fixture
async def rest() -> AsyncIterator[tuple[str, list[str], Rows]]:
    """A REST relay's Gate.io and MEXC addresses in front of a server that tells what it was asked."""
    asked: list[str] = []
    rows = Rows()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(f"{request.method} {request.raw_path}")
        if "order_book" in request.path:
            return web.Response(text='{"id":77,"current":1,"update":1,"asks":[["2","1"]],"bids":[["1","1"]]}')
        return web.json_response({"listenKey": "mine"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    relay = RestRelay("new", {"gateio": base + "/api/v4", "mexc": base}, Ledger(rows), Budget())
    urls = await relay.open()
    yield urls["gateio"].removesuffix("/gateio/api/v4"), asked, rows
    await relay.close()
    await runner.cleanup()


async def test_a_book_is_fetched_and_written_down(rest: tuple[str, list[str], Rows]) -> None:
    base, asked, rows = rest
    target = "/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"
    async with ClientSession() as session, session.get(f"{base}/gateio{target}") as answer:
        assert (await answer.json(content_type=None))["id"] == 77
    assert asked == [f"GET {target}"]
    (frame,) = rows.tables["frames"]
    assert (frame["kind"], frame["connection"], frame["symbol"], frame["last"]) == ("rest", PUBLIC, "BTC_USDT", 77)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/gateio/api/v4/spot/orders", 403),
        ("DELETE", "/gateio/api/v4/spot/orders/1", 403),
        ("PATCH", "/gateio/api/v4/spot/orders/1", 403),
        ("POST", "/mexc/api/v3/order?symbol=X", 403),
        ("DELETE", "/mexc/api/v3/userDataStream?listenKey=another", 403),
        ("DELETE", "/mexc/api/v3/userDataStream", 403),
        ("GET", "/binance/api/v3/depth", 404),
    ],
)
async def test_a_call_that_could_trade_goes_no_further(
    rest: tuple[str, list[str], Rows], method: str, target: str, status: int
) -> None:
    base, asked, rows = rest
    async with ClientSession() as session, session.request(method, base + target) as answer:
        assert answer.status == status
    assert asked == []
    assert [row["name"] for row in rows.tables["marks"]] == (["order-refused"] if status == 403 else [])


async def test_a_listen_key_that_did_not_come_is_given_back(unused_tcp_port: int) -> None:
    budget = Budget()
    relay = RestRelay("new", {"mexc": f"http://127.0.0.1:{unused_tcp_port}"}, Ledger(Rows()), budget)
    base = (await relay.open())["mexc"]
    async with ClientSession() as session, session.post(f"{base}/api/v3/userDataStream") as answer:
        assert answer.status == 502
    assert budget.at("mexc").used.listen_keys == 0
    assert budget.at("mexc").used.rest_calls == 1
    await relay.close()


async def test_a_side_keeps_and_ends_its_own_listen_key(rest: tuple[str, list[str], Rows]) -> None:
    base, asked, _ = rest
    path = f"{base}/mexc/api/v3/userDataStream"
    async with ClientSession() as session:
        for method, query in (("POST", "?signature=x"), ("PUT", "?listenKey=mine"), ("DELETE", "?listenKey=mine")):
            async with session.request(method, path + query) as answer:
                assert answer.status == 200
        async with session.delete(path + "?listenKey=mine") as answer:
            assert answer.status == 403
    assert [line.split()[0] for line in asked] == ["POST", "PUT", "DELETE"]
