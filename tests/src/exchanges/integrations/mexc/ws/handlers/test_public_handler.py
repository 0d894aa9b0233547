"""The MEXC handler: frames out, answers in, detection by channel string."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchanges.integrations.mexc.builder import build, build_direct, build_handler
from exchanges.integrations.mexc.endpoints import SPOT_CHANNELS
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.integrations.mexc.ws.handlers.public_handler import MexcPublicHandler
from exchanges.structs import (
    ConfigurationError,
    ExchangeConfig,
    PublicWebsocketChannelType,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import MexcConnectionMixin
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

Channel = PublicWebsocketChannelType
BTC, ODD = Symbol("BTC", "USDT"), Symbol("MX", "BRL")
BOOK, DEALS, BEST, MINI = (SPOT_CHANNELS[channel].format("BTCUSDT") for channel in Channel)


def push(channel: str, **fields: Any) -> bytes:
    data: bytes = PushDataV3ApiWrapper(channel=channel, symbol="BTCUSDT", sendTime=9, **fields).SerializeToString()
    return data


BEST_PUSH = push(BEST, publicAggreBookTicker={"bidPrice": "1", "bidQuantity": "2", "askPrice": "3", "askQuantity": "4"})


class Scene:
    """A connected handler on a fake server, without REST, and what its callbacks got."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.events: list[Any] = []
        self.answers: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        callbacks = PublicCallbacks(
            on_book=self.events.append,
            on_trades=self.events.append,
            on_book_ticker=self.events.append,
            on_ticker=self.events.append,
            on_subscription=self.answers.append,
            on_error=lambda kind, text: self.errors.append((kind, text)),
        )
        self.handler = MexcPublicHandler(WebSocketConfig("ws://x"), callbacks=callbacks, transport=self.server.open)

    async def start(self, symbols: list[Symbol], channels: list[Channel]) -> list[str]:
        await self.handler.initialize(symbols, channels)
        await settle()
        params: list[str] = json.loads(self.server.socket.sent[-1])["params"]
        return params

    async def say(self, text: str, request_id: int = 0) -> None:
        self.server.socket.feed(json.dumps({"id": request_id, "code": 0, "msg": text}, ensure_ascii=False))
        await settle()


def play(scene: Any) -> None:
    async def main() -> None:
        stage = Scene()
        await scene(stage)
        await stage.handler.close()

    run_virtual(main())


@pytest.mark.checklist("3.1.1", "3.1.3", "3.1.5", "3.1.6", "3.1.17")
def test_is_made_of_the_checklists_parts() -> None:
    assert issubclass(MexcPublicHandler, PublicMessageHandler)
    assert issubclass(MexcPublicHandler, MexcConnectionMixin)
    assert issubclass(MexcPublicHandler, NoAuthMixin)


def test_one_frame_with_all_channels_and_the_right_method() -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.start([BTC], list(Channel)) == [BOOK, DEALS, BEST, MINI]
        assert json.loads(stage.server.socket.sent[0])["method"] == "SUBSCRIPTION"
        await stage.say(",".join([BOOK, DEALS, BEST, MINI]))
        assert stage.handler.active_symbols == {BTC}
        assert stage.answers[0].complete
        await stage.handler.unsubscribe([BTC])
        assert json.loads(stage.server.socket.sent[1])["method"] == "UNSUBSCRIPTION"
        await stage.say(",".join([BOOK, DEALS, BEST, MINI]), 2)
        assert stage.handler.active_symbols == set()

    play(scene)


def test_a_refusal_has_code_0_too_and_is_not_retried() -> None:
    """L15: judged by the channel list alone."""

    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.ORDERBOOK, Channel.TRADES])
        refusal = f"Not Subscribed successfully! [{DEALS}].  Reason： Blocked! "
        await stage.say(refusal)
        assert stage.errors == [("subscribe", refusal)]
        assert not stage.answers[0].complete
        await stage.say(BOOK)
        assert stage.answers[1].complete
        stage.server.socket.end()
        await settle()
        assert json.loads(stage.server.socket.sent[-1])["params"] == [BOOK]

    play(scene)


@pytest.mark.parametrize("text", ["Not Subscribed successfully! why", "something new"])
def test_other_answers_are_refusals_of_the_request_they_name(text: str) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.ORDERBOOK])
        await stage.say(text, 1)
        assert stage.handler.wanted_symbols == []
        assert stage.answers[0].error == text

    play(scene)


def test_answers_to_nothing_and_plain_text_are_errors() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.ORDERBOOK])
        await stage.say("hm")
        await stage.say("Not Subscribed successfully! [spot@x].  Reason： Blocked! ")
        stage.server.socket.feed("Invalid listen key", b"\x0a\xff", b"", b"\x0a")
        await settle()
        assert [kind for kind, _ in stage.errors] == ["decode"] * 6
        assert "Invalid listen key" in stage.errors[2][1]
        assert stage.handler.is_connected()

    play(scene)


def test_pongs_are_noted() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.ORDERBOOK])
        await stage.say("PONG")
        assert stage.handler._keep_alive.pongs == 1
        assert (stage.errors, stage.answers) == ([], [])

    play(scene)


