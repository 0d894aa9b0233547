"""The burst leg and the connect leg, with the real process and plain clients."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
CHANNELS = ["book", "trade", "book_ticker", "ticker"]
SYMBOLS = ["BTC_USDT", "ETH_USDT"]


async def begin(
    start: Any, join: Any, connections: list[str], **options: Any
) -> tuple[Any, dict[tuple[str, str], Any]]:
    venue = await start(connections=connections, **options)
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = {}
    for role in ("legacy", "new"):
        for connection in connections:
            clients[role, connection] = client = await join(venue, role, connection)
            await client.subscribe(SYMBOLS, CHANNELS)
    return venue, clients


async def test_bursts_go_to_one_side_at_a_time_in_one_write(start: Any, join: Any) -> None:
    venue, clients = await begin(start, join, [GATEIO, MEXC])
    done = await venue.ask("burst", seconds=1.6, phase="burst")
    assert 16 <= done["bursts"] <= 128
    await venue.ask("drain")
    for client in clients.values():
        await (await client.socket.ping())
    ledger = await venue.end()
    await asyncio.gather(*(client.reader for client in clients.values()))
    marks = [
        (m["role"], m["t"], *(json.loads(m["detail"])[k] for k in ("burst", "connection", "type", "frames")))
        for m in ledger["marks"]
        if m["name"] == "burst"
    ]
    assert len(marks) == done["bursts"]
    assert [mark[0] for mark in marks] == (["legacy", "new", "new", "legacy"] * 50)[: len(marks)]
    assert [mark[2] for mark in marks] == list(range(len(marks)))
    assert {mark[5] for mark in marks} == {128}
    mixed = [(GATEIO, "mixed")] * 4 + [(MEXC, "mixed")] * 4
    singles = [[(GATEIO, name)] * 4 + [(MEXC, name)] * 4 for name in ("book", "book_ticker", "trade")]
    turns = [train for single in singles for train in (*mixed * 4, *single)]
    assert [mark[3:5] for mark in marks] == turns[: len(marks)]
    assert min(b[1] - a[1] for a, b in pairwise(marks)) > 10_000_000
    for side in ("legacy", "new"):
        times = [mark[1] for mark in marks if mark[0] == side]
        assert min(c - a for a, c in zip(times, times[2:], strict=False)) > 50_000_000
    trains = defaultdict(list)
    for row in ledger["sends"]:
        if row["burst"] >= 0:
            trains[row["burst"]].append(row)
    for role, t, number, *_ in marks:
        assert len(trains[number]) == 128
        assert {(row["subject"], row["t_sent"], row["queued"]) for row in trains[number]} == {(role, t, False)}
    numbers = {n: [row["frame_no"] for row in rows] for n, rows in trains.items()}
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]
    for connection in (GATEIO, MEXC):
        assert clients["legacy", connection].data == clients["new", connection].data


async def keep_connected(join: Any, venue: Any, role: str, codes: list[int | None]) -> None:
    """A client that subscribes again after each close and notes how the connection ended."""
    while True:
        client = await join(venue, role)
        await client.subscribe(SYMBOLS, CHANNELS)
        codes.append(await client.closed())


async def test_forced_closes_alternate_sides_and_codes_and_wait_for_the_way_back(start: Any, join: Any) -> None:
    venue = await start()
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    codes: dict[str, list[int | None]] = {"legacy": [], "new": []}
    tasks = [asyncio.create_task(keep_connected(join, venue, role, codes[role])) for role in codes]
    for role in codes:
        await venue.hear(k="subscribed", role=role, complete=True)
    done = await venue.ask("connect", closes=4, seconds=20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done["closes"] == {GATEIO: {"legacy": 4, "new": 4}}
    assert codes == {"legacy": [1001, 1006, 1001, 1006], "new": [1001, 1006, 1001, 1006]}
    ledger = await venue.end()
    closes = [m for m in ledger["marks"] if m["name"] == "forced-close"]
    assert [m["role"] for m in closes] == ["legacy", "new"] * 4
    data = {row["frame_no"] for row in ledger["frames"] if row["kind"] == "ws"}
    sent = sorted(row["t_sent"] for row in ledger["sends"] if row["frame_no"] in data)
    for mark in closes[1:]:
        assert mark["t"] - max(t for t in sent if t < mark["t"]) >= 50_000_000
    rows = [r for r in ledger["connections"] if r["cause"] == "connect-leg"]
    assert [(r["subject"], r["code"]) for r in rows[:4]] == [
        ("legacy", 1001),
        ("new", 1001),
        ("legacy", 1006),
        ("new", 1006),
    ]
    assert not [m for m in ledger["marks"] if m["name"] == "not-back"]
    assert len(data) == 4 * 8
    assert len(sent) == 2 * len(data)
    subscribed = [r["t"] for r in ledger["connections"] if r["event"] == "subscribed"]
    for mark, following in pairwise(closes):
        back = [t for t in subscribed if mark["t"] < t < following["t"]]
        assert len(back) == 8
        assert max(back) < min(t for t in sent if t > mark["t"])


async def test_the_connect_leg_keeps_its_time(start: Any, join: Any) -> None:
    venue = await start()
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    codes: list[int | None] = []
    tasks = [asyncio.create_task(keep_connected(join, venue, role, codes)) for role in ("legacy", "new")]
    for role in ("legacy", "new"):
        await venue.hear(k="subscribed", role=role, complete=True)
    done = await venue.ask("connect", closes=1000, seconds=0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert 1 <= sum(done["closes"][GATEIO].values()) < 20


@pytest.mark.long
async def test_a_client_that_stays_away_is_marked_and_the_leg_goes_on(start: Any, join: Any) -> None:
    venue, _ = await begin(start, join, [GATEIO])
    done = await venue.ask("connect", closes=1, seconds=None)
    assert done["closes"] == {GATEIO: {"legacy": 1, "new": 1}}
    ledger = await venue.end()
    missed = [m["role"] for m in ledger["marks"] if m["name"] == "not-back"]
    assert missed == ["legacy", "new"]


async def test_the_storm_closes_right_behind_data(start: Any, join: Any) -> None:
    venue = await start(profile="storm")
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    codes: list[int | None] = []
    tasks = [asyncio.create_task(keep_connected(join, venue, role, codes)) for role in ("legacy", "new")]
    for role in ("legacy", "new"):
        await venue.hear(k="subscribed", role=role, complete=True)
    await venue.ask("connect", closes=2, seconds=10)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ledger = await venue.end()
    closes = [m["t"] for m in ledger["marks"] if m["name"] == "forced-close"]
    behind = [min(t - r["t_sent"] for r in ledger["sends"] if r["t_sent"] < t) for t in closes]
    assert len(behind) == 4
    assert max(behind) < 20_000_000


@pytest.mark.timeout(30)
async def test_a_capacity_step_writes_every_frame_to_both_sides_at_its_pace(start: Any, join: Any) -> None:
    venue, clients = await begin(start, join, [GATEIO, MEXC])
    done = await venue.ask("capacity", seconds=0.5, rate=1000, phase="capacity-1000")
    assert 500 <= done["frames"] <= 520
    expected = (await venue.ask("drain"))["expected"]
    assert expected["legacy"] == expected["new"]
    for client in clients.values():
        await (await client.socket.ping())
    ledger = await venue.end()
    await asyncio.gather(*(client.reader for client in clients.values()))
    begun, ended = (
        next(m["t"] for m in ledger["marks"] if m["name"] == name and "capacity-1000" in m["detail"])
        for name in ("phase-begin", "phase-end")
    )
    assert ended - begun >= 490_000_000
    sends = [row for row in ledger["sends"] if begun <= row["t_sent"] <= ended]
    by_side = [[row["frame_no"] for row in sends if row["subject"] == side] for side in ("legacy", "new")]
    assert sorted(by_side[0]) == sorted(by_side[1])
    assert len(by_side[0]) == done["frames"]
    firsts = [row["subject"] for row in sends if row["first_written"]]
    assert 0.4 < firsts.count("legacy") / len(firsts) < 0.6
