"""Futures frames: recorded ones to their values, the forms seen in the wild, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.gateio.frames import Envelope, decode_envelope
from exchanges.integrations.gateio.futures_frames import (
    BookFrame,
    BookTickerFrame,
    TickerFrame,
    TradeFrame,
    decode_futures,
    decode_snapshot,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
    read_book,
    read_tickers,
    read_trades,
)
from exchanges.structs.errors import DecodeError
from exchanges.structs.events import BookTickerEvent, TickerEvent


def singles(captures: Path, channel: str) -> list[dict[str, Any]]:
    raws = [json.loads(line)["raw"] for line in (captures / "gateio-singles-2021.jsonl").read_text().splitlines()]
    found = [frame for frame in map(json.loads, raws) if frame["channel"] == channel]
    assert found
    return found


def update(channel: str, result: Any, **more: Any) -> bytes:
    return json.dumps(
        {"time": 5, "time_ms": 5123, "channel": channel, "event": "update", "result": result} | more
    ).encode()


def envelope(channel: str, result: Any) -> Envelope:
    return decode_envelope(update(channel, result))


def test_recorded_books(captures: Path) -> None:
    for plain in singles(captures, "futures.order_book_update"):
        frame = decode_futures(json.dumps(plain))
        assert isinstance(frame, BookFrame)
        book, result = read_book(frame), plain["result"]
        assert (book.symbol, book.first, book.last, book.timestamp, book.is_snapshot) == (
            result["s"],
            result["U"],
            result["u"],
            result["t"],
            False,
        )
        assert book.bids == [(float(row["p"]), float(row["s"])) for row in result["b"]]
        assert book.asks == [(float(row["p"]), float(row["s"])) for row in result["a"]]


def test_recorded_trades(captures: Path) -> None:
    seen = []
    for plain in singles(captures, "futures.trades"):
        frame = decode_futures(json.dumps(plain))
        assert isinstance(frame, TradeFrame)
        for trade, item in zip(read_trades(frame), plain["result"], strict=True):
            assert (trade.symbol, trade.trade_id, trade.price) == (
                item["contract"],
                str(item["id"]),
                float(item["price"]),
            )
            assert trade.quantity == abs(item["size"])
            assert trade.timestamp == item.get("create_time_ms", item["create_time"] * 1000)
            seen.append(trade.side)
    assert set(seen) == {"buy", "sell"}


def test_recorded_best_and_tickers(captures: Path) -> None:
    for plain in singles(captures, "futures.book_ticker"):
        frame = decode_futures(json.dumps(plain))
        assert isinstance(frame, BookTickerFrame)
        best, result = frame.result, plain["result"]
        assert (best.bid_quantity, best.ask_quantity, best.update_id) == (result["B"], result["A"], result["u"])
    for plain in singles(captures, "futures.tickers"):
        frame = decode_futures(json.dumps(plain))
        assert isinstance(frame, TickerFrame)
        (item,) = plain["result"]
        assert read_tickers(frame) == [
            TickerEvent(
                item["contract"],
                float(item["last"]),
                None,
                None,
                float(item["volume_24h_base"]),
                float(item["volume_24h_quote"]),
                float(item["high_24h"]),
                float(item["low_24h"]),
                plain["time"] * 1000,
            )
        ]


@given(size=st.integers(1, 10**12) | st.decimals("0.01", 10**6, places=2), is_text=st.booleans(), is_sale=st.booleans())
def test_a_size_is_read_as_number_and_as_text(size: Any, is_text: bool, is_sale: bool) -> None:
    signed = f"{'-' if is_sale else ''}{size}"
    item = {"contract": "A_B", "id": 1, "create_time": 7, "create_time_ms": 7001, "price": "2"}
    text = json.dumps(signed) if is_text else signed
    raw = update("futures.trades", [item | {"size": "SIZE"}]).replace(b'"SIZE"', text.encode())
    frame = decode_futures(raw)
    assert isinstance(frame, TradeFrame)
    (trade,) = read_trades(frame)
    assert (trade.quantity, trade.side) == (float(size), "sell" if is_sale else "buy")


def test_a_trade_of_size_zero_is_refused() -> None:
    item = {"contract": "A_B", "size": 0, "id": 1, "create_time": 7, "price": "2"}
    frame = decode_futures(update("futures.trades", [item]))
    assert isinstance(frame, TradeFrame)
    with pytest.raises(DecodeError, match="size 0"):
        read_trades(frame)


def test_a_full_book_is_a_snapshot_and_absent_sides_are_empty() -> None:
    frame = decode_futures(update("futures.order_book_update", {"s": "A_B", "t": 1, "U": 2, "u": 3, "full": True}))
    assert isinstance(frame, BookFrame)
    book = read_book(frame)
    assert (book.is_snapshot, book.bids, book.asks) == (True, [], [])


def test_a_ticker_push_may_hold_only_a_part_of_the_keys() -> None:
    frame = decode_futures(
        update("futures.tickers", [{"contract": "A_B", "mark_price": "1"}, {"contract": "C_D", "last": "2"}])
    )
    assert isinstance(frame, TickerFrame)
    assert read_tickers(frame) == [TickerEvent("C_D", 2.0, None, None, None, None, None, None, 5123)]


@pytest.mark.parametrize("nest", [lambda item: item, lambda item: [[item]], lambda item: [item]])
def test_loose_tickers(nest: Any) -> None:
    item = {"contract": "A_B", "last": "2.895e-05", "volume_24h_base": "", "high_24h": "3"}
    (ticker,) = loose_tickers(envelope("futures.tickers", nest(item)))
    assert ticker == TickerEvent("A_B", 2.895e-05, None, None, None, None, 3.0, None, 5123)


def test_a_loose_ticker_without_a_price_is_none() -> None:
    assert loose_tickers(envelope("futures.tickers", {"contract": "A_B", "last": ""})) == []


def test_a_loose_trade_and_an_empty_side() -> None:
    trade = {"contract": "A_B", "size": "-3", "id": 1, "create_time": 7, "price": "2"}
    (one,) = loose_trades(envelope("futures.trades", trade))
    assert (one.quantity, one.side, one.timestamp) == (3.0, "sell", 7000)
    best = {"t": 0, "u": 0, "s": "A_B", "b": "", "B": 0, "a": "3", "A": "4"}
    assert loose_book_tickers(envelope("futures.book_ticker", best)) == [
        BookTickerEvent("A_B", 0.0, 0.0, 3.0, 4.0, 0, 0)
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        update("futures.trades", [{"contract": "A_B"}]),
        update("futures.order_book_update", {"s": "A_B", "t": 1, "u": 3, "U": 2, "b": [["1", "2"]]}),
        update("futures.candlesticks", []),
    ],
)
def test_what_is_no_data_frame(raw: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_futures(raw)


def test_the_rest_book() -> None:
    book = decode_snapshot(
        b'{"id":7,"current":1.5,"update":1.25,"bids":[{"p":"1.5","s":2}],"asks":[{"p":"3","s":"4.25"}]}'
    )
    assert (book.id, book.levels(), book.update) == (7, ([(1.5, 2.0)], [(3.0, 4.25)]), 1.25)
