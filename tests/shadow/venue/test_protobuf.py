"""The hand-written protobuf is byte for byte what the exchange sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.venue import protobuf

KINDS = ["publicAggreBookTicker", "publicAggreDeals", "publicLimitDepths", "publicMiniTicker"]
words = st.text(max_size=70)
levels = st.lists(st.tuples(words, words), max_size=6)
times = st.integers(-(2**63), 2**63 - 1)


def pairs(items: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(item["price"], item["quantity"]) for item in items]


def body_of(kind: str, body: dict[str, Any]) -> bytes:
    if kind == "publicAggreBookTicker":
        bid, ask = (body["bidPrice"], body["bidQuantity"]), (body["askPrice"], body["askQuantity"])
        return protobuf.aggre_book_ticker(bid, ask, body["version"], int(body["lastOrderCreateTime"]))
    if kind == "publicAggreDeals":
        deals = [
            protobuf.Deal(item["price"], item["quantity"], item["tradeType"], int(item["time"]), item["tradeId"])
            for item in body["deals"]
        ]
        return protobuf.aggre_deals(deals, body["eventType"])
    if kind == "publicLimitDepths":
        asks, bids = pairs(body["asks"]), pairs(body["bids"])
        last_order_ms = int(body["lastOrderCreateTime"])
        return protobuf.limit_depths(asks, bids, body["eventType"], body["version"], last_order_ms)
    return protobuf.mini_ticker(protobuf.MiniTicker(*body.values()))


def test_the_recorded_frames_are_written_again_byte_for_byte(captures: Path) -> None:
    seen = set()
    for line in (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines():
        record = json.loads(line)
        decoded, kind = record["decoded"], record["body"]
        head = protobuf.wrapper_head(decoded["channel"], decoded["symbol"])
        body = body_of(kind, decoded[kind])
        written = protobuf.wrapper(head, int(decoded["sendTime"]), protobuf.BODY_NUMBERS[kind], body)
        assert written.hex() == record["hex"], record["id"]
        seen.add(kind)
    assert seen == set(KINDS)


@given(asks=levels, bids=levels, event_type=words, first=words, last=words, time=times, send=times)
def test_a_depth_push_is_what_the_generated_code_writes(
    asks: list[tuple[str, str]],
    bids: list[tuple[str, str]],
    event_type: str,
    first: str,
    last: str,
    time: int,
    send: int,
) -> None:
    written = protobuf.wrapper(
        protobuf.wrapper_head("c", "S"), send, 313, protobuf.aggre_depths(asks, bids, event_type, first, last, time)
    )
    expected = PushDataV3ApiWrapper(channel="c", symbol="S", sendTime=send)
    depths = expected.publicAggreDepths
    depths.SetInParent()
    for side, wanted in ((depths.asks, asks), (depths.bids, bids)):
        for price, quantity in wanted:
            side.add(price=price, quantity=quantity)
    depths.eventType, depths.fromVersion, depths.toVersion = event_type, first, last
    depths.lastOrderCreateTime = time
    assert written == expected.SerializeToString(deterministic=True)


@given(price=words, quantity=words, side=st.integers(-(2**31), 2**31 - 1), time=times, trade_id=words)
def test_a_deal_is_what_the_generated_code_writes(
    price: str, quantity: str, side: int, time: int, trade_id: str
) -> None:
    body = protobuf.aggre_deals([protobuf.Deal(price, quantity, side, time, trade_id)] * 2, "e")
    expected = PushDataV3ApiWrapper(channel="c")
    for _ in range(2):
        expected.publicAggreDeals.deals.add(price=price, quantity=quantity, tradeType=side, time=time, tradeId=trade_id)
    expected.publicAggreDeals.eventType = "e"
    written = protobuf.wrapper(protobuf.wrapper_head("c", ""), None, 314, body)
    assert written == expected.SerializeToString(deterministic=True)


@settings(max_examples=40)
@given(asks=levels, bids=levels, event_type=words, version=words, time=times)
def test_a_depth_view_is_what_the_generated_code_writes(
    asks: list[tuple[str, str]], bids: list[tuple[str, str]], event_type: str, version: str, time: int
) -> None:
    expected = PushDataV3ApiWrapper(channel="c")
    depths = expected.publicLimitDepths
    depths.SetInParent()
    for side, wanted in ((depths.asks, asks), (depths.bids, bids)):
        for price, quantity in wanted:
            side.add(price=price, quantity=quantity)
    depths.eventType, depths.version, depths.lastOrderCreateTime = event_type, version, time
    body = protobuf.limit_depths(asks, bids, event_type, version, time)
    assert protobuf.wrapper(protobuf.wrapper_head("c", ""), None, 303, body) == expected.SerializeToString()


@settings(max_examples=40)
@given(bid=st.tuples(words, words), ask=st.tuples(words, words), version=words, time=times)
def test_a_best_bid_and_ask_is_what_the_generated_code_writes(
    bid: tuple[str, str], ask: tuple[str, str], version: str, time: int
) -> None:
    expected = PushDataV3ApiWrapper(channel="c")
    best = expected.publicAggreBookTicker
    best.SetInParent()
    (best.bidPrice, best.bidQuantity), (best.askPrice, best.askQuantity) = bid, ask
    best.version, best.lastOrderCreateTime = version, time
    body = protobuf.aggre_book_ticker(bid, ask, version, time)
    assert protobuf.wrapper(protobuf.wrapper_head("c", ""), None, 315, body) == expected.SerializeToString()


@settings(max_examples=40)
@given(values=st.tuples(*[words] * 12))
def test_a_mini_ticker_is_what_the_generated_code_writes(values: tuple[str, ...]) -> None:
    expected = PushDataV3ApiWrapper(channel="c")
    ticker = expected.publicMiniTicker
    ticker.SetInParent()
    names = "symbol price rate zonedRate high low volume quantity lastCloseRate lastCloseZonedRate"
    for name, value in zip([*names.split(), "lastCloseHigh", "lastCloseLow"], values, strict=True):
        setattr(ticker, name, value)
    body = protobuf.mini_ticker(protobuf.MiniTicker(*values))
    assert protobuf.wrapper(protobuf.wrapper_head("c", ""), None, 309, body) == expected.SerializeToString()


def test_a_wrapper_without_a_body_holds_its_head_alone() -> None:
    written = protobuf.wrapper(protobuf.wrapper_head("c", "S"), 5, None, create_ms=4)
    expected = PushDataV3ApiWrapper(channel="c", symbol="S", createTime=4, sendTime=5)
    assert written == expected.SerializeToString()
    assert expected.WhichOneof("body") is None


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ff" * 9 + "01")]
)
def test_varints(value: int, expected: str) -> None:
    assert protobuf.varint(value).hex() == expected
