"""Private connections on a running venue: the account's frames reach both sides, and each fault does what it says."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shadow.reference import gateio, mexc
from shadow.venue.credentials import make_credentials

GATEIO, MEXC = "gateio.spot.private", "mexc.spot.private"
MEXC_CHANNELS = ["spot@private.orders.v3.api.pb", "spot@private.deals.v3.api.pb", "spot@private.account.v3.api.pb"]
CREDENTIALS = make_credentials()


def sign(text: str) -> str:
    return hmac.new(CREDENTIALS["gateio"]["secret"].encode(), text.encode(), hashlib.sha512).hexdigest()


def login() -> dict[str, Any]:
    stamp = str(int(time.time()))
    proof = {"api_key": CREDENTIALS["gateio"]["key"], "signature": sign(f"api\nspot.login\n\n{stamp}")}
    return {"channel": "spot.login", "event": "api", "payload": {"req_id": "1", "timestamp": stamp, **proof}}


def subscription(channel: str, payload: list[str] | None) -> dict[str, Any]:
    now = int(time.time())
    signature = sign(f"channel={channel}&event=subscribe&time={now}")
    auth = {"method": "api_key", "KEY": CREDENTIALS["gateio"]["key"], "SIGN": signature}
    frame = {"time": now, "id": 1, "channel": channel, "event": "subscribe", "auth": auth}
    return frame if payload is None else frame | {"payload": payload}


def listen_key(rest_url: str) -> str:
    query = urlencode({"timestamp": str(int(time.time() * 1000))})
    made = hmac.new(CREDENTIALS["mexc"]["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{rest_url}/api/v3/userDataStream?{query}&signature={made}"
    request = urllib.request.Request(url, method="POST", headers={"X-MEXC-APIKEY": CREDENTIALS["mexc"]["key"]})
    with urllib.request.urlopen(request, timeout=5) as answer:
        key: str = json.loads(answer.read())["listenKey"]
    return key


class Client:
    """A private client that remembers answers and the account's events."""

    def __init__(self, socket: ClientConnection, connection: str) -> None:
        self.socket = socket
        self.connection = connection
        self.answers: list[str] = []
        self.events: list[Any] = []
        self.arrived = asyncio.Condition()
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                async with self.arrived:
                    payload = message.encode() if isinstance(message, str) else message
                    is_text = isinstance(message, str)
                    events = gateio.decode(payload) if self.connection == GATEIO else mexc.decode(payload, is_text)
                    self.events += events
                    if not events and isinstance(message, str):
                        self.answers.append(message)
                    self.arrived.notify_all()
        async with self.arrived:
            self.arrived.notify_all()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with self.arrived, asyncio.timeout(30):
            await self.arrived.wait_for(condition)

    async def ask(self, message: dict[str, Any]) -> str:
        """Send, and wait for the next answer."""
        before = len(self.answers)
        await self.socket.send(json.dumps(message))
        await self.until(lambda: len(self.answers) > before)
        return self.answers[before]

    async def subscribe(self) -> list[str]:
        """Every channel; the answers."""
        if self.connection == MEXC:
            return [await self.ask({"method": "SUBSCRIPTION", "params": MEXC_CHANNELS})]
        channels = (("spot.orders", ["!all"]), ("spot.usertrades", ["!all"]), ("spot.balances", None))
        return [await self.ask(subscription(channel, payload)) for channel, payload in channels]

    def types(self) -> Counter[str]:
        return Counter(event.type for event in self.events)


Begin = Callable[..., Awaitable[tuple[Any, list[Client]]]]


@pytest.fixture
async def begin(start: Any) -> AsyncIterator[Begin]:
    """A venue with one private connection and these faults, and a connected client of each role."""
    clients: list[Client] = []

    async def begin(connection: str, *faults: str) -> tuple[Any, list[Client]]:
        venue = await start(
            connections=[connection],
            channels=["order", "fill", "balance"],
            faults=list(faults),
            credentials=CREDENTIALS,
        )
        assert venue.ready["k"] == "ready", venue.ready
        await venue.ask("leg", leg="main", pair=["legacy", "new"])
        for role in ("legacy", "new"):
            lane = venue.ready["lanes"][role]
            url = lane["ws"][connection]
            if connection == MEXC:
                url += f"?listenKey={await asyncio.to_thread(listen_key, lane['rest']['mexc'])}"
            clients.append(Client(await connect(url, proxy=None), connection))
        return venue, clients

    yield begin
    for client in clients:
        await client.socket.close()
        await client.reader


async def played(venue: Any, clients: list[Client], seconds: float = 0.6) -> dict[str, list[dict[str, Any]]]:
    """Pace, wait until everything sent arrived, and end the venue; its ledger."""
    await venue.ask("pace", phase="paired", seconds=seconds, rate=300.0)
    expected = (await venue.ask("drain"))["expected"]
    for client, role in zip(clients, ("legacy", "new"), strict=True):
        count = expected[role].get(client.connection, 0)
        if client.socket.close_code is None:
            await client.until(lambda client=client, count=count: len(client.events) >= count)
    return dict(await venue.end())


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
async def test_both_sides_see_the_same_account(begin: Begin, connection: str) -> None:
    venue, clients = await begin(connection)
    for client in clients:
        for answer in await client.subscribe():
            assert "error" not in json.loads(answer)
    since = await venue.hear(k="subscribed", role="new", connection=connection, complete=True)
    assert since
    ledger = await played(venue, clients)
    legacy, new = clients
    assert legacy.events == new.events
    assert set(new.types()) == {"order", "fill", "balance"}
    assert 150 <= len(new.events) <= 220
    text = json.dumps(ledger, default=str)
    assert CREDENTIALS["gateio"]["secret"] not in text
    assert CREDENTIALS["mexc"]["secret"] not in text


