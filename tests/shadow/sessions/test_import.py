"""Recorded by the documented program, imported, replayed: both stacks deliver what was received."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shadow.importing.run import import_capture
from shadow.venue.sources.capture import load_capture

Outcome = tuple[int, dict[str, Any], str]
Session = tuple[Path, Path, Outcome]
ROOT = Path(__file__).parents[3]
FRAMES = "150"
REST = {
    "gateio.spot.public": "/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true",
    "mexc.spot.public": "/api/v3/depth?symbol=BTCUSDT&limit=1000",
}


def subscriptions(connection: str) -> list[str]:
    if connection == "mexc.spot.public":
        streams = ("aggre.depth", "aggre.deals", "aggre.bookTicker")
        params = [f"spot@public.{stream}.v3.api.pb@100ms@BTCUSDT" for stream in streams]
        params.append("spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8")
        return [json.dumps({"method": "SUBSCRIPTION", "params": params})]
    wanted = {"order_book_update": ["BTC_USDT", "100ms"], "trades": ["BTC_USDT"], "book_ticker": ["BTC_USDT"]}
    wanted["tickers"] = ["BTC_USDT"]
    return [
        json.dumps({"channel": f"spot.{name}", "event": "subscribe", "payload": payload})
        for name, payload in wanted.items()
    ]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The ready line of a running venue."""
    words = [sys.executable, "-m", "shadow.cli", "venue", "--connections", ",".join(REST), "--rate", "400"]
    folder = tmp_path_factory.mktemp("venue")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def sessions(
    ready: dict[str, Any], run_session: Callable[..., Outcome], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Session]:
    """Log, capture and outcome of a replay, by connection; both at once."""
    folder = tmp_path_factory.mktemp("import")

    def play(connection: str) -> Session:
        exchange = connection.partition(".")[0]
        addresses = ready["ws"][f"{exchange}.spot"], ready["rest"][exchange] + REST[connection]
        program = [sys.executable, str(ROOT / "docs" / "examples" / "record_capture.py")]
        log, dest, out = (folder / f"{exchange}.{ending}" for ending in ("jsonl", "capture", "run"))
        with log.open("wb") as file:
            words = [*program, connection, FRAMES, *addresses, *subscriptions(connection)]
            subprocess.run(words, stdout=file, timeout=40, check=True)
        import_capture(log, dest)
        return log, dest, run_session(out, "--feed", f"capture:{dest}", "--rate", "max")

    with ThreadPoolExecutor(len(REST)) as pool:
        return dict(zip(REST, pool.map(play, REST), strict=True))


@pytest.mark.timeout(150)  # the first test waits for both sessions
@pytest.mark.parametrize("connection", REST)
def test_both_stacks_deliver_every_frame_that_was_received(connection: str, sessions: dict[str, Session]) -> None:
    log, dest, (code, verdict, _) = sessions[connection]
    capture = load_capture(dest)
    updates = [line for line in log.read_text().splitlines() if "base64" in line or r"\"event\":\"update\"" in line]
    assert len(capture.frames) == len(updates)
    received = Counter[str]()
    for frame in capture.frames:
        received[frame.channel] += frame.events
    assert set(received) == {"book", "trade", "book_ticker", "ticker"}
    assert (code, verdict["verdict"]) == (11, "HOLD")
    for role in ("legacy", "new"):
        assert delivered(dest.with_suffix(".run"), role) == received, role
    assert [one for one in verdict["differences"] if one["code"] != "EDGE"] == []
    assert verdict["coverage"]["share"] == 1.0
    assert verdict["coverage"]["matched"] == 2 * received.total()
    assert verdict["conservation"]["ok"]


def delivered(out: Path, role: str) -> Counter[str]:
    """A side's events by type, rebuilt books left out."""
    rows = pq.read_table(out / "events" / f"{role}.parquet", columns=["k", "type", "body"]).to_pylist()
    events = (row for row in rows if row["k"] == "event")
    return Counter(row["type"] for row in events if b'"snapshot":true' not in row["body"].replace(b" ", b""))
