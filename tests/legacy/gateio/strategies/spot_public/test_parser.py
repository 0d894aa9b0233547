"""Gate.io's parser on recorded frames and on the frames that are not data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exchanges.structs import BookTicker, MessageType, OrderBook, OrderBookEntry, ParsedMessage, Symbol, Ticker, Trade
from legacy.gateio.strategies.spot_public.parser import GateioSpotPublicParser


async def parse(raw: str | bytes) -> ParsedMessage:
    message = await GateioSpotPublicParser().parse_message(raw)
    assert message is not None
    return message


def session_lines(captures: Path) -> list[str]:
    lines = (captures / "gateio-spot-2021.session").read_text().splitlines()
    return [line.split(": ", 1)[1] for line in lines if line[:1].isdigit()]


def single(captures: Path, channel: str) -> str:
    for line in (captures / "gateio-singles-2021.jsonl").read_text().splitlines():
        raw: str = json.loads(line)["raw"]
        if f'"channel":"{channel}"' in raw.replace(" ", ""):
            return raw
    raise AssertionError(channel)


async def test_a_recorded_session_by_type(captures: Path) -> None:
    messages = await GateioSpotPublicParser().parse_batch_messages(session_lines(captures))
    assert Counter(message.message_type for message in messages) == {
        MessageType.ORDERBOOK: 172,
        MessageType.TICKER: 22,
        MessageType.TRADES: 9,
        MessageType.OTHER: 14,
        MessageType.SUBSCRIPTION_CONFIRM: 22,
    }


async def test_recorded_books_keep_every_level_and_version(captures: Path) -> None:
    for line in session_lines(captures):
        push = json.loads(line)
        if push["channel"] != "spot.order_book_update" or push["event"] != "update":
            continue
        result, book = push["result"], (await parse(line)).data
        assert isinstance(book, OrderBook)
        assert book.symbol == Symbol(*result["s"].split("_"))
        assert [[level.price, level.size] for level in book.bids] == [[float(p), float(q)] for p, q in result["b"]]
        assert [[level.price, level.size] for level in book.asks] == [[float(p), float(q)] for p, q in result["a"]]
        assert (book.timestamp, book.last_update_id) == (result["t"], result["u"])
        assert (book.first_update_id, book.is_snapshot) == (None, None)


async def test_a_removed_level_stays_in_the_update() -> None:
    book = (await parse(push("spot.order_book_update", s="BTC_USDT", t=1, U=2, u=3, b=[["1.5", "0"]], a=[]))).data
    assert book.bids == [OrderBookEntry(1.5, 0.0)]


def push(channel: str, **result: Any) -> str:
    return json.dumps({"time": 7, "channel": channel, "event": "update", "result": result})


async def test_a_recorded_trade(captures: Path) -> None:
    line = next(line for line in session_lines(captures) if '"id":816995772' in line)
    message = await parse(line)
    symbol = Symbol("DIS", "USDT")
    assert message.data == [Trade(symbol, 121.58, 0.201, "sell", 1619093543708, "816995772")]
    assert (message.symbol, message.channel, message.timestamp) == (symbol, "spot.trades", 1619093543708)


TRADE = {
    "id": 9,
    "create_time_ms": "1790359171119.9999999",
    "side": "buy",
    "currency_pair": "BTC_USDT",
    "amount": "1",
    "price": "2",
}


async def test_a_trade_time_is_cut_not_rounded() -> None:
    assert (await parse(push("spot.trades", **TRADE))).data[0].timestamp == 1790359171119


async def test_trades_may_come_as_a_list() -> None:
    raw = json.dumps({"channel": "spot.trades", "event": "update", "result": [TRADE, {**TRADE, "id": 10}]})
    assert [trade.trade_id for trade in (await parse(raw)).data] == ["9", "10"]


async def test_a_recorded_book_ticker(captures: Path) -> None:
    raw = single(captures, "spot.book_ticker")
    result, ticker = json.loads(raw)["result"], (await parse(raw)).data
    assert ticker == BookTicker(
        Symbol(*result["s"].split("_")),
        float(result["b"]),
        float(result["B"]),
        float(result["a"]),
        float(result["A"]),
        result["t"],
        result["u"],
    )


async def test_a_recorded_ticker_takes_the_envelope_time(captures: Path) -> None:
    line = next(line for line in session_lines(captures) if "spot.tickers" in line and "0.0018734" in line)
    assert (await parse(line)).data == [
        Ticker(
            Symbol("NEO", "BTC"),
            last=0.0018716,
            bid=0.0018697,
            ask=0.0018734,
            base_volume=1138.01640718,
            quote_volume=2.048263365803126,
            high=0.0018754,
            low=0.0017148,
            timestamp=1619093533000,
        )
    ]
    with_ms = json.loads(line) | {"time_ms": 1619093533123}
    assert (await parse(json.dumps(with_ms))).data[0].timestamp == 1619093533123


@pytest.mark.parametrize(
    ("raw", "message_type", "data"),
    [
        (
            '{"channel":"spot.trades","event":"subscribe","payload":["A_B"],"error":null}',
            "SUBSCRIPTION_CONFIRM",
            ["A_B"],
        ),
        ('{"channel":"spot.trades","event":"unsubscribe","result":{}}', "SUBSCRIPTION_CONFIRM", []),
        (
            '{"channel":"spot.trades","event":"subscribe","error":{"code":2,"message":"unknown"},"result":null}',
            "SUBSCRIPTION_ERROR",
            "unknown",
        ),
        ('{"channel":"","event":"","error":{"code":1,"message":"bad scheme"}}', "ERROR", "bad scheme"),
        ('{"channel":"spot.pong","event":"","result":null}', "HEARTBEAT", None),
        ('{"channel":"spot.candlesticks","event":"update","result":{}}', "OTHER", None),
        ("{}", "UNKNOWN", None),
        ("not json", "ERROR", "unreadable frame: 'not json'"),
        ("[1]", "ERROR", "unreadable frame: '[1]'"),
    ],
)
async def test_what_is_not_data(raw: str, message_type: str, data: object) -> None:
    message = await parse(raw)
    assert message.message_type is MessageType[message_type]
    assert message.data == data
