"""The private MEXC handler: one frame out, answers in, an account's pushes to callbacks, each once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.integrations.mexc.builder import build, build_direct, build_handler
from exchanges.integrations.mexc.endpoints import PRIVATE_CHANNELS
from exchanges.integrations.mexc.listen_key_mixin import MexcListenKeyMixin
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.integrations.mexc.ws.handlers.private_handler import MexcPrivateHandler
from exchanges.structs import (
    ConfigurationError,
    ExchangeConfig,
    ExchangeCredentials,
    MessageType,
    ParsedMessage,
    PrivateWebsocketChannelType,
    ReconnectionPolicy,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PrivateCallbacks
from infrastructure.networking.websocket.handler_check import require_mixins
from infrastructure.networking.websocket.handlers.private_message_handler import PrivateMessageHandler
from infrastructure.networking.websocket.mixins.connection_mixin import MexcConnectionMixin
from infrastructure.networking.websocket.testing import FakeServer, FakeSocket, run_virtual, settle

Channel = PrivateWebsocketChannelType
ORDERS, DEALS, ACCOUNT = (PRIVATE_CHANNELS[channel] for channel in (Channel.ORDER, Channel.TRADE, Channel.BALANCE))
BTC, ODD = Symbol("BTC", "USDT"), Symbol("MX", "BRL")
CONFIG = ExchangeConfig("MEXC_SPOT", ExchangeCredentials("api", "secret"), base_url="http://127.0.0.1:9")


def push(channel: str, symbol: str | None = "BTCUSDT", **fields: Any) -> bytes:
    data: bytes = PushDataV3ApiWrapper(channel=channel, symbol=symbol, sendTime=9, **fields).SerializeToString()
    return data


def order(number: int, status: int = 1, **fields: Any) -> bytes:
    return push(ORDERS, **fields, privateOrders={"id": str(number), "price": "2", "tradeType": 1, "status": status})


def fill(number: int) -> bytes:
    body = {"tradeId": str(number), "orderId": "1", "price": "2", "quantity": "3", "tradeType": 2, "time": 5}
    return push(DEALS, privateDeals=body)


BALANCE = push(
    ACCOUNT, None, privateAccount={"vcoinName": "USDT", "balanceAmount": "4", "frozenAmount": "1", "time": 5}
)


class FakeKeys:
    """Numbers its keys."""

    def __init__(self) -> None:
        self.count = 0

    async def create(self) -> str:
        self.count += 1
        return f"key{self.count}"

    async def extend(self, key: str) -> None:
        raise AssertionError(key)

    async def delete(self, key: str) -> None:
        assert key == f"key{self.count}"

    async def close(self) -> None: ...


class Answering(FakeSocket):
    """Confirms what is asked, as the exchange does."""

    async def send(self, text: str) -> None:
        await super().send(text)
        request = json.loads(text)
        self.feed(json.dumps({"id": request["id"], "code": 0, "msg": ",".join(request["params"])}))


class Server(FakeServer):
    """Opens sockets that answer, as long as `answers` says so."""

    answers = True

    async def open(self, settings: Any) -> Any:
        await super().open(settings)
        if self.answers:
            self.sockets[-1] = Answering(settings)
        return self.sockets[-1]


class Scene:
    """A handler on a fake server, and what its callbacks got."""

    def __init__(self) -> None:
        self.server, self.keys = Server(), FakeKeys()
        self.events: list[Any] = []
        self.answers: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        take = self.events.extend
        callbacks = PrivateCallbacks(
            on_orders=take,
            on_fills=take,
            on_balances=take,
            on_positions=take,
            on_subscription=self.answers.append,
            on_error=lambda kind, text: self.errors.append((kind, text)),
        )
        self.handler = MexcPrivateHandler(
            WebSocketConfig("ws://x"), keys=self.keys, callbacks=callbacks, transport=self.server.open
        )

    async def start(self, symbols: list[Symbol] | None = None, channels: list[Channel] | None = None) -> None:
        await self.handler.initialize(symbols, channels)
        await settle()

    async def say(self, *frames: bytes | str) -> None:
        self.server.socket.feed(*frames)
        await settle()


def play(scene: Callable[[Scene], Any]) -> Scene:
    async def main() -> Scene:
        stage = Scene()
        await scene(stage)
        await stage.handler.close()
        return stage

    return run_virtual(main())


@pytest.mark.checklist("2.3.8", "2.3.14", "3.1.2", "3.1.4", "3.1.5", "3.1.6", "3.1.17")
def test_is_made_of_the_checklists_parts() -> None:
    assert issubclass(MexcPrivateHandler, PrivateMessageHandler)
    assert issubclass(MexcPrivateHandler, MexcConnectionMixin)
    assert issubclass(MexcPrivateHandler, MexcListenKeyMixin)
    require_mixins(MexcPrivateHandler, True)
    handler = build_handler(CONFIG, True)
    assert handler.get_reconnection_policy() == ReconnectionPolicy(10, 1.0, 2.0, 60.0, reset_on_1005=True)
    assert handler.heartbeat_interval() == 30.0


def test_one_request_for_the_three_channels_and_again_on_each_connection() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC])
        request = json.loads(stage.server.socket.sent[0])
        assert request == {"method": "SUBSCRIPTION", "params": [ORDERS, DEALS, ACCOUNT], "id": 1}
        assert [(answer.names, answer.complete) for answer in stage.answers] == [([ORDERS, DEALS, ACCOUNT], True)]
        stage.server.socket.end()
        await settle()
        assert json.loads(stage.server.socket.sent[0])["params"] == [ORDERS, DEALS, ACCOUNT]
        assert [socket.settings.url for socket in stage.server.sockets] == ["ws://x?listenKey=key1"] * 2

    assert play(scene).errors == []


def test_a_caller_may_want_less_but_no_positions() -> None:
    async def scene(stage: Scene) -> None:
        with pytest.raises(ConfigurationError, match="POSITION"):
            await stage.handler.initialize([], [Channel.POSITION])
        await stage.start([], [Channel.BALANCE])
        assert json.loads(stage.server.socket.sent[0])["params"] == [ACCOUNT]
        assert stage.handler._parse_positions(b"") == []

    play(scene)


@pytest.mark.checklist("2.3.5", "2.3.7", "2.3.10", "2.3.12", "3.1.11")
def test_each_kind_reaches_its_callback_once() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        await stage.say(order(1), order(1), fill(7), BALANCE, order(1, 2), fill(7))
        first, traded, balance, last = stage.events
        assert (first.symbol, first.id, first.status, first.timestamp) == (BTC, "1", "open", 9)
        assert (traded.id, traded.side, traded.quantity, traded.role) == ("7", "sell", 3.0, "taker")
        assert (balance.asset, balance.free, balance.locked, balance.symbol) == ("USDT", 4.0, 1.0, None)
        assert last.status == "filled"
        stage.server.socket.end()
        await settle()
        await stage.say(fill(7), fill(8))
        assert [event.id for event in stage.events[4:]] == ["8"]

    assert play(scene).errors == []


@pytest.mark.checklist("3.1.9", "3.1.11")
def test_detection_at_the_fixed_offset_and_by_full_parse_agree() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        head = 2 + fill(1)[1]
        reordered = fill(1)[head:] + fill(1)[:head]
        assert PushDataV3ApiWrapper.FromString(reordered).channel == DEALS
        assert stage.handler._detect_message_type(reordered)[0] == stage.handler._detect_message_type(fill(1))[0] == 5
        await stage.say(reordered, fill(1), *(push(channel) for channel in (ORDERS, DEALS, ACCOUNT)), push("spot@new"))
        assert [event.id for event in stage.events] == ["1"]

    assert play(scene).errors == []


def test_a_symbol_that_nobody_subscribed_and_one_that_only_the_caller_can_spell() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC])
        await stage.say(order(1, symbol="ETHUSDC"), order(2, symbol="MXBRL"))
        assert [event.symbol for event in stage.events] == [Symbol("ETH", "USDC")]
        assert [kind for kind, _ in stage.errors] == ["decode"]
        assert "MXBRL" in stage.errors[0][1]
        await stage.handler.subscribe([ODD])
        await stage.say(order(2, symbol="MXBRL"))
        assert stage.events[-1].symbol == ODD

    play(scene)


@pytest.mark.checklist("1.3.13", "2.3.9", "2.3.13")
def test_an_invalid_key_is_an_auth_error_and_replaced() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        await stage.say("Invalid listen key")
        assert stage.errors == [("auth", "Invalid listen key")]
        assert stage.server.socket.settings.url == "ws://x?listenKey=key2"
        stage.server.answers = False
        stage.server.socket.end()
        await settle()
        await stage.say("Invalid listen key\n")
        assert stage.errors[1:] == [("auth", "Invalid listen key")]
        stage.server.answers = True
        await asyncio.sleep(2)
        await stage.say(fill(1))
        assert [event.id for event in stage.events] == ["1"]
        assert stage.keys.count == 3

    assert play(scene).handler.decode_errors == 0


def test_a_pong_is_no_answer_on_the_key_but_a_refused_subscription_is() -> None:
    async def scene(stage: Scene) -> None:
        stage.server.answers = False
        await stage.start()
        await stage.say('{"id":0,"code":0,"msg":"PONG"}')
        assert stage.handler._keep_alive.pongs == 1
        assert not stage.handler._accepted.done()  # type: ignore[union-attr]
        refusal = f"Not Subscribed successfully! [{DEALS}].  Reason： Blocked! "
        await stage.say(json.dumps({"id": 0, "code": 0, "msg": refusal}, ensure_ascii=False))
        assert stage.errors == [("subscribe", refusal)]
        await stage.say(json.dumps({"id": 0, "code": 0, "msg": f"{ORDERS},{ACCOUNT}"}))
        assert [answer.complete for answer in stage.answers] == [False, True]
        stage.server.answers = True
        stage.server.socket.end()
        await settle()
        assert json.loads(stage.server.socket.sent[0])["params"] == [ORDERS, ACCOUNT]

    assert play(scene).keys.count == 1


def test_with_all_channels_refused_there_is_nothing_to_wait_for() -> None:
    async def scene(stage: Scene) -> None:
        stage.server.answers = False
        await stage.start()
        await stage.say('{"id":1,"code":0,"msg":"Not Subscribed successfully! why"}')
        stage.server.socket.end()
        await asyncio.sleep(2)
        assert stage.server.socket.sent == []
        await asyncio.sleep(20)
        assert stage.handler.is_connected()
        assert [kind for kind, _ in stage.errors] == ["subscribe"]

    play(scene)


GOOD = [order(1), fill(1), BALANCE, b'{"id":1,"code":0,"msg":"spot@private.deals.v3.api.pb"}', b"Invalid listen key"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good frame with a piece overwritten."""
    frame = draw(st.sampled_from(GOOD))
    first, last = sorted(draw(st.tuples(st.integers(0, len(frame)), st.integers(0, len(frame)))))
    return frame[:first] + draw(st.sampled_from([b"", frame[first:last] * 2, b"\xff" * 9, b"1e999"])) + frame[last:]