async def test_bursts_hold_about_128_frames_of_whole_actions(begin: Begin) -> None:
    venue, clients = await begin(GATEIO)
    for client in clients:
        await client.subscribe()
    await venue.ask("burst", seconds=0.5, phase="burst")
    expected = (await venue.ask("drain"))["expected"]["new"][GATEIO]
    await clients[1].until(lambda: len(clients[1].events) >= expected)
    ledger = dict(await venue.end())
    bursts = [json.loads(row["detail"]) for row in ledger["marks"] if row["name"] == "burst"]
    assert len(bursts) >= 4
    assert all(112 <= burst["frames"] <= 134 and burst["type"] == "mixed" for burst in bursts)


@pytest.mark.parametrize("kind", ["burst", "burst-close"])
async def test_a_burst_holds_frames_of_the_account(begin: Begin, kind: str) -> None:
    venue, clients = await begin(GATEIO, f"{kind}@{GATEIO}/new:at=100ms,frames=64")
    for client in clients:
        await client.subscribe()
    ledger = await played(venue, clients)
    (mark,) = [json.loads(row["detail"]) for row in ledger["marks"] if row["name"] == "fault"]
    assert 60 <= mark["frames"] <= 70
    together = Counter(row["t_sent"] for row in ledger["sends"] if row["subject"] == "new")
    assert max(together.values()) == mark["frames"]


async def test_a_refused_proof_is_refused_once(begin: Begin) -> None:
    venue, (legacy, new) = await begin(GATEIO, f"refuse-auth@{GATEIO}/new")
    assert "AUTHENTICATION_FAILED" in await new.ask(login())
    assert '"uid"' in await new.ask(login())
    assert '"uid"' in await legacy.ask(login())
    ledger = dict(await venue.end())
    marks = [json.loads(row["detail"]) for row in ledger["marks"] if row["name"] == "fault"]
    assert [(mark["kind"], mark["role"]) for mark in marks] == [("refuse-auth", "new")]


async def test_a_refused_listen_key_is_told_and_closed(begin: Begin) -> None:
    venue, (legacy, new) = await begin(MEXC, f"refuse-auth@{MEXC}/new")
    assert await new.ask({"method": "SUBSCRIPTION", "params": MEXC_CHANNELS}) == "Invalid listen key"
    await new.reader
    assert new.socket.close_code == 1008
    assert json.loads((await legacy.subscribe())[0])["msg"] == ",".join(MEXC_CHANNELS)
    ledger = dict(await venue.end())
    first = next(row for row in ledger["connections"] if row["event"] == "close")
    assert first["cause"] == "fault:refuse-auth"


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
async def test_a_late_answer_comes_late(begin: Begin, connection: str) -> None:
    _, (legacy, new) = await begin(connection, f"late-auth@{connection}/new:by=300ms")
    began = time.perf_counter()
    await legacy.subscribe()
    assert time.perf_counter() - began < 0.25
    began = time.perf_counter()
    first = subscription("spot.orders", ["!all"])
    await new.ask(first if connection == GATEIO else {"method": "SUBSCRIPTION", "params": MEXC_CHANNELS})
    assert time.perf_counter() - began >= 0.3


async def test_an_expired_key_ends_its_own_connection_alone(begin: Begin) -> None:
    venue, clients = await begin(MEXC, f"expire-key@{MEXC}/new:at=200ms")
    for client in clients:
        await client.subscribe()
    ledger = await played(venue, clients)
    legacy, new = clients
    await new.reader
    assert (new.answers[-1], new.socket.close_code) == ("Invalid listen key", 1008)
    assert len(legacy.events) > len(new.events) > 0
    causes = {row["subject"]: row["cause"] for row in ledger["connections"] if row["event"] == "close"}
    assert causes["new"] == "fault:expire-key"


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
async def test_a_twin_fill_comes_twice_on_its_side(begin: Begin, connection: str) -> None:
    venue, clients = await begin(connection, f"twin-fill@{connection}/new:at=100ms,count=3")
    for client in clients:
        await client.subscribe()
    await played(venue, clients)
    legacy, new = (Counter(event.id for event in client.events if event.type == "fill") for client in clients)
    assert set(legacy.values()) == {1}
    assert sorted(new.values(), reverse=True)[:4] == [2, 2, 2, 1]
    assert legacy.keys() == new.keys()


async def test_fills_come_before_their_orders_on_both_sides(begin: Begin) -> None:
    venue, clients = await begin(GATEIO, f"fill-first@{GATEIO}:at=100ms,count=2")
    for client in clients:
        await client.subscribe()
    await played(venue, clients)
    legacy, new = clients
    assert legacy.events == new.events
    ahead = sum(
        one.type == "fill" and other.type == "order" and one.order_id == other.id
        for one, other in zip(new.events, new.events[1:], strict=False)
    )
    assert ahead >= 2
