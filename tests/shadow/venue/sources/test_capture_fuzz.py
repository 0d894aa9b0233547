"""Damaged capture files: read, or refused in one line that names the file; nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.errors import UsageError
from shadow.venue.sources.capture import load_capture
from shadow.venue.sources.recording import Capture

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
SESSION = b"""wss://api.gateio.ws/ws/v4/ <-> 1620000000.5
wss://api.gateio.ws/ws/v4/ <- 1620000000.6: {"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}
1620000001.5: {"channel":"spot.trades","event":"update","result":{"id":1,"currency_pair":"BTC_USDT","price":"1"}}
1620000002.5: {"channel":"spot.order_book_update","event":"update","result":{"s":"BTC_USDT","U":5,"u":7,"b":[],"a":[]}}
1620000003.5: {"channel":"spot.tickers","event":"update","result":{"currency_pair":"BTC_USDT","last":"1"}}
"""
REST = b"""https://api.gateio.ws/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=5 -> 1620000001.1: \
{"id":4,"asks":[["2","1"]],"bids":[["1","1"]]}
"""


def load(folder: Path, session: bytes, rest: bytes) -> Capture | UsageError:
    (folder / "x.session").write_bytes(session)
    (folder / "x.rest").write_bytes(rest)
    try:
        return load_capture(folder / "x.session")
    except UsageError as error:
        refusal = error
    assert "\n" not in str(refusal)
    assert str(folder) in str(refusal)
    return refusal


def check(folder: Path, session: bytes, rest: bytes) -> None:
    capture = load(folder, session, rest)
    if isinstance(capture, Capture):
        for frame in capture.frames:
            assert all(number is None or type(number) is int for number in (frame.first, frame.last))
        for version, bids, asks in capture.market.books.values():
            assert type(version) is int
            assert all(isinstance(text, str) for level in (*bids, *asks) for text in level)
        assert set(capture.market.figures("BTC_USDT"))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_file_is_read_or_refused_in_one_line(tmp_path: Path, hostile: Hostile, data: st.DataObject) -> None:
    check(tmp_path, data.draw(hostile([SESSION])), REST)
    check(tmp_path, SESSION, data.draw(hostile([REST])))


def test_the_undamaged_one_is_whole(tmp_path: Path) -> None:
    capture = load(tmp_path, SESSION, REST)
    assert isinstance(capture, Capture)
    assert len(capture.frames) == 3
    assert capture.market.book("BTC_USDT")[0] == 4


@pytest.mark.parametrize(
    ("session", "rest"),
    [
        (SESSION.replace(b'"U":5', b'"U":"5"'), REST),
        (SESSION.replace(b'"U":5', b'"U":1e9'), REST),
        (SESSION.replace(b'"result":{"id":1', b'"result":{"x":' + b"[" * 5000 + b',"id":1'), REST),
        (SESSION.replace(b'"result":{"currency_pair"', b'"result":[{"currency_pair"'), REST),
        (SESSION, REST.replace(b"https://api.gateio.ws", b"https://[")),
        (SESSION, REST.replace(b'"id":4', b'"id":' + b"[" * 5000)),
        (SESSION.replace(b"1620000001.5:", b"9" * 400 + b":"), REST),
    ],
)
def test_files_that_once_broke_the_reader(tmp_path: Path, session: bytes, rest: bytes) -> None:
    assert isinstance(load(tmp_path, session, rest), UsageError)