@pytest.mark.no_cover
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(damaged(), st.binary(max_size=60), st.sampled_from([b"", b"{}", b"[]", b"{"])), max_size=5))
def test_no_frame_ends_the_stack_and_each_is_counted(frames: list[bytes]) -> None:
    errors: list[tuple[str, str]] = []
    callbacks = PrivateCallbacks(on_error=lambda kind, text: errors.append((kind, text)))
    handler = MexcPrivateHandler(WebSocketConfig("ws://x"), keys=FakeKeys(), callbacks=callbacks)
    for frame in frames:
        handler._on_raw_message(frame)
    assert handler.frames_received() == len(frames)
    assert handler.callback_errors == 0, errors
    assert [kind for kind, _ in errors if kind != "auth"] == ["decode"] * handler.decode_errors


@pytest.mark.checklist("3.1.13", "3.1.21")
def test_frames_keep_their_targets(stopwatch: Any) -> None:
    handler = build_handler(CONFIG, True)
    for frame in (order(1), fill(1), BALANCE):
        whole, detection = stopwatch(), stopwatch()
        for _ in range(50):
            with whole.round():
                handler._on_raw_message(frame)
            with detection.round():
                kind, _ = handler._detect_message_type(frame)
        assert whole.best_ns < handler.TARGETS_NS[kind] <= 100_000
        assert detection.best_ns < 10_000
    assert handler.decode_errors == handler.callback_errors == 0


