"""Gate.io frames: the recorded ones, and those at the edges of the format."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchanges.integrations.gateio.frames import (
    BookFrame,
    BookTickerFrame,
    Envelope,
    TickerFrame,
    TradeFrame,
    decode_envelope,
    decode_snapshot,
    decode_spot,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
)
from exchanges.integrations.gateio.spot_routes import read_ticker, read_trades
from exchanges.structs.errors import InexactFrame


def recorded(captures: Path) -> list[tuple[str, Any]]:
    """Text and untyped form of every frame received in the recorded session."""
    frames = []
    for line in (captures / "gateio-spot-2021.session").read_text().splitlines():
        head, _, text = line.partition(": ")
        if head.replace(".", "").isdigit():
            frames.append((text, json.loads(text)))
    return frames


@pytest.mark.checklist("3.2.15")
def test_every_recorded_push_decodes_to_its_values(captures: Path) -> None:
    seen: Counter[str] = Counter()
    for text, plain in recorded(captures):
        channel, result = plain["channel"], plain["result"]
        if plain["event"] != "update" or channel == "spot.candlesticks":
            with pytest.raises(msgspec.ValidationError):
                decode_spot(text)
            continue
        seen[channel] += 1
        frame = decode_spot(text)
        if isinstance(frame, BookFrame):
            book = frame.result
            assert (book.symbol, book.first, book.last, book.timestamp) == tuple(
                result[k] for k in ("s", "U", "u", "t")
            )
            assert book.bids == [(float(p), float(q)) for p, q in result["b"]]
            assert book.asks == [(float(p), float(q)) for p, q in result["a"]]
            assert not book.is_snapshot
        elif isinstance(frame, TradeFrame):
            (trade,) = read_trades(frame)
            assert (trade.trade_id, trade.symbol, trade.side) == (
                str(result["id"]),
                result["currency_pair"],
                result["side"],
            )
            assert trade.timestamp == int(Decimal(result["create_time_ms"]))
            assert (trade.price, trade.quantity) == (float(result["price"]), float(result["amount"]))
        else:
            assert isinstance(frame, TickerFrame)
            ticker = read_ticker(frame)
            assert ticker.timestamp == plain["time"] * 1000
            assert (ticker.bid, ticker.ask) == (float(result["highest_bid"]), float(result["lowest_ask"]))
            assert (ticker.base_volume, ticker.quote_volume) == (
                float(result["base_volume"]),
                float(result["quote_volume"]),
            )
            assert (ticker.last, ticker.high, ticker.low) == (
                float(result["last"]),
                float(result["high_24h"]),
                float(result["low_24h"]),
            )
    assert seen == {"spot.order_book_update": 172, "spot.trades": 9, "spot.tickers": 22}


def test_recorded_acks_are_envelopes(captures: Path) -> None:
    acks = [plain for _, plain in recorded(captures) if plain["event"] == "subscribe"]
    assert len(acks) == 22
    for ack in acks:
        envelope = decode_envelope(json.dumps(ack))
        assert (envelope.channel, envelope.event, envelope.error) == (ack["channel"], "subscribe", None)


def test_recorded_single_frames(captures: Path) -> None:
    kinds: Counter[str] = Counter()
    for line in (captures / "gateio-singles-2021.jsonl").read_text().splitlines():
        text = json.loads(line)["raw"]
        channel = json.loads(text).get("channel", "")
        if channel in ("spot.trades", "spot.book_ticker", "spot.tickers", "spot.order_book_update"):
            frame = decode_spot(text)
            kinds[type(frame).__name__] += 1
            if isinstance(frame, BookTickerFrame):
                best = frame.result
                assert (best.symbol, best.bid_price, best.ask_quantity) == ("BTC_USDT", 31738.93, 0.335)
                assert (best.timestamp, best.update_id) == (1654029559473, 6765708346)
    assert set(kinds) == {"BookFrame", "TradeFrame", "BookTickerFrame", "TickerFrame"}


def test_recorded_rest_books(captures: Path) -> None:
    count = 0
    for line in (captures / "gateio-spot-2021.rest").read_text().splitlines():
        start = line.find("{")
        if start < 0:
            continue
        plain = json.loads(line[start:])
        book = decode_snapshot(line[start:])
        assert book.id == plain["id"]
        assert book.bids == [(float(p), float(q)) for p, q in plain["bids"]]
        count += 1
    assert count == 10


def test_key_order_does_not_matter() -> None:
    book = {"b": [["1.50", "0"]], "a": [], "u": 3, "U": 2, "s": "A_B", "t": 9, "full": True}
    front = decode_spot(json.dumps({"channel": "spot.order_book_update", "event": "update", "result": book}))
    back = decode_spot(json.dumps({"result": book, "event": "update", "channel": "spot.order_book_update"}))
    assert front == back
    assert isinstance(front, BookFrame)
    assert front.result.bids == [(1.5, 0.0)]
    assert front.result.is_snapshot


def trade_at(text: str) -> dict[str, Any]:
    return {"id": 1, "create_time_ms": text, "side": "buy", "currency_pair": "A_B", "amount": "1", "price": "2"}


@given(st.integers(0, 9_999_999_999_999), st.text("0123456789", max_size=9))
@example(1790359171119, "999999")
@example(1790359171119, "")
def test_trade_times_are_cut_and_where_that_is_not_sure_nothing_is_read(whole: int, fraction: str) -> None:
    text = f"{whole}.{fraction}" if fraction else str(whole)
    frame = decode_spot(json.dumps({"channel": "spot.trades", "result": trade_at(text)}))
    assert isinstance(frame, TradeFrame)
    try:
        (trade,) = read_trades(frame)
    except InexactFrame:
        assert float(text).is_integer()
        (trade,) = loose_trades(envelope(trade_at(text)))
    assert trade.timestamp == whole


def test_ticker_time_is_the_envelopes_in_milliseconds_where_given() -> None:
    keys = ("last", "lowest_ask", "highest_bid", "base_volume", "quote_volume", "high_24h", "low_24h")
    result = {"currency_pair": "A_B"} | dict.fromkeys(keys, "2")
    frame = decode_spot(json.dumps({"time": 5, "time_ms": 5123, "channel": "spot.tickers", "result": result}))
    assert isinstance(frame, TickerFrame)
    assert read_ticker(frame).timestamp == 5123


@given(st.decimals(min_value=0, max_value=10**9, places=8), st.decimals(min_value=0, max_value=10**9, places=8))
def test_numbers_are_the_nearest_float(price: Decimal, size: Decimal) -> None:
    result = {"b": [[str(price), str(size)]], "a": [], "u": 3, "U": 2, "s": "A_B", "t": 9}
    frame = decode_spot(json.dumps({"channel": "spot.order_book_update", "result": result}))
    assert isinstance(frame, BookFrame)
    assert frame.result.bids == [(float(price), float(size))]


def envelope(result: Any) -> Envelope:
    return decode_envelope(json.dumps({"time": 5, "channel": "x", "event": "update", "result": result}))


def test_loose_forms() -> None:
    (best,) = loose_book_tickers(envelope({"t": 1, "u": 2, "s": "A_B", "b": "", "B": "", "a": "3", "A": "4"}))
    assert (best.bid_price, best.bid_quantity, best.ask_price, best.ask_quantity) == (0.0, 0.0, 3.0, 4.0)
    keys = ("last", "lowest_ask", "base_volume", "quote_volume", "high_24h", "low_24h")
    ticker = {"currency_pair": "A_B", "highest_bid": ""} | dict.fromkeys(keys, "2")
    (one,) = loose_tickers(envelope(ticker))
    assert (one.bid, one.ask, one.timestamp) == (None, 2.0, 5000)
    assert loose_tickers(envelope([ticker, ticker])) == [one, one]
    trade = {"id": 1, "create_time_ms": "7.9", "side": "buy", "currency_pair": "A_B", "amount": "1", "price": "2"}
    trades = loose_trades(envelope([trade, trade]))
    assert [t.timestamp for t in trades] == [7, 7]
    assert loose_trades(envelope(trade)) == trades[:1]
