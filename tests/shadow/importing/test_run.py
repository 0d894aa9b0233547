"""Whole imports: every line accounted for, nothing half written, no secret kept."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shadow import cli
from shadow.errors import UsageError
from shadow.importing.run import LATER_BOOKS, UNUSED_BOOKS, import_capture
from shadow.importing.totals import summary
from shadow.venue.sources.capture import load_capture
from shadow.venue.sources.recording import RecordedFrame

Write = Callable[[Sequence[dict[str, Any] | bytes]], Path]
Logged = Callable[[str], list[dict[str, Any]]]
SPOT, FUTURES, MEXC = "gateio.spot.public", "gateio.futures.public", "mexc.spot.public"
BOOK = '{"id":7,"asks":[["2","1"]],"bids":[["1","3"]]}'
DEPTH = '{"lastUpdateId":7,"bids":[["1","3"]],"asks":[["2","1"]]}'
SECRET = "5ecre7-0f-the-team"


def rest(connection: str, query: str, text: str) -> dict[str, Any]:
    return {"connection": connection, "t_ms": 1, "rest": f"https://x.example/book?{query}", "text": text}


@pytest.mark.parametrize(
    ("connection", "book"),
    [
        (SPOT, rest(SPOT, "currency_pair=BTC_USDT", BOOK)),
        (FUTURES, rest(FUTURES, "contract=BTC_USDT", BOOK.replace('["2","1"]', '{"p":"2","s":1}'))),
        (MEXC, rest(MEXC, "symbol=BTCUSDT", DEPTH)),
    ],
)
def test_what_is_imported_is_what_was_received(
    connection: str, book: dict[str, Any], write_log: Write, logged: Logged, good_frames: Any, tmp_path: Path
) -> None:
    dest = tmp_path / "x.capture"
    totals = import_capture(write_log([book, *logged(connection)]), dest)
    capture = load_capture(dest)
    assert [frame.payload for frame in capture.frames] == good_frames(connection)
    assert {frame.is_text for frame in capture.frames} == {connection != MEXC}
    assert [round(frame.at_s, 9) for frame in capture.frames] == [round(0.01 * place, 9) for place in range(12)]
    assert (capture.connections, capture.symbols) == ((connection,), ("BTC_USDT",))
    assert capture.channels == ("book", "trade", "book_ticker", "ticker")
    assert capture.market.book("BTC_USDT") == (7, [("1", "3")], [("2", "1")])
    assert totals.channels == dict.fromkeys(capture.channels, 3)
    assert (totals.lines, totals.frames, totals.books, totals.left_out) == (13, 12, {"BTC_USDT": 7}, {})
    assert totals.span_s == pytest.approx(0.11)


def test_every_line_is_accounted_for(write_log: Write, logged: Logged, tmp_path: Path) -> None:
    ack = '{"channel":"spot.trades","event":"subscribe","result":{"status":"success"}}'
    candle = '{"channel":"spot.candlesticks","event":"update","result":{}}'
    lines = [
        {"connection": SPOT, "t_ms": 1, "direction": "out", "text": '{"channel":"spot.trades","event":"subscribe"}'},
        {"connection": SPOT, "t_ms": 2, "text": ack},
        {"connection": SPOT, "t_ms": 2, "text": candle},
        {"connection": SPOT, "t_ms": 2, "text": candle},
        rest(SPOT, "currency_pair=BTC_USDT", BOOK),
        rest(SPOT, "currency_pair=BTC_USDT", BOOK),
        rest(SPOT, "currency_pair=ETH_USDT", BOOK),
        rest(SPOT, "currency_pair=BTC_USDT", '{"label":"TOO_MANY_REQUESTS"}'),
        b"   ",
        *logged(SPOT),
        *logged(MEXC),
    ]
    totals = import_capture(write_log(lines), tmp_path / "x.capture", SPOT)
    assert totals.left_out == {
        "sent by the client": 1,
        "acks, pongs and errors": 1,
        "channel spot.candlesticks": 2,
        "REST answers that hold no order book with a version": 1,
        LATER_BOOKS: 1,
        UNUSED_BOOKS: 1,
        "blank": 1,
        "of other connections": 12,
    }
    assert totals.lines == len(lines) == totals.frames + len(totals.books) + totals.left_out.total()
    said = summary(totals, Path("x.capture"))
    assert "12 frames in 0.1 s" in said
    assert f"{len(lines)} lines read, 13 kept, 20 left out" in said
    assert all(f"  {count} {reason}\n" in said for reason, count in totals.left_out.items())
    assert "no order book of" not in said
    assert totals.sha256 in said


def test_a_real_session_is_imported_as_its_own_reader_reads_it(
    captures: Path, write_log: Write, tmp_path: Path
) -> None:
    """The frames of 2021 as a team would have logged them: the reference and the venue's reader of `.session` agree."""
    session = captures / "gateio-spot-2021.session"
    lines = [
        {"connection": SPOT, "t_ms": float(time) * 1e3, "text": body}
        for time, body in re.findall(r"^(\d+\.?\d*): (\{.*\})$", session.read_text(), re.MULTILINE)
    ]
    for url, time, body in re.findall(r"^(\S+) -> (\S+): (\{.*\})$", session.with_suffix(".rest").read_text(), re.M):
        lines.append({"connection": SPOT, "t_ms": float(time) * 1e3, "rest": url, "text": body})
    totals = import_capture(write_log(lines), tmp_path / "x.capture")
    ours, theirs = load_capture(tmp_path / "x.capture"), load_capture(session)
    assert [frame_key(frame) for frame in ours.frames] == [frame_key(frame) for frame in theirs.frames]
    assert all(abs(a.at_s - b.at_s) < 1e-6 for a, b in zip(ours.frames, theirs.frames, strict=True))
    assert ours.market.books == {symbol: theirs.market.books[symbol] for symbol in ours.market.books}
    assert totals.channels == {"book": 172, "ticker": 22, "trade": 9}
    assert totals.left_out["channel spot.candlesticks"] == 14
    assert totals.left_out["acks, pongs and errors"] == 22
    assert totals.lines == 239 + 10 == totals.frames + len(totals.books) + totals.left_out.total()


