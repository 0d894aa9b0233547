"""The venue process from outside: ready line, subscriptions, paced frames, ledger."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
from collections import Counter
from typing import Any

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
CHANNELS = ["book", "trade", "book_ticker", "ticker"]


async def subscribed_pair(venue: Any, join: Any, connection: str = GATEIO) -> list[Any]:
    """A client of each role with every subscription confirmed."""
    clients = [await join(venue, role, connection) for role in ("legacy", "new")]
    for client in clients:
        await client.subscribe(["BTC_USDT", "ETH_USDT"], CHANNELS)
    return clients


def payloads(ledger: dict[str, list[dict[str, Any]]], role: str, kind: str = "ws") -> list[bytes]:
    """What the ledger says a role was sent, in order of t_sent."""
    frames = {row["frame_no"]: row for row in ledger["frames"]}
    sends = sorted((row for row in ledger["sends"] if row["subject"] == role), key=lambda row: row["t_sent"])
    return [frames[row["frame_no"]]["payload"] for row in sends if frames[row["frame_no"]]["kind"] == kind]


async def test_ready_line_names_lanes_and_symbols(start: Any) -> None:
    venue = await start()
    lanes = venue.ready["lanes"]
    assert set(lanes) == {"legacy", "new"}
    assert lanes["legacy"]["ws"]["gateio.spot"].endswith("/ws/v4/")
    assert lanes["legacy"]["rest"]["gateio"].endswith("/api/v4")
    assert lanes["legacy"]["ws"] != lanes["new"]["ws"]
    assert venue.ready["symbols"][GATEIO] == ["BTC_USDT", "ETH_USDT"]


async def test_both_sides_get_the_same_frames_and_the_ledger_tells_them(start: Any, join: Any) -> None:
    venue = await start()
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = await subscribed_pair(venue, join)
    for role in ("legacy", "new"):
        await venue.hear(k="subscribed", role=role, connection=GATEIO, complete=True)
    done = await venue.ask("pace", phase="paired", seconds=0.5, rate=400)
    drained = await venue.ask("drain")
    assert 100 < done["frames"] < 400
    for client in clients:
        await client.until(lambda c: len(c.data) >= done["frames"])
    ledger = await venue.end()
    assert clients[0].data == clients[1].data
    for role, client in zip(("legacy", "new"), clients, strict=True):
        assert payloads(ledger, role) == client.data
        assert drained["expected"][role][GATEIO] == done["frames"]
        assert [json.loads(one)["event"] for one in client.control] == ["subscribe"] * 8
        assert [one.decode() for one in payloads(ledger, role, "control")] == client.control
    types = Counter(row["channel"] for row in ledger["frames"] if row["kind"] == "ws")
    assert types["book"] > types["ticker"] > 0
    assert types["trade"] > 0
    assert types["book_ticker"] > 0
    numbers = [row["frame_no"] for row in ledger["frames"]]
    assert numbers == sorted(set(numbers))


async def test_the_tee_sends_one_side_a_gap_later_in_seeded_order(start: Any, join: Any) -> None:
    venue = await start(gap_us=2000)
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    await subscribed_pair(venue, join)
    await venue.ask("pace", seconds=0.6, rate=100)
    ledger = await venue.end()
    frames = {row["frame_no"] for row in ledger["frames"] if row["kind"] == "ws"}
    sends: dict[int, list[dict[str, Any]]] = {}
    for row in ledger["sends"]:
        if row["frame_no"] in frames:
            sends.setdefault(row["frame_no"], []).append(row)
    firsts, gaps = Counter(), []
    for rows in sends.values():
        first, second = sorted(rows, key=lambda row: row["t_sent"])
        assert (first["first_written"], second["first_written"]) == (True, False)
        assert first["subject"] != second["subject"]
        firsts[first["subject"]] += 1
        gaps.append((second["t_sent"] - first["t_sent"]) / 1e6)
    assert min(firsts["legacy"], firsts["new"]) > len(sends) * 0.2
    assert sorted(gaps)[len(gaps) // 2] > 1.5
    for role in ("legacy", "new"):
        numbers = [r["frame_no"] for r in ledger["sends"] if r["subject"] == role and r["frame_no"] in frames]
        assert numbers == sorted(numbers)


async def test_connections_and_requests_are_in_the_ledger(start: Any, join: Any) -> None:
    venue = await start()
    client = await join(venue, "new", additional_headers={"X-Gate-Size-Decimal": "1"})
    await client.subscribe(["BTC_USDT"], ["trade"])
    await client.send({"time": 1, "channel": "spot.trades", "event": "unsubscribe", "payload": ["BTC_USDT"]})
    await client.until(lambda c: len(c.control) == 2)
    await client.send({"time": 1, "channel": "spot.trades", "event": "subscribe", "payload": ["NO_SUCH"]})
    await client.until(lambda c: len(c.control) == 3)
    await (await client.socket.ping(b"hello"))
    await client.socket.close()
    await venue.hear(k="closed", role="new", connection=GATEIO)
    ledger = await venue.end()
    story = [(r["event"], r["channel"], r["symbol"], r["cause"]) for r in ledger["connections"]]
    assert story == [
        ("open", "", "", "client"),
        ("subscribed", "trade", "BTC_USDT", "client"),
        ("unsubscribed", "trade", "BTC_USDT", "client"),
        ("refused", "trade", "NO_SUCH", "venue"),
        ("close", "", "", "client"),
    ]
    assert {r["conn_no"] for r in ledger["connections"]} == {1}
    assert [r["kind"] for r in ledger["requests"]] == ["handshake", "ws", "ws", "ws", "ping"]
    assert b"X-Gate-Size-Decimal" in ledger["requests"][0]["payload"]
    assert ledger["connections"][-1]["code"] == 1000


async def test_rest_books_are_the_last_pushed_and_in_the_ledger(start: Any, join: Any) -> None:
    venue = await start()
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    await subscribed_pair(venue, join)
    await venue.ask("pace", seconds=0.2, rate=300)
    url = venue.ready["lanes"]["new"]["rest"]["gateio"] + "/spot/order_book?currency_pair=BTC_USDT&with_id=true"
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())
    ledger = await venue.end()
    books = [r for r in ledger["frames"] if r["kind"] == "ws" and (r["channel"], r["symbol"]) == ("book", "BTC_USDT")]
    (answer,) = [row for row in ledger["frames"] if row["kind"] == "rest"]
    assert json.loads(body)["id"] == books[-1]["last"] == answer["last"]
    assert answer["payload"] == body
    assert [row["payload"].split(b" ")[0] for row in ledger["requests"] if row["kind"] == "rest"] == [b"GET"]


async def test_nothing_is_pushed_outside_a_phase_or_to_strangers(start: Any, join: Any) -> None:
    venue = await start()
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    client = await join(venue, "legacy")
    await client.subscribe(["ETH_USDT"], ["trade"])
    done = await venue.ask("pace", seconds=0.3, rate=400)
    await (await client.socket.ping())
    await venue.end()
    await client.reader
    assert len(client.data) == done["frames"] > 0
    assert {json.loads(one)["result"]["currency_pair"] for one in client.data} == {"ETH_USDT"}


async def test_a_busy_port_is_a_users_mistake(start: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        venue = await start(roles=["client"], ws_port=taken.getsockname()[1])
        assert venue.ready["k"] == "failed"
        assert "port" in venue.ready["text"]
        await venue.process.wait()
    assert venue.process.returncode == 2


async def test_a_bad_fault_is_a_users_mistake(start: Any) -> None:
    venue = await start(faults=["explode@gateio.spot.public"])
    assert venue.ready["k"] == "failed"
    assert "\n" not in venue.ready["text"]
    await venue.process.wait()
    assert venue.process.returncode == 2


async def test_the_end_of_stdin_stops_it(start: Any) -> None:
    venue = await start()
    venue.process.stdin.close()
    assert await venue.process.wait() == 0
