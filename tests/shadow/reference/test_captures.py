"""The reference reads every recorded frame, to the stated values."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shadow.reference import gateio, mexc
from shadow.reference.book import OrderBook
from shadow.reference.events import Book, BookTicker, DecodeError, Ticker, Trade


def received(captures: Path) -> list[bytes]:
    lines = (captures / "gateio-spot-2021.session").read_text().splitlines()
    return [line.partition(": ")[2].encode() for line in lines if line and not line.startswith("wss")]


def test_session_holds_172_books_9_trades_22_tickers(captures: Path) -> None:
    counts = Counter(event.type for frame in received(captures) for event in gateio.decode(frame))
    assert counts == {"book": 172, "trade": 9, "ticker": 22}


def test_session_books_have_no_hole_and_follow_their_rest_snapshot(captures: Path) -> None:
    books = [event for frame in received(captures) for event in gateio.decode(frame) if isinstance(event, Book)]
    rest = {}
    for line in (captures / "gateio-spot-2021.rest").read_text().splitlines():
        if not line:
            continue
        symbol = line.partition("currency_pair=")[2].partition("&")[0]
        rest[symbol] = gateio.rest_book(line.partition(": ")[2].encode(), symbol)
    assert len(rest) == 10
    applied = 0
    for symbol, snapshot in rest.items():
        book = OrderBook(Decimal)
        book.seed(snapshot.last, snapshot.bids, snapshot.asks)
        for update in (update for update in books if update.symbol == symbol):
            assert update.last is not None
            applied += book.apply(update.first, update.last, update.bids, update.asks)
        assert not book.crossed()
    assert applied > 100


def test_a_recorded_trade_to_its_values(captures: Path) -> None:
    events = [event for frame in received(captures) for event in gateio.decode(frame) if isinstance(event, Trade)]
    trade = next(event for event in events if event.id == "816995772")
    assert (trade.symbol, trade.side, trade.price, trade.quantity) == (
        "DIS_USDT",
        "sell",
        "121.5800000000",
        "0.2010000000",
    )
    assert trade.ts == 1619093543708


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return str(value)


def mexc_frames(captures: Path) -> dict[str, dict[str, Any]]:
    lines = (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


@pytest.mark.parametrize("name", ["M02-aggre-bookTicker-100ms", "M03-aggre-deals-100ms", "M04-limit-depth-5"])
def test_mexc_bodies_to_the_stated_values(captures: Path, name: str) -> None:
    row = mexc_frames(captures)[name]
    push = mexc.decode_push(bytes.fromhex(row["hex"]))
    stated = row["decoded"]
    assert (push.name, push.channel, str(push.send_time)) == (row["body"], row["channel"], stated["sendTime"])
    assert shape(push.body) == shape(stated[row["body"]])


def test_mexc_kinds_without_an_event_type_are_read_and_hold_no_event(captures: Path) -> None:
    payload = bytes.fromhex(mexc_frames(captures)["M04-limit-depth-5"]["hex"])
    assert len(mexc.decode_push(payload).body["asks"]) == 5
    assert mexc.decode(payload) == []


def test_mexc_events_to_the_stated_values(captures: Path) -> None:
    rows = mexc_frames(captures)
    events = {name: mexc.decode(bytes.fromhex(row["hex"])) for name, row in rows.items()}
    (best,) = events["M02-aggre-bookTicker-100ms"]
    assert isinstance(best, BookTicker)
    assert (best.bid, best.ask_quantity, best.seq, best.ts) == ("84270", "5.42169969", 82164153436, 1790281243450)
    trades = events["M03-aggre-deals-100ms"]
    assert [(trade.side, trade.ts) for trade in trades if isinstance(trade, Trade)] == [
        ("sell", 1790281246176),
        ("buy", 1790281246177),
    ]
    (ticker,) = events["M08-miniTicker"]
    assert isinstance(ticker, Ticker)
    assert (ticker.last, ticker.bid, ticker.base_volume, ticker.quote_volume) == (
        "115887.51",
        None,
        "7390.61738038",
        "856772057.5",
    )
    assert len(events["M06-aggre-bookTicker-10ms"]) == 1


def test_every_single_gateio_frame_is_read_or_is_no_event(captures: Path) -> None:
    counts: Counter[str] = Counter()
    for line in (captures / "gateio-singles-2021.jsonl").read_text().splitlines():
        counts.update(event.type for event in gateio.decode(json.loads(line)["raw"].encode()))
    assert counts["trade"] >= 1
    assert counts["book"] >= 1
    assert counts["book_ticker"] >= 1


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b"Invalid listen key", b"\xff"])
def test_text_that_is_no_object_is_an_error(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        gateio.decode(payload)


def test_a_cut_mexc_frame_is_an_error(captures: Path) -> None:
    payload = bytes.fromhex(mexc_frames(captures)["M03-aggre-deals-100ms"]["hex"])
    with pytest.raises(DecodeError):
        mexc.decode(payload[:-1])
