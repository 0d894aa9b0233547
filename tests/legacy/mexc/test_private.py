"""MEXC's private connection on the old stack: the listen key, the frames, the pushes."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp import web

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import (
    AuthenticationError,
    Balance,
    ExchangeConfig,
    ExchangeCredentials,
    Fill,
    MessageType,
    Order,
    PrivateWebsocketChannelType,
    ReconnectionPolicy,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from legacy.mexc.listen_key import create_listen_key
from legacy.mexc.strategies.spot_private import connection
from legacy.mexc.strategies.spot_private.connection import MexcSpotPrivateConnection
from legacy.mexc.strategies.spot_private.parser import MexcSpotPrivateParser
from legacy.mexc.strategies.spot_private.subscription import MexcSpotPrivateSubscription
from legacy.websocket.utils import create_websocket_manager

CREDENTIALS = ExchangeCredentials("mx0-the-key", "the-very-secret")
BTC = Symbol("BTC", "USDT")
CHANNELS = ["spot@private.orders.v3.api.pb", "spot@private.deals.v3.api.pb", "spot@private.account.v3.api.pb"]


class Desk:
    """The REST calls that came, and what to answer."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.answer: dict[str, Any] = {"listenKey": "key-1"}
        self.status = 200

    async def handle(self, request: web.Request) -> web.Response:
        query = dict(parse_qsl(request.query_string))
        signed = urlencode([(name, value) for name, value in query.items() if name != "signature"])
        assert query["signature"] == hmac.new(b"the-very-secret", signed.encode(), hashlib.sha256).hexdigest()
        assert request.headers["X-MEXC-APIKEY"] == "mx0-the-key"
        assert abs(int(query["timestamp"]) - time.time() * 1000) < 5000
        self.calls.append((request.method, query))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    one = Desk()
    app = web.Application()
    app.router.add_route("*", "/api/v3/userDataStream", one.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    one.url = f"http://{host}:{port}"
    yield one
    await runner.cleanup()


async def test_connects_with_a_listen_key_and_asks_for_all_three(
    desk: Desk, exchange: Any, caller: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings = WebSocketConfig(exchange.url, heartbeat_interval=None)
    config = ExchangeConfig("MEXC_SPOT", CREDENTIALS, base_url=desk.url, websocket_url=exchange.url, websocket=settings)
    with caplog.at_level(logging.DEBUG):
        manager = create_websocket_manager(config, True, caller.on_message, caller.on_state)
        await manager.initialize([BTC])
        served = await exchange.connected(1, 1)
        assert served.request.path.endswith("?listenKey=key-1")
        assert exchange.requests[0] == [{"method": "SUBSCRIPTION", "params": CHANNELS}]
        await manager.close()
    assert [method for method, _ in desk.calls] == ["POST"]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("websocket."))
    assert "the-very-secret" not in caplog.text + repr(config)
    assert "key-1" not in ours


async def test_the_key_is_kept_and_extended_each_half_hour(
    desk: Desk, exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = MexcSpotPrivateConnection(WebSocketConfig(exchange.url), desk.url, CREDENTIALS)
    await strategy.connect()
    await strategy.disconnect()
    await strategy.connect()
    await strategy.handle_heartbeat()
    assert [method for method, _ in desk.calls] == ["POST"]
    now = time.monotonic()
    monkeypatch.setattr(connection.time, "monotonic", lambda: now + 1801)
    await strategy.handle_heartbeat()
    await strategy.handle_heartbeat()
    assert [(method, query.get("listenKey")) for method, query in desk.calls[1:]] == [("PUT", "key-1")]
    monkeypatch.setattr(connection.time, "monotonic", lambda: now + 6000)
    await strategy.connect()
    assert [method for method, _ in desk.calls] == ["POST", "PUT", "POST"]
    await strategy.disconnect()
    assert strategy.get_reconnection_policy() == ReconnectionPolicy(10, 1.0, 2.0, 60.0, True)


@pytest.mark.parametrize("status", [200, 400])
async def test_no_key_is_an_authentication_error_without_the_secret(desk: Desk, status: int) -> None:
    desk.status = status
    desk.answer = {"code": 700002, "msg": "Signature for this request is not valid."}
    with pytest.raises(AuthenticationError, match="700002") as caught:
        await create_listen_key(desk.url, CREDENTIALS)
    assert "secret" not in str(caught.value)


async def test_channels_of_other_scopes_are_left_out() -> None:
    create = MexcSpotPrivateSubscription().create_subscription_messages
    kinds = [PrivateWebsocketChannelType.POSITION, PrivateWebsocketChannelType.BALANCE]
    assert await create(SubscriptionAction.UNSUBSCRIBE, [BTC], kinds) == [
        {"method": "UNSUBSCRIPTION", "params": CHANNELS[2:]}
    ]
    assert await create(SubscriptionAction.SUBSCRIBE, [BTC], kinds[:1]) == []


async def parse(**body: Any) -> Any:
    wrapper = PushDataV3ApiWrapper(channel="c", symbol="BTCUSDT", sendTime=9, **body)
    message = await MexcSpotPrivateParser().parse_message(wrapper.SerializeToString())
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("status", "kind", "named"),
    [
        (1, 1, ("open", "limit")),
        (2, 5, ("filled", "market")),
        (3, 2, ("partial", "post_only")),
        (5, 3, ("cancelled", "ioc")),
    ],
)
async def test_orders(status: int, kind: int, named: tuple[str, str]) -> None:
    body = {"id": "C02__1", "price": "2.5", "quantity": "3", "avgPrice": "0", "orderType": kind, "tradeType": 2}
    message = await parse(privateOrders=body | {"status": status, "cumulativeQuantity": "1", "createTime": 5})
    assert message.message_type is MessageType.ORDER
    assert message.data == [Order(BTC, "C02__1", None, named[0], "sell", named[1], 2.5, 3.0, 1.0, 0.0, 9)]


async def test_deals_and_balances() -> None:
    deal = {"price": "2", "quantity": "3", "tradeType": 1, "isMaker": True, "tradeId": "t", "orderId": "o", "time": 7}
    message = await parse(privateDeals=deal | {"feeAmount": "0.1", "feeCurrency": "USDT"})
    assert message.data == [Fill(BTC, "t", "o", "buy", 2.0, 3.0, 0.1, "USDT", "maker", 7)]
    message = await parse(privateAccount={"vcoinName": "USDT", "balanceAmount": "5", "time": 8})
    assert (message.message_type, message.data) == (MessageType.BALANCE, [Balance("USDT", 5.0, 0.0, 8)])


@pytest.mark.parametrize(
    ("raw", "message_type"),
    [
        (json.dumps({"id": 0, "code": 0, "msg": ",".join(CHANNELS)}), "SUBSCRIPTION_CONFIRM"),
        ('{"id":0,"code":0,"msg":"PONG"}', "HEARTBEAT"),
        ('{"id":0,"code":0,"msg":"Not Subscribed successfully! [x]"}', "SUBSCRIPTION_ERROR"),
        ("Invalid listen key", "ERROR"),
        ("[1]", "ERROR"),
        (b"\xff\xff", "ERROR"),
        (PushDataV3ApiWrapper(channel="c").SerializeToString(), "OTHER"),
    ],
)
async def test_what_is_not_data(raw: str | bytes, message_type: str) -> None:
    message = await MexcSpotPrivateParser().parse_message(raw)
    assert message is not None
    assert message.message_type is MessageType[message_type]
