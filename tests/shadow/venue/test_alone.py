"""`shadow venue` without an orchestrator."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from shadow.capture.reader import RunData

CODE = """
import sys
from shadow.venue.alone import run_alone
options = {"connections": ["gateio.spot.public", "mexc.spot.public"], "rate": 400, **eval(sys.argv[1])}
sys.exit(run_alone(**options))
"""


async def serve(**options: Any) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CODE, repr(options), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, json.loads(await process.stdout.readline())


async def test_any_client_gets_frames_and_the_ledger_folder_tells_them(tmp_path: Path) -> None:
    process, ready = await serve(ledger_dir=str(tmp_path), faults=["drop@gateio.spot.public:at=0s,count=2"])
    assert ready["ready"] is True
    assert set(ready["ws"]) == {"gateio.spot", "mexc.spot"}
    assert set(ready["rest"]) == {"gateio", "mexc"}
    assert set(ready["credentials"]["gateio"]) == {"key", "secret", "uid"}
    assert set(ready["credentials"]["mexc"]) == {"key", "secret"}
    received = []
    async with connect(ready["ws"]["gateio.spot"], compression=None) as client:
        request = {"time": 1, "channel": "spot.book_ticker", "event": "subscribe", "payload": ["BTC_USDT"]}
        await client.send(json.dumps(request))
        assert json.loads(await client.recv())["event"] == "subscribe"
        for _ in range(20):
            received.append(await client.recv(decode=False))
        async with connect(ready["ws"]["mexc.spot"], compression=None) as other:
            key = "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"
            await other.send(json.dumps({"method": "SUBSCRIPTION", "params": [key]}))
            assert json.loads(await other.recv())["msg"] == key
            assert key.encode() in await other.recv(decode=False)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    frames = RunData(tmp_path).table("frames").to_pylist()
    data = [row["payload"] for row in frames if row["kind"] == "ws" and row["connection"] == "gateio.spot.public"]
    assert data[: len(received)] == received
    sends = RunData(tmp_path).table("sends").to_pylist()
    assert {row["subject"] for row in sends} == {"client"}
    assert [row["name"] for row in RunData(tmp_path).table("marks").to_pylist()].count("fault") == 2


async def test_deflate_is_declined_unless_asked_for() -> None:
    for asked in (False, True):
        process, ready = await serve(deflate=asked)
        async with connect(ready["ws"]["gateio.spot"]) as client:
            assert bool(client.protocol.extensions) is asked
            request = {"time": 1, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}
            await client.send(json.dumps(request))
            assert json.loads(await client.recv())["event"] == "subscribe"
            for _ in range(3):
                assert json.loads(await client.recv())["result"]["currency_pair"] == "BTC_USDT"
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_a_capture_is_served_alone_on_its_own_connection(captures: Path) -> None:
    feed = f"capture:{captures / 'gateio-spot-2021.session'}"
    process, ready = await serve(connections=[], feed=feed)
    assert list(ready["ws"]) == ["gateio.spot"]
    async with connect(ready["ws"]["gateio.spot"], compression=None) as client:
        request = {"time": 1, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDC"]}
        await client.send(json.dumps(request))
        assert json.loads(await client.recv())["event"] == "subscribe"
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
