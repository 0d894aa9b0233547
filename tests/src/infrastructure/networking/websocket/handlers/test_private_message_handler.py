"""Routing and callbacks of an account's data, with a handler whose frames are Python objects."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from exchanges.structs import (
    AuthenticationError,
    AuthenticationTimeout,
    Balance,
    ConfigurationError,
    ConnectionState,
    DecodeError,
    ExchangeRestError,
    Fill,
    MessageType,
    Order,
    ParsedMessage,
    Position,
    PrivateWebsocketChannelType,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PrivateCallbacks, SubscriptionEvent
from infrastructure.networking.websocket.handlers.private_message_handler import EVERY_SYMBOL, PrivateMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.mixins.private_websocket_mixin import PrivateWebSocketMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import PrivateKey, PrivateSubscriptionRequest
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
Channel = PrivateWebsocketChannelType
ORDER = Order(BTC, "1", None, "open", "buy", "limit", 1.0, 2.0, 0.0, 0.0, 5)
FILL = Fill(BTC, "7", "1", "buy", 1.0, 2.0, 0.1, "USDT", "taker", 5)
BALANCE = Balance("USDT", 1.0, 0.0, 5)
POSITION = Position(BTC, -1.0, 2.0, "single", 0.0, 1.0, 0.0, 5)
FRAMES: list[tuple[int, list[Any]]] = [(7, [ORDER]), (5, [FILL]), (6, [BALANCE]), (8, [POSITION])]


class Auth(AuthMixin):
    """Answers as the test says."""

    outcome: Any = True

    def requires_authentication(self) -> bool:
        return True

    def create_auth_message(self) -> dict[str, Any] | None:
        return {"hello": 1}

    async def authenticate(self) -> bool:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return bool(self.outcome)


class Handler(ConnectionMixin, Auth, PrivateMessageHandler):
    """A frame is (kind, payload); control payloads are `ok ID`, `no ID` or nonsense."""

    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        return (0, raw_message.decode()) if isinstance(raw_message, bytes) else raw_message

    def _parse_orders(self, payload: list[Order]) -> list[Order]:
        return payload

    def _parse_fills(self, payload: list[Fill]) -> list[Fill]:
        return payload

    def _parse_balances(self, payload: list[Balance]) -> list[Balance]:
        return payload

    def _parse_positions(self, payload: list[Position]) -> list[Position]:
        return payload

    def _handle_control(self, payload: str) -> None:
        word, _, number = payload.partition(" ")
        if word not in ("ok", "no"):
            raise DecodeError(f"what is {payload}")
        request = self._asked[int(number)]
        if word == "ok":
            self._confirm(request, request.keys, request.names)
        else:
            self._refuse(request, request.keys, request.names, "not yours")

    def channel_name(self, channel: Channel) -> str:
        return channel.name

    def default_channels(self) -> list[Channel]:
        return [*super().default_channels(), Channel.POSITION]

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[PrivateKey]
    ) -> list[PrivateSubscriptionRequest]:
        requests = []
        for key in keys:
            name, number = self.channel_name(key[0]), self._next_id()
            requests.append(
                PrivateSubscriptionRequest(number, f"{action.name} {number} {name}", [key], name, [name], action)
            )
        return requests


class Listener:
    """Remembers every callback."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.answers: list[SubscriptionEvent] = []
        self.errors: list[tuple[str, str]] = []
        self.states: list[ConnectionState] = []
        take = self.events.append
        self.callbacks = PrivateCallbacks(
            take, take, take, take, self.answers.append, lambda *error: self.errors.append(error), self.states.append
        )


def make(listener: Listener | None = None, **options: Any) -> Handler:
    return Handler(WebSocketConfig("ws://x"), callbacks=listener.callbacks if listener else None, **options)


def feed(handler: Handler, *frames: tuple[int, list[Any]]) -> None:
    for frame in frames:
        handler._on_raw_message(frame)  # type: ignore[arg-type]  # its detection takes pairs


@pytest.mark.checklist("2.3.1", "2.3.2", "2.3.4", "2.3.5", "2.3.7", "2.3.10", "2.3.12", "5.1.8")
def test_each_type_reaches_its_callback() -> None:
    listener = Listener()
    handler = make(listener)
    feed(handler, *FRAMES)
    assert listener.events == [[ORDER], [FILL], [BALANCE], [POSITION]]
    assert handler.handler_metrics()["frames"] == dict.fromkeys(["trade", "balance", "order", "position"], 1)


@pytest.mark.checklist("2.3.3", "2.3.6")
def test_parsers_are_abstract_and_the_private_mixin_is_in() -> None:
    wanted = {"_parse_orders", "_parse_fills", "_parse_balances", "_parse_positions", "_handle_control"}
    assert wanted <= PrivateMessageHandler.__abstractmethods__
    assert issubclass(PrivateMessageHandler, PrivateWebSocketMixin)


