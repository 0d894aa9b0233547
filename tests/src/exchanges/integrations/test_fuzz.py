"""Damaged and hostile frames into the whole new stack: each is counted and reported, the next good one is delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchanges.structs import (
    ExchangeConfig,
    ExchangeCredentials,
    PublicWebsocketChannelType,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.events import PrivateCallbacks, PublicCallbacks

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
GoodFrames = Callable[[str], list[bytes]]
PUBLIC = ["gateio.spot.public", "gateio.futures.public", "mexc.spot.public"]
PRIVATE = ["gateio.spot.private", "gateio.futures.private", "mexc.spot.private"]
ANSWERS = {
    "gateio": [
        b'{"id":1,"channel":"spot.trades","event":"subscribe","error":null,"result":{"status":"success"}}',
        b'{"id":2,"channel":"futures.orders","event":"subscribe","error":{"code":4,"message":"no"},"result":null}',
        b'{"request_id":"login-1-1","ack":false,"header":{"status":"200","channel":"spot.login","event":"api"},'
        b'"data":{"result":{"api_key":"k","uid":"7"}}}',
        b'{"request_id":"login-1-1","ack":false,"header":{"status":"401","channel":"spot.login"},'
        b'"data":{"errs":{"label":"INVALID_KEY","message":"no"}}}',
        b'{"channel":"spot.pong","time":1790000000,"result":null}',
    ],
    "mexc": [
        b'{"id":1,"code":0,"msg":"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"}',
        b'{"id":1,"code":0,"msg":"Not Subscribed successfully! [spot@private.deals.v3.api.pb]. Reason: Blocked!"}',
        b'{"id":0,"code":0,"msg":"PONG"}',
        b"Invalid listen key",
    ],
}


class Stack:
    """A handler that knows its channels, without a connection."""

    def __init__(self, connection: str) -> None:
        exchange, market, scope = connection.split(".")
        self.events: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        credentials = ExchangeCredentials("the-key", "the-secret")
        name = f"{exchange}_{market}".upper()
        config = ExchangeConfig(
            name, credentials, websocket_url="ws://127.0.0.1:1/", websocket=WebSocketConfig("ws://x")
        )
        builder = import_module(f"exchanges.integrations.{exchange}.builder")
        callbacks = self._public() if scope == "public" else self._private()
        self.handler = builder.build_direct(config, callbacks, scope == "private").handler
        symbol = Symbol("BTC", "USDT", market == "futures")
        channels: Any = PublicWebsocketChannelType if scope == "public" else self.handler.default_channels()
        self.handler.set_subscriptions([symbol], list(channels))
        keys = [(channel, symbol) for channel in channels]
        self.handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, keys)

    def _public(self) -> PublicCallbacks:
        take = self.events.append
        return PublicCallbacks(
            on_book=take, on_trades=take, on_book_ticker=take, on_ticker=take, on_error=self._on_error
        )

    def _private(self) -> PrivateCallbacks:
        take = self.events.append
        return PrivateCallbacks(
            on_orders=take, on_fills=take, on_balances=take, on_positions=take, on_error=self._on_error
        )

    def _on_error(self, kind: str, text: str) -> None:
        self.errors.append((kind, text))

    def decode_reports(self) -> int:
        return sum(kind == "decode" for kind, _ in self.errors)


def is_finite(value: Any) -> bool:
    """Whether no number in an event is an infinity or NaN."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, (list, tuple)):
        return all(map(is_finite, value))
    return not isinstance(value, msgspec.Struct) or all(map(is_finite, msgspec.structs.astuple(value)))


def flat(events: list[Any]) -> list[Any]:
    """The events, without the lists that some come in."""
    return [event for entry in events for event in (entry if isinstance(entry, list) else [entry])]


def subject(event: Any) -> tuple[Any, ...]:
    """What an event is about: an order, a trade, an asset, a symbol."""
    names = ("id", "trade_id", "asset", "symbol")
    return type(event), *(getattr(event, name, None) for name in names)


@cache
def unharmed_events(connection: str, frames: tuple[bytes, ...]) -> list[Any]:
    """What a stack that had nothing else tells of these frames."""
    stack = Stack(connection)
    for frame in frames:
        stack.handler._on_raw_message(frame)
    return stack.events


def check(connection: str, frames: list[bytes], after: list[bytes]) -> None:
    """Each frame counts once, a failure is reported once and is never the consumer's; then good ones come through."""
    stack = Stack(connection)
    handler = stack.handler
    for frame in frames:
        failed_before, reported_before = handler.decode_errors, stack.decode_reports()
        handler._on_raw_message(frame)
        assert handler.decode_errors - failed_before == stack.decode_reports() - reported_before <= 1
    assert handler.frames_received() == len(frames)
    assert handler.callback_errors == 0, stack.errors
    if connection in PRIVATE:
        assert [event for event in stack.events if not is_finite(event)] == []
    before, unharmed = flat(stack.events), unharmed_events(connection, tuple(after))
    for frame in after:
        handler._on_raw_message(frame)
    told_all = flat(stack.events)
    missing = [event for event in flat(unharmed) if event not in told_all]
    assert len(unharmed) == len(after)
    # A frame may be damaged where nothing depends on it. What it told is not told again, nor what is older.
    assert [event for event in missing if all(subject(event) != subject(told) for told in before)] == []


@pytest.mark.no_cover
@pytest.mark.parametrize("connection", [*PUBLIC, *PRIVATE])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_frame_ends_the_stack_and_each_is_counted(
    connection: str, hostile: Hostile, good_frames: GoodFrames, data: st.DataObject
) -> None:
    good = good_frames(connection)
    frames = data.draw(st.lists(hostile([*good, *ANSWERS[connection.partition(".")[0]]]), min_size=1, max_size=6))
    check(connection, frames, good[4:8])


@pytest.mark.parametrize("connection", [*PUBLIC, *PRIVATE])
def test_what_is_no_frame_at_all_is_reported_as_such(connection: str) -> None:
    stack = Stack(connection)
    for text in ("<html>", "\x00\x01\x02", "{"):
        stack.handler._on_raw_message(text.encode())
    assert [kind for kind, _ in stack.errors] == ["decode"] * 3
    assert stack.events == []


def test_a_key_is_refused_where_no_connection_is() -> None:
    stack = Stack("mexc.spot.private")
    stack.handler._on_raw_message(b"Invalid listen key")
    assert stack.errors == [("auth", "Invalid listen key")]


def test_the_good_frames_are_good(good_frames: GoodFrames) -> None:
    for connection in (*PUBLIC, *PRIVATE):
        stack = Stack(connection)
        for frame in good_frames(connection):
            stack.handler._on_raw_message(frame)
        assert stack.errors == []
        assert len(stack.events) >= len(good_frames(connection)) - 2, connection
        kinds = {type(item[0] if isinstance(item, list) else item).__name__ for item in stack.events}
        assert len(kinds) >= 3