@pytest.mark.checklist("3.1.9", "3.1.11")
def test_detection_at_the_fixed_offset_and_by_full_parse_agree() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], list(Channel))
        body = BEST_PUSH[2 + BEST_PUSH[1] :]
        reordered = body + BEST_PUSH[: 2 + BEST_PUSH[1]]
        assert PushDataV3ApiWrapper.FromString(reordered).channel == BEST
        stage.server.socket.feed(BEST_PUSH, reordered)
        await settle()
        assert stage.events[0] == stage.events[1]
        assert stage.handler._detect_message_type(BEST_PUSH)[0] == Channel.BOOK_TICKER
        assert stage.handler._detect_message_type('{"msg":"PONG"}')[0] == 0

    play(scene)


def test_each_kind_reaches_its_callback_and_bare_wrappers_do_not() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], list(Channel))
        deal = {"price": "1", "quantity": "2", "tradeType": 2, "time": 5}
        stage.server.socket.feed(
            push(BOOK, publicAggreDepths={"fromVersion": "1", "toVersion": "2"}),
            push(DEALS, publicAggreDeals={"deals": [deal, deal]}),
            BEST_PUSH,
            push(MINI, publicMiniTicker={"price": "1", "quantity": "3", "volume": "4"}),
            *(push(channel) for channel in (BOOK, DEALS, BEST, MINI)),
            push("spot@public.kline.v3.api.pb@BTCUSDT@Min1"),
        )
        await settle()
        book, trades, best, ticker = stage.events
        assert (book.first, book.last, book.bids) == (1, 2, [])
        assert [trade.side for trade in trades] == ["sell", "sell"]
        assert (best.symbol, best.timestamp) == ("BTCUSDT", 9)
        assert (ticker.base_volume, ticker.quote_volume, ticker.bid) == (3.0, 4.0, None)
        assert stage.errors == []

    play(scene)


def test_a_symbol_is_the_one_that_was_subscribed() -> None:
    """A name with a quote asset nobody listed still finds its symbol."""
    handler = build_handler(ExchangeConfig("MEXC_SPOT"), False)
    handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, [(Channel.TRADES, ODD)])
    assert handler.symbol_of("MXBRL") == ODD
    assert handler.channel_name(Channel.TRADES, "MXBRL") == "spot@public.aggre.deals.v3.api.pb@100ms@MXBRL"


@pytest.mark.checklist("3.1.11")
def test_recorded_frames_go_through_where_there_is_an_event_type(captures: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], list(Channel))
        frames = [json.loads(line) for line in (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines()]
        known = [frame for frame in frames if frame["channel"].encode() in stage.handler._table]
        assert known
        for frame in frames:
            stage.handler._on_raw_message(bytes.fromhex(frame["hex"]))
        assert len(stage.events) == len(known)
        assert stage.errors == []

    play(scene)


@pytest.mark.checklist("3.1.10", "3.1.13", "3.1.14", "3.1.15", "3.1.16")
def test_frames_keep_their_targets(stopwatch: Any) -> None:
    assert MexcPublicHandler.TARGETS_NS[1:5] == (50_000, 30_000, 20_000, 20_000)
    handler = MexcPublicHandler(WebSocketConfig("ws://x"))
    handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, [(channel, BTC) for channel in Channel])
    levels = [{"price": f"{n}.5", "quantity": "1"} for n in range(10)]
    deal = {"price": "1", "quantity": "2", "tradeType": 2, "time": 5}
    for kind, frame in (
        (1, push(BOOK, publicAggreDepths={"bids": levels, "asks": levels, "fromVersion": "1", "toVersion": "1"})),
        (2, push(DEALS, publicAggreDeals={"deals": [deal]})),
        (3, BEST_PUSH),
        (4, push(MINI, publicMiniTicker={"price": "1"})),
    ):
        whole, detection = stopwatch(), stopwatch()
        for _ in range(50):
            with whole.round():
                handler._on_raw_message(frame)
            with detection.round():
                handler._detect_message_type(frame)
        assert whole.best_ns < handler.TARGETS_NS[kind]
        assert detection.best_ns < 10_000


def test_builders() -> None:
    async def ignore(message: Any) -> None:
        raise AssertionError(message)

    with pytest.raises(ConfigurationError, match="speed"):
        build(ExchangeConfig("MEXC_SPOT"), False, ignore, None, speed=1)
    with pytest.raises(ConfigurationError, match="private"):
        build(ExchangeConfig("MEXC_SPOT"), True, ignore, None)
    manager = build(ExchangeConfig("MEXC_SPOT", websocket_url="ws://y"), False, ignore, None)
    assert manager.config.url == "ws://y"
    assert manager.get_performance_metrics()["architecture_version"] == "2.0"

    async def main() -> None:
        server = FakeServer()
        events: list[Any] = []
        config = ExchangeConfig("MEXC_SPOT", base_url="http://127.0.0.1:9")
        connection = build_direct(config, PublicCallbacks(on_book_ticker=events.append), transport=server.open)
        await connection.start([BTC], [Channel.BOOK_TICKER])
        await settle()
        assert server.socket.settings.url == "wss://wbs-api.mexc.com/ws"
        server.socket.feed(BEST_PUSH)
        await settle()
        await connection.close()
        assert events[0].ask_price == 3.0

    run_virtual(main())