def test_a_fill_comes_once_by_symbol_and_id() -> None:
    listener = Listener()
    handler = make(listener)
    other = replace(FILL, id="8")
    feed(handler, (5, [FILL]), (5, [FILL, other]), (5, [replace(FILL, symbol=ETH)]), (5, [FILL]))
    assert listener.events == [[FILL], [other], [replace(FILL, symbol=ETH)]]
    assert handler.handler_metrics()["repeated_fills"] == 2


def test_an_order_comes_once_in_each_state() -> None:
    listener = Listener()
    handler = make(listener)
    amended = replace(ORDER, price=3.0)
    feed(handler, (7, [ORDER]), (7, [replace(ORDER)]), (7, [amended]), (7, [replace(ORDER)]), (7, [replace(ORDER)]))
    assert listener.events == [[ORDER], [amended], [ORDER]]
    feed(handler, (7, [replace(ORDER, id="2")]), (7, [replace(ORDER, symbol=ETH)]))
    assert len(listener.events) == 5
    assert handler.handler_metrics()["repeated_orders"] == 2


def test_a_state_of_an_order_that_comes_behind_a_later_one_is_left_out() -> None:
    listener = Listener()
    handler = make(listener)
    partial = replace(ORDER, status="partial", filled=1.0)
    filled = replace(ORDER, status="filled", filled=2.0)
    cancelled = replace(ORDER, id="2", status="cancelled")
    feed(handler, (7, [partial, ORDER]), (7, [filled, partial]), (7, [ORDER]))
    feed(handler, (7, [cancelled]), (7, [replace(ORDER, id="2")]))
    assert listener.events == [[partial], [filled], [cancelled]]
    assert handler.handler_metrics()["late_orders"] == 4


def test_a_balance_and_a_position_come_once_in_each_state() -> None:
    listener = Listener()
    handler = make(listener)
    more, flat = replace(BALANCE, free=3.0), replace(POSITION, size=0.0)
    feed(handler, (6, [BALANCE]), (6, [replace(BALANCE), more]), (6, [replace(more)]), (6, [replace(BALANCE)]))
    feed(handler, (8, [POSITION]), (8, [replace(POSITION)]), (8, [flat]), (8, [replace(POSITION, symbol=ETH)]))
    assert listener.events == [[BALANCE], [more], [BALANCE], [POSITION], [flat], [replace(POSITION, symbol=ETH)]]
    metrics = handler.handler_metrics()
    assert (metrics["repeated_balances"], metrics["repeated_positions"]) == (2, 1)


def test_what_the_consumer_does_to_an_order_is_not_remembered() -> None:
    got: list[Order] = []

    def spoil(orders: list[Order]) -> None:
        got.extend(orders)
        orders[0].status = "mine"

    handler = make()
    handler.set_callbacks(PrivateCallbacks(on_orders=spoil))
    feed(handler, (7, [replace(ORDER)]), (7, [replace(ORDER)]))
    assert len(got) == 1


