"""What a relay reads in frames: subscriptions, answers, and whatever could trade."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadow.network.topics import answer_of, ask_of, is_trading, topic_of


def raw(**frame: Any) -> bytes:
    return json.dumps(frame).encode()


@pytest.mark.parametrize(
    ("exchange", "frame", "what"),
    [
        ("gateio", {"channel": "spot.order_place", "event": "api", "payload": {}}, "spot.order_place"),
        ("gateio", {"channel": "spot.order_cancel_ids", "event": "api"}, "spot.order_cancel_ids"),
        ("gateio", {"channel": "futures.order_amend", "event": "api"}, "futures.order_amend"),
        ("gateio", {"channel": "futures.order_batch_place", "event": "api"}, "futures.order_batch_place"),
        ("gateio", {"channel": "spot.order_place", "event": "API"}, "spot.order_place"),
        ("gateio", {"event": "subscribe"}, "an unreadable frame"),
        ("gateio", {"channel": "spot.login", "event": "api"}, ""),
        ("gateio", {"channel": "spot.ping"}, ""),
        ("gateio", {"channel": "spot.trades", "event": "subscribe", "payload": ["A_B"]}, ""),
        ("mexc", {"method": "order.place", "params": []}, "order.place"),
        ("mexc", {"params": []}, "an unreadable frame"),
        ("mexc", {"method": "ping"}, ""),
        ("mexc", {"method": "SUBSCRIPTION", "params": []}, ""),
    ],
)
def test_only_what_is_known_to_be_harmless_may_pass(exchange: str, frame: dict[str, Any], what: str) -> None:
    assert is_trading(exchange, raw(**frame)) == what


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"[1]", b'{"channel":"spot.order_place","event":"api"'])
def test_a_frame_that_nobody_can_read_does_not_pass(payload: bytes) -> None:
    assert is_trading("gateio", payload) == "an unreadable frame"
    assert is_trading("mexc", payload) == "an unreadable frame"


@pytest.mark.parametrize(
    ("channel", "payload", "topics"),
    [
        ("spot.trades", ["A_B", "C_D"], {("trade", "A_B"), ("trade", "C_D")}),
        ("spot.order_book_update", ["A_B", "100ms"], {("book", "A_B")}),
        ("futures.order_book_update", ["A_B", "100ms", "100"], {("book", "A_B")}),
        ("spot.obu", ["ob.A_B.50"], {("book", "A_B")}),
        ("spot.balances", None, {("balance", "")}),
        ("futures.positions", ["7", "!all"], {("position", "")}),
        ("spot.candlesticks", ["10s", "A_B"], set()),
    ],
)
def test_the_topics_of_a_gateio_subscription(channel: str, payload: Any, topics: set[tuple[str, str]]) -> None:
    ask = ask_of("gateio", raw(id=3, channel=channel, event="subscribe", payload=payload))
    assert ask is not None
    assert (ask.id, ask.channel, ask.is_unsubscribe) == (3, channel, False)
    assert set(ask.topics.values()) == topics


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("spot@public.aggre.depth.v3.api.pb@100ms@AB", ("book", "AB")),
        ("spot@public.limit.depth.v3.api.pb@AB@5", ("book", "AB")),
        ("spot@public.aggre.deals.v3.api.pb@100ms@AB", ("trade", "AB")),
        ("spot@public.aggre.bookTicker.v3.api.pb@100ms@AB", ("book_ticker", "AB")),
        ("spot@public.miniTicker.v3.api.pb@AB@UTC+8", ("ticker", "AB")),
        ("spot@private.deals.v3.api.pb", ("fill", "")),
        ("spot@private.orders.v3.api.pb", ("order", "")),
        ("spot@public.kline.v3.api.pb@AB@Min1", None),
        ("Not Subscribed successfully! [x]", None),
    ],
)
def test_the_topic_of_a_mexc_subscription(name: str, topic: tuple[str, str] | None) -> None:
    assert topic_of(name) == topic


def test_answers_say_what_was_granted() -> None:
    name = "spot@public.aggre.deals.v3.api.pb@100ms@AB"
    granted = answer_of("mexc", raw(id=0, code=0, msg=name))
    refused = answer_of("mexc", raw(id=0, code=0, msg=f"Not Subscribed successfully! [{name}]. Reason: Blocked!"))
    assert granted is not None
    assert refused is not None
    assert (granted.is_granted, granted.names, refused.is_granted) == (True, frozenset({name}), False)
    assert answer_of("mexc", raw(id=0, code=0, msg="PONG")) is None
    fail = answer_of("gateio", raw(channel="spot.trades", event="subscribe", error={"code": 2}, result={}))
    assert fail is not None
    assert not fail.is_granted
    assert answer_of("gateio", raw(channel="spot.trades", event="update", result={})) is None
