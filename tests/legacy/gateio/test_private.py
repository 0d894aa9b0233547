"""Gate.io's private connections on the old stack: a login nobody waits for, signed frames, recorded account frames."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from exchanges.structs import (
    Balance,
    ConnectionState,
    ExchangeConfig,
    ExchangeCredentials,
    Fill,
    MessageType,
    Order,
    Position,
    PrivateWebsocketChannelType,
    ReconnectionPolicy,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from legacy.gateio.strategies.futures_private.connection import GateioFuturesPrivateConnection
from legacy.gateio.strategies.futures_private.parser import GateioFuturesPrivateParser
from legacy.gateio.strategies.futures_private.subscription import GateioFuturesPrivateSubscription
from legacy.gateio.strategies.spot_private.connection import GateioSpotPrivateConnection
from legacy.gateio.strategies.spot_private.parser import GateioSpotPrivateParser
from legacy.gateio.strategies.spot_private.subscription import GateioSpotPrivateSubscription
from legacy.websocket.utils import create_websocket_manager

CREDENTIALS = ExchangeCredentials("the-key", "the-very-secret")
BTC = Symbol("BTC", "USDT", True)
Type = PrivateWebsocketChannelType


def sign(text: str) -> str:
    return hmac.new(b"the-very-secret", text.encode(), hashlib.sha512).hexdigest()


def frames(captures: Path, name: str) -> list[str]:
    """Recorded frames by channel, acks left out."""
    lines = [json.loads(line) for line in (captures / name).read_text().splitlines()]
    texts = [line["raw"] if "raw" in line else json.dumps(line) for line in lines]
    return [text for text in texts if json.loads(text).get("event") == "update"]


async def test_recorded_spot_frames(captures: Path) -> None:
    parser = GateioSpotPrivateParser()
    messages = await parser.parse_batch_messages(frames(captures, "gateio-spot-private-2024.jsonl"))
    order, fill = (message.data for message in messages)
    symbol = Symbol("PEPE", "USDT")
    assert order == [
        Order(symbol, "575707647866", "t-apiv4-1-18", "open", "buy", "market", 0.0, 3.5, 0.0, 0.0, 1714729020184)
    ]
    assert fill == [
        Fill(
            symbol, "8900430811", "575707647866", "buy", 0.000007782, 449755.846826, 449.755846826, "PEPE", "taker",
            1714729020184,
        )
    ]  # fmt: skip
    assert [message.message_type for message in messages] == [MessageType.ORDER, MessageType.TRADE]


async def test_recorded_futures_frames(captures: Path) -> None:
    parser = GateioFuturesPrivateParser()
    messages = await parser.parse_batch_messages(frames(captures, "gateio-futures-private-2022.jsonl"))
    (order,), (fill,), (balance,), (position,) = (message.data for message in messages)
    assert order == Order(
        Symbol("DOGE", "USDT", True), "143814067568", None, "open", "buy", "limit", 0.1, 10.0, 0.0, 0.0, 1648831308897
    )
    assert fill == Fill(BTC, "88227719", "150937751242", "buy", 41536.5, 1.0, None, None, "maker", 1650565147244)
    assert balance == Balance("USDT", 989.374310681771, None, 1650555418114)
    assert position == Position(BTC, -22.0, 42022.975, "single", 0.0, 449.975587609984, 0.024235109984, 1650565147244)


SPOT_ORDER = {
    "id": "1", "text": "apiv4", "currency_pair": "A_B", "type": "limit", "side": "sell", "amount": "3", "price": "2",
    "time_in_force": "gtc", "left": "3", "avg_deal_price": "0", "update_time_ms": "7.9", "event": "put",
    "finish_as": "open",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "kind", "filled"),
    [
        ({}, "open", "limit", 0.0),
        ({"event": "update", "left": "2.9", "time_in_force": "poc"}, "partial", "post_only", 0.1),
        ({"event": "update"}, "open", "limit", 0.0),
        ({"event": "finish", "left": "0", "finish_as": "filled", "type": "market"}, "filled", "market", 3.0),
        ({"event": "finish", "finish_as": "cancelled", "time_in_force": "ioc"}, "cancelled", "ioc", 0.0),
        ({"event": "finish", "finish_as": "poc", "time_in_force": "poc"}, "rejected", "post_only", 0.0),
    ],
)
async def test_states_of_a_spot_order(changes: dict[str, str], status: str, kind: str, filled: float) -> None:
    frame = {"channel": "spot.orders", "event": "update", "result": [SPOT_ORDER | changes]}
    message = await GateioSpotPrivateParser().parse_message(json.dumps(frame))
    assert message is not None
    (order,) = message.data
    assert (order.status, order.kind, order.filled, order.client_id, order.timestamp) == (status, kind, filled, None, 7)


async def test_a_futures_order_id_keeps_its_digits() -> None:
    raw = (
        '{"channel":"futures.orders","event":"update","result":[{"id":58828270140012049,"contract":"BTC_USDT","size":-5,'
        '"left":-2,"price":1.5,"fill_price":1.5,"tif":"gtc","status":"open","finish_as":"_update","text":"t-9",'
        '"update_time":9}]}'
    )
    message = await GateioFuturesPrivateParser().parse_message(raw)
    assert message is not None
    (order,) = message.data
    assert (order.id, order.side, order.quantity, order.filled, order.status, order.client_id) == (
        "58828270140012049", "sell", 5.0, 3.0, "partial", "t-9",
    )  # fmt: skip


@pytest.mark.parametrize("parser", [GateioSpotPrivateParser(), GateioFuturesPrivateParser()])
@pytest.mark.parametrize(
    ("raw", "message_type", "data"),
    [
        ('{"request_id":"1","ack":false,"data":{"result":{"uid":"7"}}}', "OTHER", None),
        ('{"request_id":"1","data":{"errs":{"label":"INVALID_KEY","message":"x"}}}', "ERROR", "INVALID_KEY"),
        ('{"channel":"spot.orders","event":"subscribe","payload":["!all"]}', "SUBSCRIPTION_CONFIRM", ["!all"]),
        ('{"channel":"a","event":"subscribe","error":{"code":4,"message":"no"}}', "SUBSCRIPTION_ERROR", "no"),
        ('{"channel":"spot.pong","event":""}', "HEARTBEAT", None),
        ('{"channel":"spot.trades","event":"update","result":{}}', "OTHER", None),
        ("[1]", "ERROR", "unreadable frame: '[1]'"),
        ("nonsense", "ERROR", "unreadable frame: 'nonsense'"),
    ],
)
async def test_what_is_not_data(parser: Any, raw: str, message_type: str, data: object) -> None:
    message = await parser.parse_message(raw)
    assert (message.message_type, message.data) == (MessageType[message_type], data)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (
            GateioSpotPrivateSubscription(CREDENTIALS),
            [("spot.orders", ["!all"]), ("spot.usertrades", ["!all"]), ("spot.balances", None)],
        ),
        (
            GateioFuturesPrivateSubscription(CREDENTIALS),
            [
                ("futures.orders", ["0", "!all"]),
                ("futures.usertrades", ["0", "!all"]),
                ("futures.balances", ["0"]),
                ("futures.positions", ["0", "!all"]),
            ],
        ),
    ],
)
async def test_every_channel_is_signed_by_itself(strategy: Any, expected: list[Any]) -> None:
    messages = await strategy.create_subscription_messages(SubscriptionAction.SUBSCRIBE, [BTC])
    assert [(message["channel"], message.get("payload")) for message in messages] == expected
    for message in messages:
        text = f"channel={message['channel']}&event=subscribe&time={message['time']}"
        assert message["auth"] == {"method": "api_key", "KEY": "the-key", "SIGN": sign(text)}
    (gone,) = await strategy.create_subscription_messages(SubscriptionAction.UNSUBSCRIBE, [BTC], [Type.BALANCE])
    assert gone["event"] == "unsubscribe"
    assert gone["auth"]["SIGN"] == sign(f"channel={gone['channel']}&event=unsubscribe&time={gone['time']}")


def test_policies() -> None:
    config = WebSocketConfig("ws://127.0.0.1")
    spot, futures = (
        strategy(config, CREDENTIALS) for strategy in (GateioSpotPrivateConnection, GateioFuturesPrivateConnection)
    )
    assert spot.get_reconnection_policy() == ReconnectionPolicy(10, 3.0, 2.0, 60.0, False)
    assert futures.get_reconnection_policy() == ReconnectionPolicy(10, 3.0, 2.0, 60.0, True)
    assert spot.create_connection_context().auth_required


@pytest.mark.parametrize("name", ["GATEIO_SPOT", "GATEIO_FUTURES"])
@pytest.mark.parametrize("answer", ["refused", "none"])
async def test_l3_a_login_counts_as_accepted_whatever_the_answer(
    exchange: Any, caller: Any, caplog: pytest.LogCaptureFixture, name: str, answer: str
) -> None:
    market = "spot" if name == "GATEIO_SPOT" else "futures"

    def reply(request: dict[str, Any]) -> list[str | bytes]:
        if request["event"] == "api" and answer == "refused":
            return ['{"request_id":"1","data":{"errs":{"label":"INVALID_KEY","message":"no"}}}']
        return []

    exchange.reply = reply
    config = ExchangeConfig(
        name, CREDENTIALS, websocket_url=exchange.url, websocket=WebSocketConfig(exchange.url, heartbeat_interval=None)
    )
    with caplog.at_level(logging.DEBUG):
        manager = create_websocket_manager(config, True, caller.on_message, caller.on_state)
        await manager.initialize([BTC])
        await exchange.connected(1, 2)
        await caller.until(lambda: ConnectionState.CONNECTED in caller.states)
        login, first = exchange.requests[0][:2]
        assert (login["channel"], login["event"]) == (f"{market}.login", "api")
        payload = login["payload"]
        assert payload["signature"] == sign(f"api\n{market}.login\n\n{payload['timestamp']}")
        assert (first["channel"], first["event"]) == (f"{market}.orders", "subscribe")
        assert manager.is_connected()
        await manager.close()
    assert "the-very-secret" not in caplog.text + repr(manager.config) + repr(config)
