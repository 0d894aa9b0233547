"""MEXC frames: the recorded ones, and those at the edges of the format."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.mexc.frames import (
    decode_control,
    is_text,
    parse,
    read_book,
    read_book_ticker,
    read_ticker,
    read_trades,
    refused_channels,
)
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import DecodeError
from exchanges.structs.events import BookTickerEvent, BookUpdate, TickerEvent, TradeEvent


def recorded(captures: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines()]


def wrapper(**fields: Any) -> bytes:
    data: bytes = PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT", sendTime=9, **fields).SerializeToString()
    return data


@pytest.mark.checklist("3.1.7", "3.1.11")
def test_every_recorded_frame_decodes_to_the_stated_values(captures: Path) -> None:
    """Of all kinds, also those that have no event type."""
    frames = recorded(captures)
    assert len(frames) == 5
    for frame in frames:
        raw = bytes.fromhex(frame["hex"])
        assert MessageToDict(parse(raw)) == frame["decoded"]
        assert raw[2 : 2 + raw[1]].decode() == frame["channel"]
        assert not is_text(raw)


def test_recorded_events(captures: Path) -> None:
    by_body: dict[str, list[dict[str, Any]]] = {}
    for frame in recorded(captures):
        by_body.setdefault(frame["body"], []).append(frame)
    for frame in by_body["publicAggreBookTicker"]:
        body = frame["decoded"]["publicAggreBookTicker"]
        version = body.get("version")
        assert read_book_ticker((bytes.fromhex(frame["hex"]), "S")) == BookTickerEvent(
            "S",
            float(body["bidPrice"]),
            float(body["bidQuantity"]),
            float(body["askPrice"]),
            float(body["askQuantity"]),
            int(frame["decoded"]["sendTime"]),
            int(version) if version else None,
        )
    for frame in by_body["publicAggreDeals"]:
        deals = frame["decoded"]["publicAggreDeals"]["deals"]
        assert read_trades((bytes.fromhex(frame["hex"]), "S")) == [
            TradeEvent(
                "S",
                float(deal["price"]),
                float(deal["quantity"]),
                {1: "buy", 2: "sell"}[deal["tradeType"]],
                int(deal["time"]),
                deal.get("tradeId"),
            )
            for deal in deals
        ]
    for frame in by_body["publicMiniTicker"]:
        body = frame["decoded"]["publicMiniTicker"]
        assert read_ticker((bytes.fromhex(frame["hex"]), "S")) == TickerEvent(
            "S",
            float(body["price"]),
            None,
            None,
            float(body["quantity"]),
            float(body["volume"]),
            float(body["high"]),
            float(body["low"]),
            int(frame["decoded"]["sendTime"]),
        )


def test_a_book_update() -> None:
    depths = {
        "bids": [{"price": "84270.00", "quantity": "0.00000000"}, {"price": "84269", "quantity": "1.5"}],
        "asks": [{"price": "84271", "quantity": "2"}],
        "fromVersion": "74891313263",
        "toVersion": "74891313265",
    }
    assert read_book((wrapper(publicAggreDepths=depths), "S")) == BookUpdate(
        9, "S", 74891313263, 74891313265, [(84270.0, 0.0), (84269.0, 1.5)], [(84271.0, 2.0)]
    )
    del depths["fromVersion"]
    update = read_book((wrapper(publicAggreDepths=depths), "S"))
    assert update is not None
    assert update.first is None


def test_without_a_body_nothing_changes() -> None:
    bare = wrapper()
    assert read_book((bare, "S")) is None
    assert read_trades((bare, "S")) == []
    assert read_book_ticker((bare, "S")) is None
    assert read_ticker((bare, "S")) is None


def test_empty_sides_and_frames_without_the_newer_fields() -> None:
    one_sided = read_book_ticker((wrapper(publicAggreBookTicker={"askPrice": "2", "askQuantity": "1"}), "S"))
    assert one_sided == BookTickerEvent("S", 0.0, 0.0, 2.0, 1.0, 9, None)
    empty = read_book_ticker((wrapper(publicAggreBookTicker={}), "S"))
    assert empty == BookTickerEvent("S", 0.0, 0.0, 0.0, 0.0, 9, None)
    deal = {"price": "1", "quantity": "2", "tradeType": 1, "time": 5}
    assert read_trades((wrapper(publicAggreDeals={"deals": [deal]}), "S")) == [
        TradeEvent("S", 1.0, 2.0, "buy", 5, None)
    ]


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (read_book, {"publicAggreDepths": {"toVersion": "x"}}),
        (read_book, {"publicAggreDepths": {"toVersion": "1", "bids": [{"price": "x", "quantity": "1"}]}}),
        (read_trades, {"publicAggreDeals": {"deals": [{"price": "1", "quantity": "1", "tradeType": 7}]}}),
        (read_book_ticker, {"publicAggreBookTicker": {"bidPrice": "x"}}),
        (read_ticker, {"publicMiniTicker": {"price": "x"}}),
    ],
)
def test_what_cannot_be_read_is_a_decode_error(read: Any, body: dict[str, Any]) -> None:
    with pytest.raises(DecodeError, match="unreadable"):
        read((wrapper(**body), "S"))


@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_a_decode_error(raw: bytes) -> None:
    with suppress(DecodeError):
        assert isinstance(parse(raw), PushDataV3ApiWrapper)


def test_unknown_fields_are_skipped() -> None:
    raw = wrapper(publicAggreBookTicker={"askPrice": "2"})
    best = read_book_ticker((raw + b"\xf8\x3f\x01", "S"))
    assert best is not None
    assert best.ask_price == 2.0


def test_control_text() -> None:
    assert decode_control(b'{"id":3,"code":0,"msg":"a,b"}').msg == "a,b"
    assert is_text(b'{"id":3}')
    refusal = "Not Subscribed successfully! [spot@a,spot@b].  Reason： Blocked! "
    assert refused_channels(refusal) == ["spot@a", "spot@b"]
    assert refused_channels("Not Subscribed successfully! why") == []
    assert refused_channels("spot@a") is None


@pytest.mark.parametrize("read", [read_book, read_trades, read_book_ticker, read_ticker])
def test_what_is_no_push_at_all_is_unreadable_to_each_reader(read: Any) -> None:
    with pytest.raises(DecodeError, match="unreadable frame of 2 bytes: "):
        read((b"\xff\xff", "S"))
