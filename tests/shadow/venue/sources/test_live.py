"""The live source: a second venue over TLS is the exchange, plain clients are the two sides."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
BOTH = [GATEIO, MEXC]
CHANNELS = ["book", "trade"]
Row = dict[str, Any]


def closes(tables: dict[str, list[Row]], cause: str) -> list[tuple[str, int]]:
    return [
        (row["subject"], row["code"])
        for row in tables["connections"]
        if (row["event"], row["cause"]) == ("close", cause)
    ]


def spent(tables: dict[str, list[Row]]) -> dict[str, Row]:
    """What was done at each exchange."""
    details = [json.loads(row["detail"]) for row in tables["marks"] if row["name"] == "budget-used"]
    return {detail["exchange"]: detail for detail in details}


@pytest.mark.parametrize("connection", BOTH)
async def test_both_sides_get_the_same_bytes_of_one_subscription(
    connection: str, upstream: Any, start: Any, join: Any
) -> None:
    exchange = await upstream(connections=BOTH, rate=400)
    venue = await start(feed="live", connections=[connection], channels=CHANNELS)
    assert venue.ready["k"] == "ready", venue.ready
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = [await join(venue, role, connection) for role in ("legacy", "new")]
    for client in clients:
        await client.subscribe(["BTC_USDT"], CHANNELS)
    done = await venue.ask("pace", phase="paired", seconds=0.5)
    expected = (await venue.ask("drain"))["expected"]
    assert done["frames"] > 20
    counted = [row for row in venue.said if row.get("k") == "progress"]
    assert counted
    for role, client in zip(("legacy", "new"), clients, strict=True):
        await client.until(lambda client, role=role: len(client.data) >= 20)
        assert expected[role][connection] > 0
    tables = await venue.end()
    frames = {row["frame_no"]: row["payload"] for row in tables["frames"] if row["kind"] == "ws"}
    sent = {
        role: [
            frames[row["frame_no"]] for row in tables["sends"] if row["subject"] == role and row["frame_no"] in frames
        ]
        for role in ("legacy", "new")
    }
    shorter = min(sent.values(), key=len)
    assert [one for one in sent["legacy"] if one in set(shorter)][-100:] == [
        one for one in sent["new"] if one in set(shorter)
    ][-100:]
    for role, client in zip(("legacy", "new"), clients, strict=True):
        assert client.data == sent[role][: len(client.data)]
    assert exchange.ws.connections == 1
    used = spent(tables)[connection.partition(".")[0]]
    assert (used["opened"], used["subscribed"], used["refused"]) == (1, 2, 0)


async def test_the_ack_comes_after_the_exchanges_and_its_refusal_goes_to_both(
    upstream: Any, start: Any, join: Any
) -> None:
    await upstream(connections=[GATEIO], rate=50, faults=[f"refuse-subscribe@{GATEIO}:count=1"])
    venue = await start(feed="live", connections=[GATEIO], channels=["trade"])
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    request = {"time": 1, "id": 77, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}
    clients = [await join(venue, role) for role in ("legacy", "new")]
    for client in clients:
        await client.send(request)
        await client.until(lambda client: len(client.control) == 1)
        told = json.loads(client.control[0])
        assert (told["id"], told["error"]["code"], told["payload"]) == (77, 2, ["BTC_USDT"])
    for client in clients:
        await client.send(request)
        await client.until(lambda client: len(client.control) == 2)
        assert json.loads(client.control[1])["result"] == {"status": "success"}
        await client.until(lambda client: len(client.data) > 0)
    stranger = {**request, "id": 78, "payload": ["NO_SUCH"]}
    await clients[0].send(stranger)
    await clients[0].until(lambda client: any('"id":78' in one for one in client.control))
    tables = await venue.end()
    refused = [(row["subject"], row["cause"]) for row in tables["connections"] if row["event"] == "refused"]
    assert refused == [("legacy", "upstream"), ("new", "upstream"), ("legacy", "upstream")]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda exchange: exchange.ws.drop(), 1006),
        (None, 1012),
    ],
    ids=["drop", "close"],
)
async def test_an_upstream_that_ends_takes_both_sides_with_it_and_comes_back(
    end: Callable[[Any], None] | None, code: int, upstream: Any, start: Any, join: Any
) -> None:
    faults = [] if end is not None else [f"close@{GATEIO}:at=3s,code=1012,every=60s,count=1"]
    exchange = await upstream(connections=[GATEIO], rate=200, faults=faults)
    venue = await start(feed="live", connections=[GATEIO], channels=["trade"])
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = [await join(venue, role) for role in ("legacy", "new")]
    for client in clients:
        await client.subscribe(["BTC_USDT"], ["trade"])
        await client.until(lambda client: len(client.data) > 0)
    if end is not None:
        end(exchange)
    assert [await client.closed() for client in clients] == [code, code]
    for role in ("legacy", "new"):
        again = await join(venue, role)
        await again.subscribe(["BTC_USDT"], ["trade"])
        await again.until(lambda client: len(client.data) > 0)
    assert exchange.ws.connections == 2
    tables = await venue.end()
    assert sorted(closes(tables, "upstream")) == [("legacy", code), ("new", code)]
    told = [(row["event"], row["subject"]) for row in tables["connections"] if row["event"].startswith("upstream")]
    assert told == [(f"upstream-{what}", role) for what in ("lost", "back") for role in ("legacy", "new")]


async def test_variants_that_cannot_be_told_apart_go_over_connections_of_their_own(
    upstream: Any, start: Any, join: Any
) -> None:
    exchange = await upstream(connections=[GATEIO], rate=200)
    venue = await start(feed="live", connections=[GATEIO], channels=["book"])
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    speeds = {"legacy": "100ms", "new": "20ms"}
    for role, speed in speeds.items():
        client = await join(venue, role)
        payload = ["BTC_USDT", speed]
        request = {"time": 1, "id": 1, "channel": "spot.order_book_update", "event": "subscribe", "payload": payload}
        await client.send(request)
        await client.until(lambda client: len(client.data) >= 3)
        levels = {json.loads(one)["result"]["l"] for one in client.data}
        assert levels == {{"100ms": "100", "20ms": "20"}[speed]}
    assert exchange.ws.connections == 2


async def test_a_whole_book_waits_for_both_and_who_comes_late_gets_one_made_of_it(
    upstream: Any, start: Any, join: Any
) -> None:
    await upstream(connections=[GATEIO], rate=200)
    venue = await start(feed="live", connections=[GATEIO], channels=["book"])
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    request = {"time": 1, "id": 1, "channel": "spot.obu", "event": "subscribe", "payload": ["ob.BTC_USDT.50"]}
    clients = [await join(venue, role) for role in ("legacy", "new")]
    for client in clients:
        await client.send(request)
        await client.until(lambda client: len(client.control) == 1)
    for client in clients:
        await client.until(lambda client: len(client.data) >= 5)
    assert clients[0].data[:5] == clients[1].data[:5]
    assert json.loads(clients[0].data[0])["result"]["full"] is True
    late = await join(venue, "new")
    await late.send(request)
    await late.until(lambda client: len(client.data) >= 3)
    made, *updates = (json.loads(one)["result"] for one in late.data[:3])
    assert made["full"] is True
    assert [one["U"] for one in updates] == [made["u"] + 1, updates[0]["u"] + 1]
    book = replayed(clients[0].data, made["u"])
    assert (book["b"], book["a"]) == (dict(made["b"]), dict(made["a"]))
    marks = [row["role"] for row in (await venue.end())["marks"] if row["name"] == "synthetic-snapshot"]
    assert marks == ["new"]


def replayed(frames: list[bytes], version: int) -> dict[str, dict[str, str]]:
    """The book of an obu stream at a version."""
    book: dict[str, dict[str, str]] = {"b": {}, "a": {}}
    for frame in frames:
        result = json.loads(frame)["result"]
        if result["u"] > version:
            break
        for side, levels in book.items():
            for price, size in result.get(side, []):
                if float(size):
                    levels[price] = size
                else:
                    levels.pop(price, None)
    return book


async def test_the_rest_book_is_the_exchanges_and_one_call_serves_both(upstream: Any, start: Any) -> None:
    exchange = await upstream(connections=BOTH, rate=50)
    venue = await start(feed="live", connections=BOTH, channels=["book"])
    calls = {
        "gateio": "/spot/order_book?currency_pair=BTC_USDT&limit=5&with_id=true",
        "mexc": "/api/v3/depth?symbol=BTCUSDT&limit=5",
    }
    for name, call in calls.items():
        urls = [venue.ready["lanes"][role]["rest"][name] + call for role in ("legacy", "new")]
        answers = await asyncio.gather(*(asyncio.to_thread(fetch, url) for url in urls))
        assert answers[0] == answers[1]
        assert json.loads(answers[0]).get("id", json.loads(answers[0]).get("lastUpdateId")) > 0
    refused = await asyncio.to_thread(
        status, venue.ready["lanes"]["new"]["rest"]["mexc"] + "/api/v3/account?signature=x"
    )
    assert refused == 404
    tables = await venue.end()
    assert {name: used["rest_calls"] for name, used in spent(tables).items()} == {"gateio": 1, "mexc": 1}
    books = [(row["connection"], row["symbol"]) for row in tables["frames"] if row["kind"] == "rest"]
    assert set(books) == {(GATEIO, "BTC_USDT"), (MEXC, "BTCUSDT")}
    assert exchange.rest.connections == 2


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
