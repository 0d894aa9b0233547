"""Imported captures: what is refused, and a replay of each public connection byte for byte."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.errors import UsageError
from shadow.importing.run import import_capture
from shadow.venue.sources.capture import load_capture

SPOT, FUTURES, MEXC = "gateio.spot.public", "gateio.futures.public", "mexc.spot.public"
BOOKS = {
    SPOT: ("spot/order_book?currency_pair=BTC_USDT&with_id=true", '{"id":7,"asks":[],"bids":[["1","3"]]}'),
    FUTURES: ("futures/usdt/order_book?contract=BTC_USDT&with_id=true", '{"id":7,"asks":[],"bids":[{"p":"1","s":3}]}'),
    MEXC: ("api/v3/depth?symbol=BTCUSDT", '{"lastUpdateId":7,"asks":[],"bids":[["1","3"]]}'),
}


@pytest.fixture
def imported(tmp_path: Path, good_frames: Callable[[str], list[bytes]]) -> Callable[[str], Path]:
    """A capture of twelve frames and one order book of a connection."""

    def make(connection: str) -> Path:
        url, book = BOOKS[connection]
        lines: list[dict[str, Any]] = [{"connection": connection, "t_ns": 1, "rest": f"http://x/{url}", "text": book}]
        for payload in good_frames(connection):
            coded = {"base64": base64.b64encode(payload).decode()} if connection == MEXC else {"text": payload.decode()}
            lines.append({"connection": connection, "t_ns": 1000 * len(lines), **coded})
        log, dest = tmp_path / "log.jsonl", tmp_path / "x.capture"
        log.write_text("\n".join(map(json.dumps, lines)))
        import_capture(log, dest)
        return dest

    return make


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[: len(data) // 2], "cut off or altered"),
        (lambda data: data.replace(b'"BTC_USDT"', b'"ETH_USDT"', 1), "cut off or altered"),
        (lambda data: b"".join(data.splitlines(keepends=True)[:-1]), "cut off or altered"),
        (lambda data: data.splitlines(keepends=True)[0], "cut off or altered"),
        (lambda data: data + b"{}\n", "cut off or altered"),
        (lambda data: b"\n" + data, "shadow import"),
        (lambda data: b"", "shadow import"),
    ],
)
def test_a_damaged_capture_is_refused_by_name(imported: Callable[[str], Path], damage: Any, says: str) -> None:
    path = imported(SPOT)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match=says) as caught:
        load_capture(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"version":1', b'"version":2', "version 2"),
        (SPOT.encode(), b"gateio.spot.private", "gateio.spot.private"),
        (b'"k":"book"', b'"k":"boot"', "line 14"),
        (b'"at_ns":0', b'"at_ns":"x"', "line 2"),
    ],
)
def test_a_sealed_capture_of_another_making_is_refused(
    imported: Callable[[str], Path], old: bytes, new: bytes, says: str
) -> None:
    import hashlib

    path = imported(SPOT)
    *lines, last = path.read_bytes().splitlines(keepends=True)
    body = b"".join(lines).replace(old, new, 1)
    ending = json.loads(last) | {"sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(ending).encode() + b"\n")
    with pytest.raises(UsageError, match=says):
        load_capture(path)


@pytest.mark.parametrize("connection", BOOKS)
async def test_an_imported_capture_is_replayed_byte_for_byte(
    connection: str, imported: Callable[[str], Path], good_frames: Any, start: Any, join: Any
) -> None:
    path = imported(connection)
    venue = await start(feed=f"capture:{path}", connections=[connection], symbols=[], channels=None, unpaced=True)
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = []
    for role in ("legacy", "new"):
        client = await join(venue, role, connection)
        for name in ("book", "trade", "book_ticker", "ticker"):
            await client.send(subscription(connection, name))
        await venue.hear(k="subscribed", role=role, complete=True)
        clients.append(client)
    playing = asyncio.create_task(venue.ask("replay"))
    for role in ("legacy", "new"):
        exchange = connection.partition(".")[0]
        url = f"{venue.ready['lanes'][role]['rest'][exchange]}/{BOOKS[connection][0]}"
        book = json.loads(await asyncio.to_thread(lambda url=url: urllib.request.urlopen(url).read()))
        assert 7 in (book.get("id"), book.get("lastUpdateId"))
    assert (await playing)["frames"] == 12
    for client in clients:
        await client.until(lambda c: len(c.data) >= 12)
        assert client.data == good_frames(connection)
    ledger = await venue.end()
    frames = [row for row in ledger["frames"] if row["kind"] == "ws"]
    assert {row["symbol"] for row in frames} == {"BTCUSDT" if connection == MEXC else "BTC_USDT"}
    assert {row["is_text"] for row in frames} == {connection != MEXC}


def subscription(connection: str, name: str) -> dict[str, Any]:
    from shadow.venue.personas.registry import PERSONAS
    from shadow.venue.sources.recording import RecordedMarket

    key = PERSONAS[connection](RecordedMarket(["BTC_USDT"], {}, {})).default_variant(name, "BTC_USDT")
    if connection == MEXC:
        return {"method": "SUBSCRIPTION", "params": [key]}
    channel, *payload = key.split("|")
    return {"time": 1, "channel": channel, "event": "subscribe", "payload": payload}
