"""Recorded sessions: what is read, what is refused, and what a replay sends."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shadow.errors import UsageError
from shadow.venue.sources.capture import load_capture

SESSION = "gateio-spot-2021.session"


def test_the_recorded_session_is_read_whole(captures: Path) -> None:
    capture = load_capture(captures / SESSION)
    assert Counter(frame.wire_channel for frame in capture.frames) == {
        "spot.order_book_update": 172,
        "spot.trades": 9,
        "spot.tickers": 22,
    }
    assert capture.connections == ("gateio.spot.public",)
    assert capture.channels == ("book", "trade", "ticker")
    assert len(capture.symbols) == 10
    assert set(capture.market.books) == set(capture.symbols)
    version, bids, asks = capture.market.book("NEO_BTC")
    assert version == 31244065
    assert float(bids[0][0]) < float(asks[0][0])
    times = [frame.at_s for frame in capture.frames]
    assert times == sorted(times)
    assert times[0] == 0


def test_every_recorded_frame_is_kept_byte_for_byte(captures: Path) -> None:
    recorded = (captures / SESSION).read_bytes()
    assert all(frame.payload in recorded for frame in load_capture(captures / SESSION).frames)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda lines: [*lines[:60], lines[60][:-9], *lines[61:]], "line 61"),
        (lambda lines: [*lines[:30], "garbage", *lines[30:]], "line 31"),
        (lambda lines: lines[:30], "no data frame"),
    ],
)
def test_damage_is_named_by_file_and_line(captures: Path, tmp_path: Path, damage: Any, says: str) -> None:
    path = tmp_path / "x.session"
    path.write_text("\n".join(damage((captures / SESSION).read_text().split("\n"))))
    path.with_suffix(".rest").write_bytes((captures / SESSION).with_suffix(".rest").read_bytes())
    with pytest.raises(UsageError, match=says) as caught:
        load_capture(path)
    assert "x.session" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_other_kinds_are_named(captures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.session: No such file"):
        load_capture(tmp_path / "no.session")
    with pytest.raises(UsageError, match=r"\.session file"):
        load_capture(captures / "mexc-binary-2025-2026.jsonl")
    alone = tmp_path / "alone.session"
    alone.write_bytes((captures / SESSION).read_bytes())
    with pytest.raises(UsageError, match=r"alone\.rest"):
        load_capture(alone)


async def test_a_replay_sends_each_frame_once_to_both_sides(start: Any, join: Any, captures: Path) -> None:
    capture = load_capture(captures / SESSION)
    venue = await start(feed=f"capture:{captures / SESSION}", symbols=[], channels=None, unpaced=True)
    assert venue.ready["symbols"] == {"gateio.spot.public": list(capture.symbols)}
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = []
    for role in ("legacy", "new"):
        client = await join(venue, role)
        await client.subscribe(list(capture.symbols), list(capture.channels))
        await venue.hear(k="subscribed", role=role, complete=True)
        clients.append(client)
    playing = asyncio.create_task(venue.ask("replay"))
    for role in ("legacy", "new"):
        for symbol in capture.symbols:
            base = venue.ready["lanes"][role]["rest"]["gateio"]
            url = f"{base}/spot/order_book?currency_pair={symbol}&limit=100&with_id=true"
            book = json.loads(await asyncio.to_thread(lambda url=url: urllib.request.urlopen(url).read()))
            assert book["id"] == capture.market.book(symbol)[0]
    done = await playing
    assert done["frames"] == 203
    for client in clients:
        await client.until(lambda c: len(c.data) + len(c.control) >= 203 + 30)
    ledger = await venue.end()
    frames = [row for row in ledger["frames"] if row["kind"] == "ws"]
    assert Counter(row["channel"] for row in frames) == {"book": 172, "trade": 9, "ticker": 22}
    assert [row["payload"] for row in frames] == [frame.payload for frame in capture.frames]
    asked = max(row["t"] for row in ledger["requests"] if row["kind"] == "rest")
    assert asked < min(row["t_sent"] for row in ledger["sends"] if row["frame_no"] == frames[0]["frame_no"])
    for client in clients:
        received = sum(b'"event":"update"' in one for one in client.data)
        assert received == 203


async def test_a_missing_capture_is_a_users_mistake(start: Any) -> None:
    venue = await start(feed="capture:/no/such/file.session")
    assert venue.ready["k"] == "failed"
    assert "/no/such/file.session" in venue.ready["text"]
    assert await venue.process.wait() == 2
