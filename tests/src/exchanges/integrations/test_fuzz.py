"""Damaged and hostile frames into the whole new stack: each is counted and reported, the next good one is delivered."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.structs import ExchangeConfig, PublicWebsocketChannelType, SubscriptionAction, Symbol, WebSocketConfig
from exchanges.structs.events import PublicCallbacks
from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS

BTC = Symbol("BTC", "USDT")
NAMES = {"gateio": "GATEIO_SPOT", "mexc": "MEXC_SPOT"}
TYPES = ("book", "trade", "book_ticker", "ticker")
ACKS = {
    "gateio": b'{"id":1,"channel":"spot.trades","event":"subscribe","error":null,"result":{"status":"success"}}',
    "mexc": b'{"id":1,"code":0,"msg":"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"}',
}
ODD_TEXTS = [
    "",
    "{}",
    "[]",
    "null",
    "0",
    "{",
    "PONG",
    "Invalid listen key",
    '{"msg":"PONG"}',
    '{"channel":"spot.pong"}',
]


class Stack:
    """A handler that knows its channels, without a connection."""

    def __init__(self, exchange: str) -> None:
        self.events: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        take = self.events.append
        callbacks = PublicCallbacks(
            on_book=take,
            on_trades=take,
            on_book_ticker=take,
            on_ticker=take,
            on_error=lambda kind, text: self.errors.append((kind, text)),
        )
        config = ExchangeConfig(NAMES[exchange], websocket_url="ws://127.0.0.1:1/", websocket=WebSocketConfig("ws://x"))
        builder = import_module(f"exchanges.integrations.{exchange}.builder")
        self.handler = builder.build_direct(config, callbacks).handler
        keys = [(channel, BTC) for channel in PublicWebsocketChannelType]
        self.handler.set_subscriptions([BTC], list(PublicWebsocketChannelType))
        self.handler.create_subscription_messages(SubscriptionAction.SUBSCRIBE, keys)


@cache
def good(exchange: str) -> list[bytes]:
    """A few frames of each type, as the exchange writes them."""
    market = market_for(exchange, "spot", ["BTC_USDT"], 1, 1_790_000_000_000)
    persona = PERSONAS[f"{exchange}.spot.public"](market)
    frames = []
    for number in range(12):
        event = market.step(TYPES[number % 4], "BTC_USDT", 1_790_000_000_000 + 20 * number)
        push = persona.encode(event, persona.default_variant(TYPES[number % 4], "BTC_USDT"))
        assert push is not None
        frames.append(push.payload)
    return frames


@st.composite
def damaged(draw: st.DrawFn, exchange: str) -> bytes:
    """A good frame or an answer, with a piece cut out, doubled, overwritten or put in from elsewhere."""
    frame = draw(st.sampled_from([*good(exchange), ACKS[exchange]]))
    first, last = sorted(draw(st.tuples(st.integers(0, len(frame)), st.integers(0, len(frame)))))
    middle = draw(st.sampled_from([b"", frame[first:last] * 2, b"\x00", b"\xff" * 9, b'"', b"1e999", b"-", b"null"]))
    return frame[:first] + middle + frame[last:]


HOSTILE = {
    exchange: st.one_of(
        st.binary(max_size=200),
        damaged(exchange),
        st.sampled_from(ODD_TEXTS).map(str.encode),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5).map(
            lambda value: json.dumps({"channel": "spot.trades", "event": "update", "result": value}).encode()
        ),
    )
    for exchange in NAMES
}


@pytest.mark.parametrize("exchange", ["gateio", "mexc"])
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_frame_ends_the_stack_and_each_is_counted(exchange: str, data: st.DataObject) -> None:
    stack = Stack(exchange)
    frames = data.draw(st.lists(HOSTILE[exchange], min_size=1, max_size=6))
    for frame in frames:
        failed_before, reported_before = stack.handler.decode_errors, len(stack.errors)
        stack.handler._on_raw_message(frame)
        failed = stack.handler.decode_errors - failed_before
        assert failed == len(stack.errors) - reported_before <= 1
    assert stack.handler.frames_received() == len(frames)
    assert stack.handler.callback_errors == 0, stack.errors
    before = len(stack.events)
    for frame in good(exchange)[4:8]:
        stack.handler._on_raw_message(frame)
    assert len(stack.events) >= before + 3  # a trade whose id came in a damaged frame may be a repetition


@pytest.mark.parametrize("exchange", ["gateio", "mexc"])
def test_what_is_no_frame_at_all_is_reported_as_such(exchange: str) -> None:
    stack = Stack(exchange)
    for text in ("<html>", "\x00\x01\x02", "{"):
        stack.handler._on_raw_message(text.encode())
    assert [kind for kind, _ in stack.errors] == ["decode"] * 3
    assert stack.events == []
