"""Gate.io's futures parser on recorded frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchanges.structs import (
    BookTicker,
    MessageType,
    OrderBookEntry,
    ParsedMessage,
    PublicWebsocketChannelType,
    SubscriptionAction,
    Symbol,
    Ticker,
    Trade,
)
from legacy.gateio.strategies.futures_public.connection import GateioFuturesPublicConnection
from legacy.gateio.strategies.futures_public.parser import GateioFuturesPublicParser
from legacy.gateio.strategies.futures_public.subscription import GateioFuturesPublicSubscription

BTC = Symbol("BTC", "USDT", True)


async def parse(raw: str | bytes) -> ParsedMessage:
    message = await GateioFuturesPublicParser().parse_message(raw)
    assert message is not None
    return message


def singles(captures: Path, channel: str) -> list[tuple[str, dict[str, Any]]]:
    """Recorded frames of a channel as text and read; never none."""
    raws = [json.loads(line)["raw"] for line in (captures / "gateio-singles-2021.jsonl").read_text().splitlines()]
    found = [(raw, json.loads(raw)) for raw in raws]
    found = [(raw, frame) for raw, frame in found if frame["channel"] == channel]
    assert found
    return found


async def test_recorded_trades_sign_is_the_side(captures: Path) -> None:
    frames = singles(captures, "futures.trades")
    assert len(frames) == 5
    for raw, frame in frames:
        message = await parse(raw)
        assert [(t.trade_id, t.price, t.quantity, t.side) for t in message.data] == [
            (str(i["id"]), float(i["price"]), abs(i["size"]), "buy" if i["size"] > 0 else "sell")
            for i in frame["result"]
        ]
    (raw, _) = frames[3]
    assert (await parse(raw)).data == [Trade(BTC, 56233.3, 50.0, "buy", 1616327563918, "15366793")]


async def test_a_recorded_book_update_keeps_its_removed_level(captures: Path) -> None:
    raw, frame = singles(captures, "futures.order_book_update")[0]
    message = await parse(raw)
    assert message.message_type is MessageType.ORDERBOOK
    assert message.symbol == Symbol("BTC", "USD", True)
    assert message.data.asks == [OrderBookEntry(42372.9, 0.0), OrderBookEntry(42367.1, 738.0)]
    assert (message.data.bids, message.data.last_update_id) == ([], frame["result"]["u"])


async def test_a_recorded_book_ticker(captures: Path) -> None:
    raw, _ = singles(captures, "futures.book_ticker")[1]
    assert (await parse(raw)).data == BookTicker(BTC, 31709.2, 119926.0, 31709.3, 56231.0, 1654030293769, 13980118150)


async def test_a_recorded_ticker_has_no_sides(captures: Path) -> None:
    raw, _ = singles(captures, "futures.tickers")[3]
    assert (await parse(raw)).data == [
        Ticker(BTC, 29885.9, None, None, 33759.0, 1008933444.0, 31880.0, 29280.0, 1654162715000)
    ]


@pytest.mark.parametrize(
    ("raw", "message_type"),
    [
        ('{"channel":"futures.trades","event":"subscribe","payload":["A_B"]}', "SUBSCRIPTION_CONFIRM"),
        ('{"channel":"futures.pong","event":"","result":null}', "HEARTBEAT"),
        ('{"channel":"futures.candlesticks","event":"update","result":[]}', "OTHER"),
        ('{"channel":"futures.trades","event":"subscribe","error":{"code":2,"message":"x"}}', "SUBSCRIPTION_ERROR"),
    ],
)
async def test_what_is_not_data(raw: str, message_type: str) -> None:
    assert (await parse(raw)).message_type is MessageType[message_type]


async def test_books_are_asked_contract_by_contract_with_100_levels() -> None:
    eth = Symbol("ETH", "USDT", True)
    messages = await GateioFuturesPublicSubscription().create_subscription_messages(
        SubscriptionAction.SUBSCRIBE,
        [BTC, eth],
        [PublicWebsocketChannelType.ORDERBOOK, PublicWebsocketChannelType.TRADES],
    )
    assert [(message["channel"], message["payload"]) for message in messages] == [
        ("futures.order_book_update", ["BTC_USDT", "100ms", "100"]),
        ("futures.order_book_update", ["ETH_USDT", "100ms", "100"]),
        ("futures.trades", ["BTC_USDT", "ETH_USDT"]),
    ]


async def test_the_ping_goes_to_the_markets_channel() -> None:
    from exchanges.structs import WebSocketConfig

    sent: list[str] = []

    class Socket:
        async def send(self, text: str) -> None:
            sent.append(text)

    connection = GateioFuturesPublicConnection(WebSocketConfig("ws://x"))
    connection._websocket = Socket()  # type: ignore[assignment]  # it sends alone
    await connection.handle_heartbeat()
    assert json.loads(sent[0])["channel"] == "futures.ping"
    policy = connection.get_reconnection_policy()
    assert (policy.max_attempts, policy.initial_delay, policy.backoff_factor, policy.max_delay) == (15, 2.0, 1.5, 30.0)