def frame_key(frame: RecordedFrame) -> tuple[Any, ...]:
    return frame.wire_channel, frame.channel, frame.symbol, frame.first, frame.last, frame.payload, frame.events


def test_real_binary_frames_are_imported_byte_for_byte(captures: Path, write_log: Write, tmp_path: Path) -> None:
    recorded = [json.loads(line) for line in (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines()]
    payloads = [bytes.fromhex(one["hex"]) for one in recorded]
    lines = [
        {"connection": MEXC, "t_ns": place, "base64": base64.b64encode(payload).decode()}
        for place, payload in enumerate(payloads)
    ]
    totals = import_capture(write_log(lines), tmp_path / "x.capture")
    kept = [payload for payload, one in zip(payloads, recorded, strict=True) if one["body"] != "publicLimitDepths"]
    assert [frame.payload for frame in load_capture(tmp_path / "x.capture").frames] == kept
    assert totals.left_out == {"channel spot@public.limit.depth.v3.api.pb": len(payloads) - len(kept)}


def test_a_missing_book_and_a_long_log_are_told(write_log: Write, logged: Logged, tmp_path: Path) -> None:
    lines = logged(SPOT)
    lines[-1]["t_ms"] = lines[0]["t_ms"] + 3_600_001
    said = summary(import_capture(write_log(lines), tmp_path / "x.capture"), Path("x.capture"))
    assert "order books: none" in said
    assert "no order book of BTC_USDT" in said
    assert "longer than an hour" in said


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"connection": SPOT, "t_ms": 9000, "text": "{"}, "line 13: no JSON"),
        ({"connection": SPOT, "t_ms": 1, "text": "{}"}, "line 13: received before"),
        (b"{", "line 13: "),
    ],
)
def test_a_bad_line_leaves_nothing(
    bad: Any, says: str, write_log: Write, logged: Logged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log([*logged(SPOT), bad])
    assert cli.main(["import", str(log), str(tmp_path / "x.capture")]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [log]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "it is empty"),
        ([b""], "1 blank"),
        ([{"connection": SPOT, "t_ms": 1, "direction": "out", "text": "{}"}], "1 sent by the client"),
    ],
)
def test_a_log_without_data_is_refused_and_says_why(
    lines: list[Any], says: str, write_log: Write, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="holds no data frame") as caught:
        import_capture(write_log(lines), tmp_path / "x.capture")
    assert says in str(caught.value)
    assert not (tmp_path / "x.capture").exists()


def test_another_connection_than_a_public_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--connection gateio\.spot\.private: .*mexc\.spot\.public"):
        import_capture(tmp_path / "log.jsonl", tmp_path / "x.capture", "gateio.spot.private")


def test_no_secret_of_the_log_is_kept_or_printed(
    write_log: Write, logged: Logged, tmp_path: Path, unfolded: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = logged(SPOT)
    trade = json.loads(lines[1]["text"])
    lines[1]["text"] = json.dumps(trade | {"token": SECRET})
    auth = {"method": "api_key", "KEY": SECRET, "SIGN": SECRET}
    login = json.dumps({"channel": "spot.orders", "event": "subscribe", "auth": auth})
    lines.insert(1, {"connection": SPOT, "t_ms": 1000, "direction": "out", "text": login})
    lines.append(rest(SPOT, f"currency_pair=BTC_USDT&signature={SECRET}&listenKey={SECRET}", BOOK))
    lines.append({"connection": SPOT, "t_ms": 2000, "text": json.dumps({"channel": "spot.login", "api_key": SECRET})})
    log, dest = write_log(lines), tmp_path / "x.capture"
    assert cli.main(["import", str(log), str(dest)]) == 0
    said = capsys.readouterr()
    for text in (dest.read_bytes(), said.err.encode(), said.out.encode()):
        assert SECRET.encode() not in unfolded(text)
    assert "secrets were hidden in 1 frame;" in said.err
    assert b"***" in load_capture(dest).frames[1].payload
