"""The Gate.io handler: how it is made, frames in, events out, odd frames."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchanges.integrations.gateio.builder import build_direct, build_handler
from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.structs import ExchangeConfig, SubscriptionAction, WebSocketConfig
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import GateioConnectionMixin
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

from .spot_scene import BEST, BTC, ETH, Channel, Listener, Scene, play, push


@pytest.mark.checklist("3.2.1", "3.2.5", "3.2.6", "3.2.8")
def test_is_made_of_the_checklists_parts() -> None:
    assert issubclass(GateioSpotPublicHandler, PublicMessageHandler)
    assert issubclass(GateioSpotPublicHandler, GateioConnectionMixin)
    assert issubclass(GateioSpotPublicHandler, NoAuthMixin)


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


@pytest.mark.no_cover
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
