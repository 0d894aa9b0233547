"""The Gate.io handler: frames out, answers in, odd frames."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchanges.integrations.gateio.builder import build_direct, build_handler
from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs import (
    ExchangeConfig,
    ExchangeRestError,
    PublicWebsocketChannelType,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import GateioConnectionMixin
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

Channel = PublicWebsocketChannelType
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
BEST = {"t": 1, "u": 2, "s": "BTC_USDT", "b": "1.5", "B": "2", "a": "3", "A": "4"}


class Listener:
    """Remembers what the callbacks got."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.answers: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        self.callbacks = PublicCallbacks(
            on_book=self.events.append,
            on_trades=self.events.append,
            on_book_ticker=self.events.append,
            on_ticker=self.events.append,
            on_subscription=self.answers.append,
            on_error=lambda kind, text: self.errors.append((kind, text)),
        )


class Scene:
    """A connected handler on a fake server, without REST."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.listener = Listener()
        config = WebSocketConfig("ws://x", heartbeat_interval=None)
        self.handler = GateioSpotPublicHandler(config, callbacks=self.listener.callbacks, transport=self.server.open)

    async def start(self, symbols: list[Symbol], channels: list[Channel]) -> None:
        await self.handler.initialize(symbols, channels)
        await settle()

    def requests(self) -> list[Any]:
        return [json.loads(text) for text in self.server.socket.sent]

    async def answer(self, request: dict[str, Any], error: str | None = None, **changes: Any) -> None:
        answer = {**request, "result": {"status": "fail" if error else "success"}} | changes
        if error:
            answer["error"] = {"code": 2, "message": error}
        self.server.socket.feed(json.dumps(answer))
        await settle()


def play(scene: Any) -> None:
    async def main() -> None:
        stage = Scene()
        await scene(stage)
        await stage.handler.close()

    run_virtual(main())


def push(channel: str, result: Any) -> str:
    return json.dumps({"time": 5, "time_ms": 5123, "channel": channel, "event": "update", "result": result})


@pytest.mark.checklist("3.2.1", "3.2.5", "3.2.6", "3.2.8")
def test_is_made_of_the_checklists_parts() -> None:
    assert issubclass(GateioSpotPublicHandler, PublicMessageHandler)
    assert issubclass(GateioSpotPublicHandler, GateioConnectionMixin)
    assert issubclass(GateioSpotPublicHandler, NoAuthMixin)


def test_books_have_a_frame_each_and_other_channels_one_for_all_pairs() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH], list(Channel))
        assert [(r["channel"], r["event"], r["payload"]) for r in stage.requests()] == [
            ("spot.order_book_update", "subscribe", ["BTC_USDT", "100ms"]),
            ("spot.order_book_update", "subscribe", ["ETH_USDT", "100ms"]),
            ("spot.trades", "subscribe", ["BTC_USDT", "ETH_USDT"]),
            ("spot.book_ticker", "subscribe", ["BTC_USDT", "ETH_USDT"]),
            ("spot.tickers", "subscribe", ["BTC_USDT", "ETH_USDT"]),
        ]
        assert len({r["id"] for r in stage.requests()}) == 5

    play(scene)


def test_symbols_are_active_by_the_answer_alone() -> None:
    """L15."""

    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH], [Channel.ORDERBOOK])
        assert stage.handler.active_symbols == set()
        btc, eth = stage.requests()
        await stage.answer(btc)
        assert stage.handler.active_symbols == {BTC}
        await stage.answer(eth, "unknown currency pair: ETH_USDT")
        assert stage.handler.active_symbols == {BTC}
        assert stage.handler.wanted_symbols == [BTC]
        assert [answer.error for answer in stage.listener.answers] == [None, "unknown currency pair: ETH_USDT"]
        assert stage.listener.errors == [("subscribe", "unknown currency pair: ETH_USDT")]
        assert stage.listener.answers[-1].complete

    play(scene)


@pytest.mark.parametrize("keep", [("id",), ("payload",), ()])
def test_answers_are_matched_by_id_or_payload_or_order(keep: tuple[str, ...]) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH], [Channel.ORDERBOOK])
        btc, eth = stage.requests()
        for request in (eth, btc) if keep else (btc, eth):
            await stage.answer({k: v for k, v in request.items() if k in ("channel", "event", *keep)})
        assert stage.handler.active_symbols == {BTC, ETH}

    play(scene)


def test_an_answer_is_judged_by_its_error_alone() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        await stage.answer(stage.requests()[0], result=None, error=None)
        assert stage.handler.active_symbols == {BTC}
        await stage.answer(stage.requests()[0])
        assert len(stage.listener.answers) == 1

    play(scene)


@pytest.mark.checklist("4.1.15")
def test_a_reconnect_asks_for_exactly_what_is_wanted() -> None:
    """L14, L15: not for what was refused, nor for what was given up, offline or not."""

    async def scene(stage: Scene) -> None:
        await stage.start([BTC, ETH, Symbol("X", "Y"), Symbol("Q", "R")], [Channel.ORDERBOOK])
        for request in stage.requests():
            await stage.answer(request, "unknown" if request["payload"][0] == "X_Y" else None)
        await stage.handler.unsubscribe([ETH])
        assert (stage.requests()[-1]["event"], stage.requests()[-1]["payload"]) == (
            "unsubscribe",
            ["ETH_USDT", "100ms"],
        )
        stage.server.fails_always = OSError("down")
        stage.server.socket.end()
        await settle()
        await stage.handler.unsubscribe([Symbol("Q", "R")])
        with pytest.raises(ExchangeRestError) as caught:
            await stage.handler.subscribe([Symbol("NEW", "ONE")])
        assert caught.value.code == 503
        stage.server.fails_always = None
        await asyncio.sleep(10)
        assert [r["payload"] for r in stage.requests()] == [["BTC_USDT", "100ms"]]

    play(scene)


def test_subscribe_and_unsubscribe_while_connected() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        await stage.answer(stage.requests()[0])
        await stage.handler.subscribe([BTC, ETH])
        added = stage.requests()[-1]
        assert (added["event"], added["payload"]) == ("subscribe", ["ETH_USDT"])
        await stage.answer(added)
        assert stage.handler.active_symbols == {BTC, ETH}
        await stage.handler.unsubscribe([ETH])
        await stage.answer(stage.requests()[-1])
        assert stage.handler.active_symbols == {BTC}
        assert stage.handler.wanted_symbols == [BTC]
        await stage.handler.unsubscribe([ETH])
        assert len(stage.requests()) == 3

    play(scene)


def test_a_failed_send_forgets_the_symbols(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        stage.server.socket.fails_to_send = True
        with pytest.raises(ExchangeRestError) as caught:
            await stage.handler.subscribe([ETH])
        assert caught.value.code == 400
        assert stage.handler.wanted_symbols == [BTC]
        await stage.handler.unsubscribe([BTC])
        assert stage.handler.wanted_symbols == []

    play(scene)
    assert any(text.startswith("Unsubscribe failed") for text in caplog.messages)


def test_nothing_wanted_asks_for_nothing() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([], [])
        assert stage.requests() == []
        assert stage.handler.channels == list(Channel)

    play(scene)


def test_a_channel_that_is_no_channel_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="trades"):
        Scene().handler.set_subscriptions([BTC], ["trades"])  # type: ignore[list-item]  # the caller's mistake


@pytest.mark.checklist("3.2.12", "3.2.16", "3.2.22")
def test_errors_of_the_exchange(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        stage.server.socket.feed(
            json.dumps({"channel": "", "event": "", "error": {"code": 1, "message": "json scheme"}, "result": None}),
            "not json",
            b"\xff\xfe",
            push("spot.order_book_update", {"s": "BTC_USDT"}),
            push(
                "spot.trades",
                {"id": 1, "create_time_ms": "x", "side": "buy", "currency_pair": "A_B", "amount": "1", "price": "1"},
            ),
            push("spot.tickers", {"currency_pair": "A_B", "last": "x"}),
            push("spot.book_ticker", BEST),
        )
        await settle()
        assert [kind for kind, _ in stage.listener.errors] == ["decode"] * 6
        assert "json scheme" in stage.listener.errors[0][1]
        assert len(stage.listener.events) == 1
        assert stage.handler.decode_errors == 6
        assert stage.handler.is_connected()

    play(scene)


def test_refusals_name_their_request_by_id_where_the_channel_is_lost() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        await stage.answer(stage.requests()[0], "request payload does not follow json schema", channel="", event="")
        assert stage.handler.wanted_symbols == []
        assert stage.listener.answers[0].channel == "spot.trades"

    play(scene)


def test_pongs_notices_and_foreign_channels_are_not_handed_on() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        stage.server.socket.feed(
            json.dumps({"channel": "spot.pong", "event": "", "result": None}),
            push("spot.candlesticks", {"t": "1"}),
            push("spot.system", {"type": "upgrade", "msg": "soon"}),
        )
        await settle()
        assert stage.handler._keep_alive.pongs == 1
        assert (stage.listener.events, stage.listener.errors, stage.listener.answers) == ([], [], [])
        assert stage.handler.frames_received() == 3

    play(scene)


def test_odd_forms_of_known_channels() -> None:
    ticker = {"currency_pair": "A_B", "highest_bid": ""} | dict.fromkeys(
        ("last", "lowest_ask", "base_volume", "quote_volume", "high_24h", "low_24h"), "2"
    )
    trade = {"id": 1, "create_time_ms": "7.9", "side": "buy", "currency_pair": "A_B", "amount": "1", "price": "2"}

    async def scene(stage: Scene) -> None:
        await stage.start([BTC], [Channel.TRADES])
        stage.server.socket.feed(
            push("spot.book_ticker", BEST | {"b": "", "B": ""}),
            push("spot.tickers", [ticker, ticker]),
            push("spot.trades", [trade, trade | {"id": 2}, trade | {"currency_pair": "C_D"}]),
            push("spot.trades", []),
        )
        await settle()
        best, first, second, trades, others = stage.listener.events
        assert (best.bid_price, best.ask_price) == (0.0, 3.0)
        assert first == second
        assert (first.bid, first.timestamp) == (None, 5123)
        assert [t.trade_id for t in trades] == ["1", "2"]
        assert [(t.trade_id, t.symbol) for t in others] == [("1", "C_D")]
        assert stage.listener.errors == []

    play(scene)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("1790359171119.999999", 1790359171119), ("1790359171119", 1790359171119), ("1790359171119.5", 1790359171119)],
)
def test_a_trade_is_delivered_once_at_its_millisecond_however_it_is_read(text: str, whole: int) -> None:
    listener = Listener()
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=listener.callbacks)
    trade = {"id": 5, "create_time_ms": text, "side": "buy", "currency_pair": "A_B", "amount": "1", "price": "2"}
    for changes in ({}, {}, {"create_time_ms": "1790359171120"}, {"create_time_ms": "1790359171120.5"}, {"id": 6}):
        handler._on_raw_message(push("spot.trades", trade | changes))
    assert [(t.trade_id, t.timestamp, t.symbol) for (t,) in listener.events] == [
        ("5", whole, "A_B"),
        ("6", whole, "A_B"),
    ]
    assert handler.handler_metrics()["repeated_trades"] == 3
    assert handler.handler_metrics()["frames"] == {"trades": 5}
    assert listener.errors == []


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "", "x", "1e12"])
def test_a_trade_at_no_time_is_malformed(text: str) -> None:
    listener = Listener()
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=listener.callbacks)
    trade = {"id": 5, "create_time_ms": text, "side": "buy", "currency_pair": "A_B", "amount": "1", "price": "2"}
    handler._on_raw_message(push("spot.trades", trade))
    assert [kind for kind, _ in listener.errors] == ["decode"]
    assert (listener.events, handler.decode_errors, handler.frames_received()) == ([], 1, 1)


def test_a_consumer_that_raises_what_a_decoder_raises_is_no_malformed_frame() -> None:
    def fail(_: Any) -> None:
        raise msgspec.ValidationError("the consumer's own")

    listener = Listener()
    callbacks = PublicCallbacks(on_book_ticker=fail, on_error=listener.callbacks.on_error)
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=callbacks)
    handler._on_raw_message(push("spot.book_ticker", BEST))
    assert listener.errors == [("callback", "the consumer's own")]
    assert handler.handler_metrics()["frames"] == {"book_ticker": 1}


def test_a_symbol_without_separator_reaches_a_coroutine_consumer_as_an_error() -> None:
    got: list[Any] = []

    async def on_message(message: Any) -> None:
        got.append(message)

    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), message_handler=on_message)
    handler._on_raw_message(push("spot.book_ticker", BEST | {"s": "BTCUSDT"}).encode())
    assert handler.decode_errors == 1
    assert handler.channel_name(Channel.TRADES, "BTC_USDT") == "spot.trades"


@pytest.mark.checklist("3.2.11", "3.2.15")
def test_the_recorded_session_goes_through(captures: Path) -> None:
    listener = Listener()
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=listener.callbacks)
    detected: Counter[str] = Counter()
    for line in (captures / "gateio-spot-2021.session").read_text().splitlines():
        head, _, text = line.partition(": ")
        if head.replace(".", "").isdigit():
            handler._on_raw_message(text)
            detected[handler.kind_name(handler._detect_message_type(text)[0])] += 1
    assert len(listener.events) == 172 + 9 + 22
    assert listener.errors == []
    assert handler.frames_received() == 239
    assert handler.handler_metrics()["frames"] == detected


@pytest.mark.checklist("3.2.18")
def test_frames_keep_their_targets(stopwatch: Any) -> None:
    levels = [[f"{100 + n * 0.01:.2f}", "1.5"] for n in range(20)]
    book = {"t": 1, "s": "BTC_USDT", "U": 2, "u": 2, "b": levels, "a": levels}
    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=PublicCallbacks())
    for channel, result, limit_ns in (
        ("spot.order_book_update", book, 100_000),
        ("spot.book_ticker", BEST, 40_000),
    ):
        frame, watch = push(channel, result).encode(), stopwatch()
        for _ in range(50):
            with watch.round():
                handler._on_raw_message(frame)
        assert watch.best_ns < limit_ns


def test_the_builder_makes_a_direct_connection() -> None:
    async def main() -> None:
        server, listener = FakeServer(), Listener()
        config = ExchangeConfig("GATEIO_SPOT", base_url="http://127.0.0.1:9/api/v4", websocket_url="ws://y/ws/v4/")
        connection = build_direct(config, listener.callbacks, transport=server.open)
        await connection.start([BTC], [Channel.BOOK_TICKER])
        await settle()
        assert server.socket.settings.url == "ws://y/ws/v4/"
        server.socket.feed(push("spot.book_ticker", BEST))
        await settle()
        assert listener.events[0].bid_price == 1.5
        await connection.subscribe([ETH])
        await connection.unsubscribe([BTC])
        assert connection.handler.wanted_symbols == [ETH]
        await connection.close()

    run_virtual(main())


def test_defaults_are_the_exchanges_own_addresses() -> None:
    handler = build_handler(ExchangeConfig("GATEIO_SPOT"), False)
    assert handler.config.url == "wss://api.gateio.ws/ws/v4/"
    assert handler.logger.name == "websocket.gateio.spot.public"
    assert handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, []) == []


@pytest.mark.checklist("2.1.15")
def test_nothing_grows_with_the_number_of_frames() -> None:
    import gc

    handler = GateioSpotPublicHandler(WebSocketConfig("ws://x"), callbacks=PublicCallbacks())
    book = {"t": 1, "s": "BTC_USDT", "U": 2, "u": 2, "b": [["1", "1"]], "a": [["2", "0"]]}
    frames = [push("spot.order_book_update", book).encode(), push("spot.book_ticker", BEST).encode(), b"damaged"]

    def objects_after(rounds: int) -> int:
        for _ in range(rounds):
            for frame in frames:
                handler._on_raw_message(frame)
        gc.collect()
        return len(gc.get_objects())

    logging.disable(logging.CRITICAL)
    try:
        before = objects_after(10)
        assert objects_after(2000) - before < 100
    finally:
        logging.disable(logging.NOTSET)
