"""The ledger's pipe: whole records, nothing blocking, losses counted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from shadow.capture.tables import COLUMNS
from shadow.venue import sinks
from shadow.venue.ledger import Ledger
from shadow.venue.outgoing import Frame
from shadow.venue.sinks import FolderSink, PipeSink


def records(data: bytes) -> list[list[Any]]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "little")
        found.append(msgspec.msgpack.decode(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


async def test_rows_are_complete_and_a_frame_is_written_once() -> None:
    read, write = os.pipe()
    ledger = Ledger(PipeSink(write, asyncio.get_running_loop()))
    ledger.begin_leg("main")
    frame = Frame("gateio.spot.public", "ws", "book", "BTC_USDT", b"{}", True, 1, 2, events=1)
    ledger.sent(frame, "legacy", 1, 10, True, False)
    ledger.sent(frame, "new", 1, 20, False, False, burst=3)
    ledger.request("new", "gateio.spot.public", 1, "ws", b"x")
    ledger.connection("new", "gateio.spot.public", 1, "open")
    ledger.mark("fault", "new", {"kind": "drop"})
    ledger.close()
    with os.fdopen(read, "rb") as pipe:
        rows = records(pipe.read())
    assert [row[0] for row in rows] == ["frames", "sends", "sends", "requests", "connections", "marks"]
    assert all(len(row) == 1 + len(COLUMNS[row[0]]) for row in rows)
    assert rows[1][1] == rows[2][1] == rows[0][1] == 1
    assert ledger.sent_events == {("legacy", "gateio.spot.public"): 1, ("new", "gateio.spot.public"): 1}


async def test_a_reader_that_does_not_read_blocks_nothing_and_losses_are_told(monkeypatch: Any) -> None:
    monkeypatch.setattr(sinks, "CAP_BYTES", 2 << 20)
    read, write = os.pipe()
    ledger = Ledger(PipeSink(write, asyncio.get_running_loop()))
    for _ in range(80):
        ledger.request("new", "c", 1, "ws", bytes(1 << 16))
    with os.fdopen(read, "rb") as pipe:
        reading = asyncio.get_running_loop().run_in_executor(None, pipe.read)
        ledger.close()
        data = await reading
    rows = records(data)
    kept = sum(row[0] == "requests" for row in rows)
    (mark,) = [row for row in rows if row[0] == "marks"]
    assert mark[4] == "harness-drops"
    assert msgspec.json.decode(mark[5])["count"] == 80 - kept > 0


def test_a_folder_keeps_no_key_that_an_answer_names(tmp_path: Path) -> None:
    answers = {"control": b'{"data":{"result":{"api_key":"a1b2c3d4","uid":"7"}}}', "rest": b'{"listenKey":"e5f6a7b8"}'}
    answers["error"] = b"in words: f1a2b3c4"
    sink = FolderSink(str(tmp_path), ["f1a2b3c4"])
    for kind, payload in (*answers.items(), ("ws", b'{"result":"c9d0e1f2"}')):
        row = dict.fromkeys(COLUMNS["frames"])
        row |= {"frame_no": 1, "leg": "alone", "connection": "c", "kind": kind, "channel": "", "symbol": ""}
        row |= {"payload": payload, "is_text": True, "fault": ""}
        sink.append("frames", tuple(row.values()))
    sink.settle()
    sink.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    held = [value in kept for value in (b"a1b2c3d4", b"e5f6a7b8", b"f1a2b3c4", b"c9d0e1f2", b"in words")]
    assert held == [False, False, False, True, True]
