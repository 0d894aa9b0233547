"""The hand decoder agrees with the generated one on every message it can write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.reference import mexc
from shadow.reference.events import Book, BookTicker, DecodeError, Ticker, Trade
from shadow.reference.protobuf import fields, signed, varint

number = st.decimals(min_value=0, max_value=10**9, places=8, allow_nan=False).map(str)
version = st.integers(1, 10**12).map(str)
int64 = st.integers(-(2**63), 2**63 - 1)


@given(st.integers(0, 2**64 - 1))
def test_varints_of_every_size(value: int) -> None:
    out, rest = bytearray(), value
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    assert varint(bytes(out), 0) == (value, len(out))


@given(int64)
def test_negative_numbers_keep_their_sign(value: int) -> None:
    frame = PushDataV3ApiWrapper(channel="c", sendTime=value).SerializeToString()
    assert mexc.decode_push(frame).send_time == value
    assert signed(value % 2**64) == value


@given(st.lists(st.tuples(number, number), max_size=8), st.lists(st.tuples(number, number), max_size=8), version, int64)
def test_depth(bids: list[tuple[str, str]], asks: list[tuple[str, str]], last: str, time: int) -> None:
    wrapper = PushDataV3ApiWrapper(channel="x@y@100ms@BTCUSDT", symbol="BTCUSDT", sendTime=time)
    body = wrapper.publicAggreDepths
    body.SetInParent()
    body.fromVersion, body.toVersion = "1", last
    for side, rows in ((body.bids, bids), (body.asks, asks)):
        for price, quantity in rows:
            side.add(price=price, quantity=quantity)
    (event,) = mexc.decode(wrapper.SerializeToString())
    assert isinstance(event, Book)
    assert event.bids == [list(row) for row in bids]
    assert event.asks == [list(row) for row in asks]
    assert (event.first, event.last, event.ts) == (1, int(last), time)


@given(st.lists(st.tuples(number, number, st.sampled_from([1, 2]), int64, st.text(max_size=9)), max_size=6))
def test_deals(rows: list[tuple[str, str, int, int, str]]) -> None:
    wrapper = PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT", sendTime=7)
    wrapper.publicAggreDeals.SetInParent()
    for price, quantity, side, time, name in rows:
        wrapper.publicAggreDeals.deals.add(price=price, quantity=quantity, tradeType=side, time=time, tradeId=name)
    events = mexc.decode(wrapper.SerializeToString())
    assert [(e.price, e.quantity, e.side, e.ts or 0, e.id or "") for e in events if isinstance(e, Trade)] == [
        (price, quantity, {1: "buy", 2: "sell"}[side], time, name) for price, quantity, side, time, name in rows
    ]


@given(number, number, number, number, version)
def test_best_and_ticker(bid: str, bid_size: str, ask: str, ask_size: str, seq: str) -> None:
    best = PushDataV3ApiWrapper(channel="c", symbol="ETHUSDT", sendTime=9)
    body = best.publicAggreBookTicker
    body.bidPrice, body.bidQuantity, body.askPrice, body.askQuantity, body.version = bid, bid_size, ask, ask_size, seq
    (event,) = mexc.decode(best.SerializeToString())
    assert event == BookTicker("ETHUSDT", bid, bid_size, ask, ask_size, int(seq), 9, (9,))
    mini = PushDataV3ApiWrapper(channel="c", symbol="ETHUSDT", sendTime=9)
    day = mini.publicMiniTicker
    day.price, day.quantity, day.volume, day.high, day.low = bid, bid_size, ask_size, ask, bid
    (ticker,) = mexc.decode(mini.SerializeToString())
    assert ticker == Ticker("ETHUSDT", bid, None, None, bid_size, ask_size, ask, bid, 9, (9,))


def test_a_wrapper_without_body_is_no_event_and_no_error() -> None:
    frame = PushDataV3ApiWrapper(channel="c", symbol="XENUSDT", sendTime=1).SerializeToString()
    assert mexc.decode(frame) == []


def test_unknown_fields_are_skipped() -> None:
    wrapper = PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT")
    wrapper.publicAggreBookTicker.bidPrice = "1"
    plain = wrapper.SerializeToString()
    extra = bytes([0xF8, 0x07, 0x2A]) + bytes([0xF5, 0x07, 1, 2, 3, 4]) + bytes([0xF1, 0x07]) + bytes(8)
    assert mexc.decode(extra + plain) == mexc.decode(plain)


def test_the_body_may_stand_before_the_symbol() -> None:
    head = PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT", sendTime=5).SerializeToString()
    tail = PushDataV3ApiWrapper()
    tail.publicAggreBookTicker.bidPrice = "1"
    (event,) = mexc.decode(tail.SerializeToString() + head)
    assert (event.symbol, event.ts) == ("BTCUSDT", 5)


def test_the_channel_names_the_symbol_where_the_wrapper_does_not() -> None:
    wrapper = PushDataV3ApiWrapper(channel="spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT")
    wrapper.publicAggreBookTicker.bidPrice = "1"
    assert mexc.decode(wrapper.SerializeToString())[0].symbol == "BTCUSDT"


@pytest.mark.parametrize("data", [b"\x80", b"\x0a\x05ab", b"\x00\x01", b"\x0b", b"\xff" * 11, b"\x0d\x01"])
def test_damaged_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        fields(data)