@pytest.mark.checklist("2.3.13")
def test_a_callback_that_raises_is_counted_and_the_next_frame_comes(caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener()

    def fail(_: Any) -> None:
        raise RuntimeError("broken")

    handler = make(listener)
    handler.set_callbacks(
        PrivateCallbacks(fail, listener.events.append, on_error=lambda *error: listener.errors.append(error))
    )
    feed(handler, (7, [ORDER]), (5, [FILL]))
    assert (listener.errors, listener.events) == ([("callback", "broken")], [[FILL]])
    assert handler.handler_metrics()["callback_errors"] == 1


def test_callbacks_nobody_gave_and_empty_lists_are_no_error() -> None:
    listener = Listener()
    handler = make()
    feed(handler, *FRAMES)
    assert handler.error_count == 0
    handler.set_callbacks(listener.callbacks)
    feed(handler, *((kind, []) for kind, _ in FRAMES))
    assert listener.events == []


async def run_connected(scene: Any, channels: list[Channel], **options: Any) -> None:
    server, listener = FakeServer(), Listener()
    handler = make(listener, transport=server.open, **options)
    await handler.initialize([BTC], channels)
    await settle()
    await scene(server, listener, handler)
    await handler.close()


@pytest.mark.checklist("2.3.9", "2.3.11", "2.3.14")
def test_channels_are_subscribed_for_the_whole_account() -> None:
    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        assert server.socket.sent == [
            "SUBSCRIBE 1 ORDER", "SUBSCRIBE 2 TRADE", "SUBSCRIBE 3 BALANCE", "SUBSCRIBE 4 POSITION",
        ]  # fmt: skip
        server.socket.feed("ok 1", "ok 2", "no 3", "ok 4", "gibberish")
        await settle()
        assert listener.answers == [
            SubscriptionEvent("ORDER", ["ORDER"]),
            SubscriptionEvent("TRADE", ["TRADE"]),
            SubscriptionEvent("BALANCE", ["BALANCE"], "not yours"),
            SubscriptionEvent("POSITION", ["POSITION"], complete=True),
        ]
        assert listener.errors == [("subscribe", "not yours"), ("decode", "what is gibberish")]
        assert handler.active_symbols == {EVERY_SYMBOL}
        await handler.subscribe([ETH])
        await handler.unsubscribe([BTC, EVERY_SYMBOL])
        assert len(server.socket.sent) == 4
        server.socket.end()
        await settle()
        assert server.sockets[1].sent == ["SUBSCRIBE 5 ORDER", "SUBSCRIBE 6 TRADE", "SUBSCRIBE 7 POSITION"]

    run_virtual(run_connected(scene, []))


def test_offline_subscribe_says_so() -> None:
    async def main() -> None:
        with pytest.raises(ExchangeRestError, match="503"):
            await make().subscribe([BTC])

    run_virtual(main())


def test_fills_and_orders_are_remembered_over_a_reconnect() -> None:
    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        feed(handler, (5, [FILL]), (7, [ORDER]))
        server.socket.feed("ok 1")
        server.socket.end()
        await settle()
        assert len(server.sockets) == 2
        feed(handler, (5, [FILL]), (7, [ORDER]))
        assert listener.events == [[FILL], [ORDER]]

    run_virtual(run_connected(scene, [Channel.TRADE]))


def test_channels_of_another_scope_are_refused() -> None:
    class Spot(Handler):
        def default_channels(self) -> list[Channel]:
            return PrivateMessageHandler.default_channels(self)

    with pytest.raises(ConfigurationError, match="POSITION"):
        Spot(WebSocketConfig("ws://x")).set_subscriptions([], [Channel.ORDER, Channel.POSITION])
    with pytest.raises(ValueError, match="1 is not a valid"):
        make().set_subscriptions([], [1])  # type: ignore[list-item]  # the caller's mistake


@pytest.mark.checklist("2.3.8", "2.3.11", "5.1.9", "5.1.15")
@pytest.mark.parametrize(
    ("outcome", "attempts", "text"),
    [
        (AuthenticationError("wrong key"), 1, "wrong key"),
        (AuthenticationTimeout("no answer"), 11, "no answer"),
        (False, 1, "the exchange did not confirm who we are"),
    ],
)
def test_refused_credentials_are_not_tried_again(outcome: Any, attempts: int, text: str) -> None:
    server, listener = FakeServer(), Listener()

    async def main() -> None:
        handler = make(listener, transport=server.open)
        handler.outcome = outcome
        await handler.initialize()
        assert handler._connection_task is not None
        await handler._connection_task
        assert listener.states[-1] is ConnectionState.ERROR
        await handler.close()

    run_virtual(main())
    assert listener.errors == [("auth", text)] * attempts
    assert [socket.sent for socket in server.sockets] == [[]] * attempts


def test_a_coroutine_consumer_gets_the_shared_types() -> None:
    got: list[ParsedMessage] = []

    async def on_message(message: ParsedMessage) -> None:
        got.append(message)

    async def scene(server: FakeServer, listener: Listener, handler: Handler) -> None:
        server.socket.feed("ok 1", "gibberish")
        await settle()
        feed(handler, *FRAMES, (5, [replace(FILL, id="8"), replace(FILL, id="9", symbol=ETH, timestamp=6)]))
        await settle()
        assert got == [
            ParsedMessage(MessageType.SUBSCRIPTION_CONFIRM, None, "ORDER", ["ORDER"]),
            ParsedMessage(MessageType.ERROR, data="what is gibberish"),
            ParsedMessage(MessageType.ORDER, BTC, "ORDER", [ORDER], 5),
            ParsedMessage(MessageType.TRADE, BTC, "TRADE", [FILL], 5),
            ParsedMessage(MessageType.BALANCE, None, "BALANCE", [BALANCE], 5),
            ParsedMessage(MessageType.POSITION, BTC, "POSITION", [POSITION], 5),
            ParsedMessage(MessageType.TRADE, None, "TRADE", got[-1].data, 6),
        ]
        assert [fill.id for fill in got[-1].data] == ["8", "9"]
        assert listener.events == []

    run_virtual(run_connected(scene, [], message_handler=on_message))


@pytest.mark.checklist("2.3.15", "2.3.16", "2.3.17")
@pytest.mark.parametrize(("kind", "limit_ns"), [(7, 10_000), (8, 10_000), (6, 5_000), (5, 10_000)])
def test_routing_is_cheap(kind: int, limit_ns: int, stopwatch: Any) -> None:
    handler = make(Listener())
    handler.set_callbacks(PrivateCallbacks())
    numbers = itertools.count()
    one = dict(FRAMES)[kind][0]
    watch = stopwatch()
    for _ in range(20):
        some = [[replace(one, timestamp=next(numbers))] for _ in range(100)]
        if kind == 5:
            some = [[replace(fill, id=str(fill.timestamp))] for (fill,) in some]
        with watch.round():
            for payload in some:
                handler._route_message(kind, payload)
    assert watch.best_ns < 100 * limit_ns
