"""Routing and callbacks of public data, with a handler whose frames are Python objects."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from exchanges.structs import (
    ConnectionState,
    DecodeError,
    MessageType,
    OrderBook,
    OrderBookEntry,
    ParsedMessage,
    PublicWebsocketChannelType,
    SubscriptionAction,
    Symbol,
    Trade,
    WebSocketConfig,
)
from exchanges.structs.events import (
    BookTickerEvent,
    BookUpdate,
    PublicCallbacks,
    SubscriptionEvent,
    TickerEvent,
    TradeEvent,
)
from infrastructure.networking.websocket.book_keeper import BookSnapshot
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.mixins.public_websocket_mixin import PublicWebSocketMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import Key, SubscriptionRequest
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
Channel = PublicWebsocketChannelType
BOOK = BookUpdate(5, "BTCUSDT", 11, 11, [(1.0, 2.0)], [])
TRADE = TradeEvent("BTCUSDT", 1.0, 2.0, "buy", 5, "7")
BEST = BookTickerEvent("BTCUSDT", 1.0, 2.0, 3.0, 4.0, 5, 6)
TICKER = TickerEvent("BTCUSDT", 1.0, None, None, 2.0, 3.0, 4.0, 5.0, 6)


class Handler(ConnectionMixin, NoAuthMixin, PublicMessageHandler):
    """A frame is (kind, payload); control payloads are `ok ID`, `no ID`, `pong` or nonsense."""

    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        if isinstance(raw_message, bytes):
            return 0, raw_message.decode()
        kind, payload = raw_message
        return int(kind), payload

    def _parse_orderbook(self, payload: BookUpdate | None) -> BookUpdate | None:
        return payload

    def _parse_trades(self, payload: list[TradeEvent] | None) -> list[TradeEvent] | None:
        return payload

    def _parse_book_ticker(self, payload: BookTickerEvent | None) -> BookTickerEvent | None:
        return payload

    def _parse_ticker(self, payload: TickerEvent | None) -> TickerEvent | None:
        return payload

    def _handle_control(self, payload: str) -> None:
        word, _, number = payload.partition(" ")
        if word == "pong":
            self._keep_alive.note_pong()
            return
        if word not in ("ok", "no"):
            raise DecodeError(f"what is {payload}")
        request = self._asked[int(number)]
        if word == "ok":
            self._confirm(request, request.keys, request.names)
        else:
            self._refuse(request, request.keys, request.names, "blocked")

    def symbol_name(self, symbol: Symbol) -> str:
        return symbol.base + symbol.quote

    def symbol_of(self, name: str) -> Symbol:
        return Symbol(name[:-4], name[-4:])

    def channel_name(self, channel: Channel, name: str) -> str:
        return f"{channel.name}@{name}"

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[Key]
    ) -> list[SubscriptionRequest]:
        requests = []
        for channel, symbol in keys:
            name = self.channel_name(channel, self.symbol_name(symbol))
            if symbol.base == "BAD":
                raise ValueError("cannot be written")
            number = self._next_id()
            text = f"{action.name} {number} {name}"
            requests.append(SubscriptionRequest(number, text, [(channel, symbol)], None, [name], action))
        return requests


class Rest:
    """A book at version 10."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.is_closed = False

    async def fetch_book(self, name: str) -> BookSnapshot:
        self.fetched.append(name)
        return BookSnapshot(10, [(1.0, 1.0)], [(2.0, 1.0)])

    async def close(self) -> None:
        self.is_closed = True


