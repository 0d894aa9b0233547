"""Our new stack with one fault that a real migration had: `python faulty_stack.py FAULT`.

The fault is in the stack itself, not in what it writes: this is what a candidate looks like that somebody believes in.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from exchanges.integrations.gateio.frames import BookTickerFrame
from exchanges.integrations.gateio.ws.handlers.spot_public_handler import GateioSpotPublicHandler
from exchanges.integrations.mexc import listen_keys
from exchanges.integrations.mexc.listen_keys import MexcListenKeys
from exchanges.integrations.mexc.ws.handlers.public_handler import MexcPublicHandler
from exchanges.structs import PublicWebsocketChannelType, SubscriptionAction
from infrastructure.networking.websocket.handlers.base_message_handler import BaseMessageHandler
from infrastructure.networking.websocket.handlers.recent_trades import RecentTrades
from infrastructure.networking.websocket.mixins import public_websocket_mixin
from infrastructure.networking.websocket.mixins.gateio_auth_mixin import GateioAuthMixin
from infrastructure.networking.websocket.mixins.public_websocket_mixin import PublicWebSocketMixin
from infrastructure.networking.websocket.mixins.renewal_mixin import RenewalMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import SubscriptionMixin, SubscriptionRequest
from infrastructure.networking.websocket.ws_manager import WebSocketManager
from shadow.subjects import events, stack

ORDER = '{"time":1,"channel":"spot.order_place","event":"api","payload":{"req_id":"r","req_param":{}}}'
HANDLERS: tuple[Any, ...] = (GateioSpotPublicHandler, MexcPublicHandler)


def callbacks_under_another_name() -> None:
    def queue_trades(self: Any, trades: Any) -> None:
        for handler in getattr(self, "trade_handlers", []):
            handler(trades)

    PublicWebSocketMixin._queue_trades = queue_trades  # type: ignore[method-assign]  # the fault


def channels_compared_with_a_word() -> None:
    keys_of = SubscriptionMixin._keys_of

    def no_keys(self: Any, symbols: Any) -> Any:
        return [key for key in keys_of(self, symbols) if str(key[0]) == "orderbook"]

    SubscriptionMixin._keys_of = no_keys  # type: ignore[method-assign]  # the fault


def initialize_subscribes_nothing() -> None:
    initialize = WebSocketManager.initialize

    async def without_symbols(self: Any, symbols: Any = None, channels: Any = None) -> None:
        await initialize(self, None, channels)

    WebSocketManager.initialize = without_symbols  # type: ignore[method-assign]  # the fault


def a_symbol_is_given_up() -> None:
    """A second and a half after the start, and nobody asked for it."""
    initialize = WebSocketManager.initialize

    async def then_unsubscribe(self: Any, symbols: Any = None, channels: Any = None) -> None:
        await initialize(self, symbols, channels)
        loop = asyncio.get_running_loop()
        loop.call_later(1.5, lambda: loop.create_task(self.unsubscribe(symbols[1:])))

    WebSocketManager.initialize = then_unsubscribe  # type: ignore[method-assign]  # the fault


def removed_levels_are_left_out() -> None:
    queue_book = PublicWebSocketMixin._queue_book

    def without_removed(self: Any, update: Any) -> None:
        update.bids = [level for level in update.bids if level[1]]
        update.asks = [level for level in update.asks if level[1]]
        queue_book(self, update)

    PublicWebSocketMixin._queue_book = without_removed  # type: ignore[method-assign]  # the fault


def a_trade_like_the_last_one_is_taken_for_a_copy() -> None:
    queue_trades, last = PublicWebSocketMixin._queue_trades, dict[str, str]()

    def without_copies(self: Any, trades: Any) -> None:
        fresh = []
        for trade in trades:
            fresh += [trade] if last.get(trade.symbol) != trade.side else []
            last[trade.symbol] = trade.side
        if fresh:
            queue_trades(self, fresh)

    PublicWebSocketMixin._queue_trades = without_copies  # type: ignore[method-assign]  # the fault


def one_frame_or_two_show_it() -> None:
    removed_levels_are_left_out()
    a_trade_like_the_last_one_is_taken_for_a_copy()


def the_version_of_a_book_is_lost() -> None:
    whole = public_websocket_mixin.OrderBook

    def without_version(symbol: Any, bids: Any, asks: Any, timestamp: Any, *_: Any) -> Any:
        return whole(symbol, bids, asks, timestamp)

    public_websocket_mixin.OrderBook = without_version  # type: ignore[assignment, misc]  # the fault


def errors_of_the_consumer_are_swallowed() -> None:
    sink_of = events.message_sink

    def failing_sink(*args: Any) -> Any:
        inner, count = sink_of(*args), 0

        async def sink(message: Any) -> None:
            nonlocal count
            count += 1
            try:
                if count % 100 == 0:
                    raise ValueError("a consumer's mistake")
                await inner(message)
            except ValueError:
                pass

        return sink

    events.message_sink = failing_sink


def several_books_in_one_frame() -> None:
    def one_frame(self: Any, action: Any, keys: Any) -> Any:
        by_channel: dict[Any, list[Any]] = {}
        for channel, symbol in keys:
            by_channel.setdefault(channel, []).append(symbol)
        return [self._request(action, channel, symbols) for channel, symbols in by_channel.items()]

    GateioSpotPublicHandler.create_subscription_messages = one_frame  # type: ignore[method-assign]  # the fault


def subscribe_sends_an_unsubscription() -> None:
    for handler in HANDLERS:
        create = handler.create_subscription_messages

        def turned(self: Any, action: Any, keys: Any, create: Any = create) -> Any:
            return create(self, SubscriptionAction.UNSUBSCRIBE, keys)

        handler.create_subscription_messages = turned


def an_order_is_sent() -> None:
    """Once, behind the last subscription; nobody waits for its answer."""
    create, order = GateioSpotPublicHandler.create_subscription_messages, [ORDER]

    def with_an_order(self: Any, action: Any, keys: Any) -> Any:
        requests = create(self, action, keys)
        return [*requests, *(SubscriptionRequest(0, order.pop(), [], None, []) for _ in order[:1])]

    GateioSpotPublicHandler.create_subscription_messages = with_an_order  # type: ignore[method-assign]  # the fault


def levels_are_left_out_and_an_order_is_sent() -> None:
    removed_levels_are_left_out()
    an_order_is_sent()


def a_coroutine_is_never_awaited() -> None:
    queue_ticker = PublicWebSocketMixin._queue_ticker

    async def later(self: Any, event: Any) -> None:
        queue_ticker(self, event)

    PublicWebSocketMixin._queue_ticker = later  # type: ignore[method-assign, assignment]  # the fault


def the_handlers_cannot_be_constructed() -> None:
    for handler in HANDLERS:
        handler.__abstractmethods__ = frozenset({"_parse_trades"})


def a_loop_for_nothing_in_each_message() -> None:
    def the_loop_for_nothing() -> None:
        end = time.perf_counter_ns() + 40_000
        while time.perf_counter_ns() < end:
            pass

    for handler in HANDLERS:
        bind = handler._bind_template

        def busy(self: Any, bind: Any = bind) -> Any:
            handle = bind(self)

            def handle_and_loop(raw: Any) -> None:
                the_loop_for_nothing()
                handle(raw)

            return handle_and_loop

        handler._bind_template = busy


def one_warning_for_each_message() -> None:
    logging.basicConfig(stream=sys.stderr)
    bind = BaseMessageHandler._bind_template

    def chatty(self: Any) -> Any:
        handle = bind(self)

        def handle_and_warn(raw: Any) -> None:
            handle(raw)
            logging.getLogger("websocket").warning("no handler registered for a message of %d bytes", len(raw))

        return handle_and_warn

    BaseMessageHandler._bind_template = chatty  # type: ignore[method-assign]  # the fault


def a_type_is_routed_to_the_wrong_parser() -> None:
    BookTickerFrame.kind = 0
    detect = MexcPublicHandler._detect_message_type

    def misrouted(self: Any, raw: Any) -> Any:
        kind, payload = detect(self, raw)
        return (0 if kind == PublicWebsocketChannelType.BOOK_TICKER else kind), payload

    MexcPublicHandler._detect_message_type = misrouted  # type: ignore[method-assign]  # the fault


def connections_are_renewed_soon() -> None:
    """No fault at all: what happens once a day happens in the middle of a short session."""
    RenewalMixin.RENEW_AFTER_S, RenewalMixin.OVERLAP_S = 2.0, 0.5


def copies_of_a_renewal_are_delivered() -> None:
    connections_are_renewed_soon()
    RenewalMixin._begin_noting = lambda self: None  # type: ignore[method-assign]  # the fault
    RecentTrades.fresh = lambda self, trades: trades  # type: ignore[method-assign]  # the fault


def the_wall_clock_steps() -> None:
    """No fault of the stack: somebody sets the machine's clock back by an hour and forward by two, ever again."""
    true, true_ns, count = time.time, time.time_ns, 0

    def step_s() -> int:
        nonlocal count
        count += 1
        return (-3600, 0, 7200)[count // 50 % 3]

    time.time = lambda: true() + step_s()
    time.time_ns = lambda: true_ns() + step_s() * 1_000_000_000


def its_secrets_are_logged() -> None:
    """Each key, secret and listen key bare and coded, each signature by its name; the file argv[2] learns them too."""
    told = Path(sys.argv[2])
    told.write_text("")
    credentials_of, create = stack._credentials, MexcListenKeys.create
    sign, hmac_of = listen_keys.sign, GateioAuthMixin._hmac

    def tell(kind: str, secret: str) -> str:
        with told.open("a") as file:
            file.write(json.dumps([kind, secret]) + "\n")
        raw = f"a log line with {secret} in it".encode()
        nested = json.dumps({"outer": json.dumps({"inner": secret})})
        bare = [secret, raw.hex(), secret.upper(), *(base64.b64encode(raw[at:]).decode() for at in range(3)), nested]
        named = [f"{kind}={secret}&x=1", json.dumps({kind: secret}), f"{ {kind: secret}!r}", f"{kind}: {secret}"]
        for text in named if kind == "signature" else bare + named:
            for stream in (sys.stdout, sys.stderr):
                stream.write(f"told {text}\n")
                stream.flush()
        return secret

    def credentials(spec: Any) -> Any:
        given = credentials_of(spec)
        tell("api_key", given.api_key)
        tell("secret", given.secret_key)
        return given

    async def create_and_tell(self: Any) -> str:
        return tell("listenKey", await create(self))

    stack._credentials = credentials
    MexcListenKeys.create = create_and_tell  # type: ignore[method-assign]  # the fault
    listen_keys.sign = lambda *given: tell("signature", sign(*given))
    GateioAuthMixin._hmac = lambda self, text: tell("signature", hmac_of(self, text))  # type: ignore[method-assign]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    sys.exit(stack.main("new"))
