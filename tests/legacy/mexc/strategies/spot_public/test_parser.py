"""MEXC's parser on recorded frames and on the frames that are not data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import BookTicker, MessageType, OrderBookEntry, ParsedMessage, Symbol, Ticker, Trade
from legacy.mexc.strategies.spot_public.parser import MexcSpotPublicParser

BTC = Symbol("BTC", "USDT")


async def parse(raw: str | bytes) -> ParsedMessage:
    message = await MexcSpotPublicParser().parse_message(raw)
    assert message is not None
    return message


@pytest.fixture
def recorded(captures: Path) -> dict[str, Any]:
    lines = (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines()
    return {record["id"][:3]: record for record in map(json.loads, lines)}


async def test_a_recorded_book_ticker(recorded: dict[str, Any]) -> None:
    message = await parse(bytes.fromhex(recorded["M02"]["hex"]))
    assert message.message_type is MessageType.BOOK_TICKER
    assert message.channel == "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT"
    assert message.data == BookTicker(BTC, 84270.0, 0.006387, 84270.01, 5.42169969, 1790281243450, 82164153436)


async def test_a_recorded_deals_push(recorded: dict[str, Any]) -> None:
    message = await parse(bytes.fromhex(recorded["M03"]["hex"]))
    first, second = "731901896985399296X0_731901896985399297X0", "731901896985399298X0_731901896985399299X0"
    assert message.message_type is MessageType.TRADES
    assert message.data == [
        Trade(BTC, 84270.0, 0.00099829, "sell", 1790281246176, first),
        Trade(BTC, 84270.0, 0.00019169, "buy", 1790281246177, second),
    ]


async def test_a_recorded_mini_ticker(recorded: dict[str, Any]) -> None:
    message = await parse(bytes.fromhex(recorded["M08"]["hex"]))
    assert message.data == [
        Ticker(BTC, 115887.51, None, None, 7390.61738038, 856772057.5, 116655.39, 114872.83, 1757770896059)
    ]


async def test_a_recorded_push_nobody_asked_for(recorded: dict[str, Any]) -> None:
    assert (await parse(bytes.fromhex(recorded["M04"]["hex"]))).message_type is MessageType.OTHER


def wrapper(**body: Any) -> bytes:
    data: bytes = PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT", sendTime=5, **body).SerializeToString()
    return data


async def test_a_book_update_with_a_removed_level_and_an_empty_side() -> None:
    depths = {"bids": [{"price": "10", "quantity": "0"}], "fromVersion": "6", "toVersion": "8"}
    book = (await parse(wrapper(publicAggreDepths=depths))).data
    assert (book.bids, book.asks) == ([OrderBookEntry(10.0, 0.0)], [])
    assert (book.timestamp, book.last_update_id, book.first_update_id, book.is_snapshot) == (5, 8, None, None)


async def test_fields_of_2026_may_be_absent() -> None:
    deal = {"price": "1", "quantity": "2", "tradeType": 1, "time": 4}
    assert (await parse(wrapper(publicAggreDeals={"deals": [deal]}))).data[0].trade_id is None
    ticker = {"bidPrice": "1", "bidQuantity": "1", "askPrice": "2", "askQuantity": "1"}
    assert (await parse(wrapper(publicAggreBookTicker=ticker))).data.update_id is None


@pytest.mark.parametrize(
    ("raw", "message_type", "data"),
    [
        (
            '{"id":0,"code":0,"msg":"spot@a@BTCUSDT,spot@b@BTCUSDT"}',
            "SUBSCRIPTION_CONFIRM",
            ["spot@a@BTCUSDT", "spot@b@BTCUSDT"],
        ),
        (
            '{"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@a].  Reason： Blocked! "}',
            "SUBSCRIPTION_ERROR",
            "Not Subscribed successfully! [spot@a].  Reason： Blocked! ",
        ),
        ('{"id":0,"code":0,"msg":"PONG"}', "HEARTBEAT", "PONG"),
        ("Invalid listen key", "ERROR", "unreadable frame: 'Invalid listen key'"),
        ("1", "ERROR", "unreadable frame: '1'"),
        (b"\xff\xff", "ERROR", "unreadable frame: b'\\xff\\xff'"),
        (wrapper(), "OTHER", None),
    ],
)
async def test_what_is_not_data(raw: str | bytes, message_type: str, data: object) -> None:
    message = await parse(raw)
    assert message.message_type is MessageType[message_type]
    assert message.data == data