class Listener:
    """Remembers every callback."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        self.states: list[ConnectionState] = []
        self.callbacks = PublicCallbacks(
            on_book=self.events.append,
            on_trades=self.events.append,
            on_book_ticker=self.events.append,
            on_ticker=self.events.append,
            on_subscription=self.events.append,
            on_error=lambda kind, text: self.errors.append((kind, text)),
            on_state=self.states.append,
        )


def make(listener: Listener | None = None, **options: Any) -> Handler:
    return Handler(WebSocketConfig("ws://x"), callbacks=listener.callbacks if listener else None, **options)


@pytest.mark.checklist("2.2.1", "2.2.2", "2.2.3", "2.2.5", "2.2.9", "2.2.10", "5.1.8")
def test_each_type_reaches_its_callback() -> None:
    listener = Listener()
    handler = make(listener)
    for kind, payload in ((1, BOOK), (2, [TRADE]), (3, BEST), (4, TICKER)):
        handler._on_raw_message((kind, payload))  # type: ignore[arg-type]  # its detection takes pairs
    assert listener.events == [BOOK, [TRADE], BEST, TICKER]
    assert handler.handler_metrics()["frames"] == dict.fromkeys(["orderbook", "trades", "book_ticker", "ticker"], 1)


def test_frames_that_change_nothing_deliver_nothing_and_are_no_error() -> None:
    listener = Listener()
    handler = make(listener)
    for kind, payload in ((1, None), (2, []), (2, None), (3, None), (4, None)):
        handler._on_raw_message((kind, payload))  # type: ignore[arg-type]  # its detection takes pairs
    assert (listener.events, listener.errors) == ([], [])


@pytest.mark.checklist("2.2.4", "2.2.8")
def test_parsers_are_abstract_and_the_public_mixin_is_in() -> None:
    wanted = {"_parse_orderbook", "_parse_trades", "_parse_book_ticker", "_parse_ticker", "_handle_control"}
    assert wanted <= PublicMessageHandler.__abstractmethods__
    assert issubclass(PublicMessageHandler, PublicWebSocketMixin)


@pytest.mark.checklist("2.2.6")
def test_targets_are_set_for_each_type() -> None:
    assert PublicMessageHandler.TARGETS_NS[1:5] == (100_000, 60_000, 40_000, 40_000)


@pytest.mark.checklist("2.2.12")
def test_a_callback_that_raises_is_counted_and_the_next_frame_comes(caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener()

    def fail(event: Any) -> None:
        raise RuntimeError("broken")

    handler = make(listener)
    handler.set_callbacks(
        PublicCallbacks(on_book=fail, on_trades=listener.events.append, on_error=listener.callbacks.on_error)
    )
    handler._on_raw_message((1, BOOK))  # type: ignore[arg-type]  # its detection takes pairs
    handler._on_raw_message((2, [TRADE]))  # type: ignore[arg-type]  # its detection takes pairs
    assert listener.errors == [("callback", "broken")]
    assert listener.events == [[TRADE]]
    assert handler.handler_metrics()["callback_errors"] == 1


def test_callbacks_nobody_gave_are_no_error() -> None:
    handler = make()
    for kind, payload in ((1, BOOK), (2, [TRADE]), (3, BEST), (4, TICKER)):
        handler._on_raw_message((kind, payload))  # type: ignore[arg-type]  # its detection takes pairs
    handler._on_raw_message(b"nonsense")
    assert handler.error_count == 1


async def run_connected(scene: Any, symbols: list[Symbol], channels: list[Channel], **options: Any) -> None:
    server, listener = FakeServer(), Listener()
    handler = Handler(WebSocketConfig("ws://x"), callbacks=listener.callbacks, transport=server.open, **options)
    await handler.initialize(symbols, channels)
    await settle()
    await scene(server, listener, handler)
    await handler.close()


@pytest.mark.checklist("2.2.7", "2.2.13")
def test_pings_subscriptions_and_errors_are_handled() -> None:
    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        assert server.socket.sent == ["SUBSCRIBE 1 ORDERBOOK@BTCUSDT", "SUBSCRIBE 2 TRADES@BTCUSDT"]
        server.socket.feed("pong", "ok 1", "no 2", "gibberish")
        await settle()
        assert handler._keep_alive.pongs == 1
        assert listener.events == [
            SubscriptionEvent(None, ["ORDERBOOK@BTCUSDT"]),
            SubscriptionEvent(None, ["TRADES@BTCUSDT"], "blocked", True),
        ]
        assert listener.errors == [("subscribe", "blocked"), ("decode", "what is gibberish")]
        assert listener.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]

    run_virtual(run_connected(scene, [BTC], [Channel.ORDERBOOK, Channel.TRADES]))


def test_updates_come_as_they_are_and_a_rebuilt_book_comes_once() -> None:
    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        first = BookUpdate(5, "BTCUSDT", 10, 10, [], [])
        handler._on_raw_message((1, first))  # type: ignore[arg-type]  # its detection takes pairs
        server.socket.feed("ok 1")
        await settle()
        assert handler.book(BTC) is None
        handler._on_raw_message((1, BOOK))  # type: ignore[arg-type]  # its detection takes pairs
        books = [event for event in listener.events if isinstance(event, BookUpdate)]
        rebuilt = BookUpdate(5, "BTCUSDT", None, 11, [(1.0, 2.0)], [(2.0, 1.0)], True)
        assert books == [first, BOOK, rebuilt]
        assert handler.book(BTC) == rebuilt
        server.socket.end()
        await settle()
        assert handler.book(BTC) is None
        assert handler.handler_metrics()["books"]["kept"] == 0

    rest = Rest()
    run_virtual(run_connected(scene, [BTC], [Channel.ORDERBOOK], rest=rest))
    assert rest.fetched == ["BTCUSDT"]
    assert rest.is_closed


def test_a_consumer_that_raises_on_a_rebuilt_book_is_counted() -> None:
    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        def fail(event: Any) -> None:
            raise RuntimeError("broken")

        server.socket.feed("ok 1")
        await settle(2)
        handler.callbacks.on_book = fail
        handler.set_callbacks(handler.callbacks)
        handler._deliver_book(BOOK)
        assert listener.errors == [("callback", "broken")]

    run_virtual(run_connected(scene, [BTC], [Channel.ORDERBOOK], rest=Rest()))


def test_giving_a_symbol_up_stops_its_book() -> None:
    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        server.socket.feed("ok 1")
        await settle()
        await handler.unsubscribe([BTC])
        assert handler.handler_metrics()["books"]["kept"] == 0

    run_virtual(run_connected(scene, [BTC], [Channel.ORDERBOOK], rest=Rest()))


@pytest.mark.checklist("2.2.13", "4.1.5")
def test_a_coroutine_consumer_gets_the_shared_types() -> None:
    got: list[ParsedMessage] = []

    async def on_message(message: ParsedMessage) -> None:
        got.append(message)

    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        server.socket.feed("ok 1", "no 2", "gibberish")
        await settle()
        for kind, payload in ((1, BOOK), (2, [TRADE]), (3, BEST), (4, TICKER)):
            handler._on_raw_message((kind, payload))  # type: ignore[arg-type]  # its detection takes pairs
        await settle()
        assert [message.message_type for message in got] == [
            MessageType.SUBSCRIPTION_CONFIRM,
            MessageType.SUBSCRIPTION_ERROR,
            MessageType.ERROR,
            MessageType.ORDERBOOK,
            MessageType.TRADES,
            MessageType.BOOK_TICKER,
            MessageType.TICKER,
        ]
        assert got[1].data == "blocked"
        assert got[3] == ParsedMessage(
            MessageType.ORDERBOOK,
            BTC,
            "ORDERBOOK@BTCUSDT",
            OrderBook(BTC, [OrderBookEntry(1.0, 2.0)], [], 5, 11, 11, False),
            5,
        )
        assert got[4].data == [Trade(BTC, 1.0, 2.0, "buy", 5, "7")]
        assert got[6].data[0].bid is None

    run_virtual(run_connected(scene, [BTC], [Channel.ORDERBOOK, Channel.TRADES], message_handler=on_message))


@pytest.mark.checklist("2.2.11", "2.2.14", "2.2.15", "2.2.16")
def test_routing_is_cheap(stopwatch: Any) -> None:
    handler = make(Listener())
    handler.set_callbacks(PublicCallbacks())
    trades = iter([[msgspec.structs.replace(TRADE, trade_id=str(10_000 + n))] for n in range(2_000)])
    for kind, payloads, limit_ns in (
        (1, itertools.repeat(BOOK), 5_000),
        (2, trades, 3_000),
        (4, itertools.repeat(TICKER), 2_000),
    ):
        watch = stopwatch()
        for _ in range(20):
            some = list(itertools.islice(payloads, 100))
            with watch.round():
                for payload in some:
                    handler._route_message(kind, payload)
        assert watch.best_ns < 100 * limit_ns


def test_loops_are_not_left_behind() -> None:
    async def main() -> int:
        async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
            server.socket.feed("ok 1")

        await run_connected(scene, [BTC], [Channel.ORDERBOOK], rest=Rest())
        return len(asyncio.all_tasks())

    assert run_virtual(main()) == 1
