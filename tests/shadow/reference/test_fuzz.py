"""Damaged frames into the reference decoders: events, or a DecodeError, soon; nothing else comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.diff.frames import FrameStore
from shadow.reference import gateio, mexc
from shadow.reference.events import DecodeError
from shadow.venue import protobuf

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
GoodFrames = Callable[[str], list[bytes]]
FUZZ = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CONNECTIONS = [
    f"{market}.{scope}" for market in ("gateio.spot", "gateio.futures", "mexc.spot") for scope in ("public", "private")
]
BOOKS = [
    b'{"id":12,"current":1790000000123,"asks":[["2","3"]],"bids":[["1","3.5"]]}',
    b'{"id":12,"current":1790000000.123,"asks":[{"p":"2","s":3}],"bids":[]}',
    b'{"lastUpdateId":12,"timestamp":1790000000123,"bids":[["1","3.5"]],"asks":[["2","3"]]}',
]


def reading(read: Callable[[], Any]) -> Any:
    """What a decoder makes of a frame, a DecodeError included; it may take a second at most."""
    began = time.monotonic()
    try:
        return read()
    except DecodeError as error:
        return error
    finally:
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("connection", CONNECTIONS)
@FUZZ
@given(data=st.data())
def test_any_frame_is_read_or_a_decode_error(
    connection: str, hostile: Hostile, good_frames: GoodFrames, data: st.DataObject
) -> None:
    module: Any = mexc if connection.startswith("mexc") else gateio
    frame = data.draw(hostile(good_frames(connection)))
    for is_text in (True, False):
        assert isinstance(reading(lambda: module.decode(frame, is_text)), (list, DecodeError))  # noqa: B023


@FUZZ
@given(data=st.data())
def test_any_order_book_is_read_or_a_decode_error(hostile: Hostile, data: st.DataObject) -> None:
    body = data.draw(hostile(BOOKS))
    for module in (gateio, mexc):
        reading(lambda: module.rest_book(body, "BTC_USDT"))  # noqa: B023


FOUND = [
    b'{"channel":"spot.trades","event":"update","time":1e999999999999999999999}',
    b'{"channel":"spot.tickers","event":"update","time_ms":1e999999999,"result":{"currency_pair":"A_B"}}',
    b'{"channel":"spot.trades","event":"update","result":{"id":1,"create_time_ms":"Infinity","price":"1",'
    b'"amount":"1","side":"buy","currency_pair":"A_B"}}',
    b'{"channel":"futures.trades","event":"update","result":[{"id":1,"create_time_ms":1,"price":"1",'
    b'"size":1e999999999,"contract":"A_B"}]}',
]


@pytest.mark.parametrize("frame", FOUND)
def test_numbers_beyond_reason_are_a_decode_error(frame: bytes) -> None:
    assert isinstance(reading(lambda: gateio.decode(frame)), DecodeError)


def test_a_version_beyond_reason_is_a_decode_error() -> None:
    book = protobuf.wrapper(protobuf.wrapper_head("c", "BTCUSDT"), 1, 313, protobuf.text(5, "9" * 5000))
    assert isinstance(reading(lambda: mexc.decode(book, False)), DecodeError)


@pytest.mark.parametrize("connection", CONNECTIONS)
@FUZZ
@given(data=st.data())
def test_an_unreadable_frame_is_counted_and_kept(
    connection: str, hostile: Hostile, good_frames: GoodFrames, data: st.DataObject
) -> None:
    good = good_frames(connection)
    payloads = [*data.draw(st.lists(hostile(good), max_size=4)), good[0]]
    is_text = not connection.startswith("mexc")
    rows = [
        {"frame_no": no, "connection": connection, "kind": "ws", "channel": "", "symbol": "", "payload": payload,
         "is_text": is_text, "fault": ""}
        for no, payload in enumerate(payloads)
    ]  # fmt: skip
    store = FrameStore(rows)
    assert [store.frames[no].payload for no in range(len(payloads))] == payloads
    assert store.unreadable == sum(not frame.readable for frame in store.frames.values())
    assert store.frames[len(payloads) - 1].events