def test_builders() -> None:
    with pytest.raises(ConfigurationError, match="credentials"):
        build_direct(ExchangeConfig("MEXC_SPOT"), PrivateCallbacks(), is_private=True)
    with pytest.raises(ConfigurationError, match="private connection for MEXC_FUTURES"):
        build_handler(ExchangeConfig("MEXC_FUTURES"), True)
    with pytest.raises(ConfigurationError, match="private connections only: auth_timeout_s"):
        build_handler(CONFIG, False, auth_timeout_s=1.0)

    async def main() -> None:
        got: list[ParsedMessage] = []

        async def take(message: ParsedMessage) -> None:
            got.append(message)

        server = Server()
        manager = build(CONFIG, True, take, transport=server.open, auth_timeout_s=3.0, extend_every_s=60.0)
        assert (manager.handler._auth_timeout_s, manager.handler._extend_every_s) == (3.0, 60.0)  # type: ignore[attr-defined]
        assert manager.logger.name == "websocket.mexc.spot.private"
        manager.handler._keys = FakeKeys()  # type: ignore[attr-defined]
        await manager.initialize([BTC])
        await settle()
        assert server.socket.settings.url == "wss://wbs-api.mexc.com/ws?listenKey=key1"
        server.socket.feed(order(1), fill(2), BALANCE)
        await settle()
        await manager.close()
        kinds = [MessageType.SUBSCRIPTION_CONFIRM, MessageType.ORDER, MessageType.TRADE, MessageType.BALANCE]
        assert [message.message_type for message in got] == kinds
        assert [(message.symbol, message.channel) for message in got[1:]] == [
            (BTC, ORDERS),
            (BTC, DEALS),
            (None, ACCOUNT),
        ]

    run_virtual(main())
