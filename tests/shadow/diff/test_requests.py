"""What the sides asked is compared by meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"


def ask(scene: Any, role: str, connection: str, frame: Any, kind: str = "ws") -> None:
    payload = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    scene.requests.append(
        {"t": 1, "leg": "main", "subject": role, "connection": connection, "conn_no": 1, "kind": kind,
         "payload": payload}
    )  # fmt: skip


def gateio(channel: str, payload: list[str], event: str = "subscribe", time: int = 5) -> dict[str, Any]:
    return {"time": time, "channel": channel, "event": event, "payload": payload}


def test_order_batching_times_and_ids_do_not_matter(scene: Any) -> None:
    ask(scene, "legacy", GATEIO, gateio("spot.trades", ["A_B", "C_D"]))
    ask(scene, "legacy", GATEIO, gateio("spot.order_book_update", ["A_B", "100ms"]))
    ask(scene, "new", GATEIO, gateio("spot.order_book_update", ["A_B", "100ms"], time=9))
    ask(scene, "new", GATEIO, gateio("spot.trades", ["C_D"]) | {"id": 7})
    ask(scene, "new", GATEIO, gateio("spot.trades", ["A_B"]))
    ask(scene, "legacy", MEXC, {"method": "SUBSCRIPTION", "params": ["x", "y"]})
    ask(scene, "new", MEXC, {"method": "SUBSCRIPTION", "params": ["y"], "id": 3})
    ask(scene, "new", MEXC, {"method": "SUBSCRIPTION", "params": ["x"]})
    diff = scene.judge()
    assert diff.differences == []
    assert {"connection": GATEIO, "kind": "ws", "legacy": 2, "new": 3} in diff.requests


@pytest.mark.parametrize(
    ("frame", "fields"),
    [
        (gateio("spot.order_book_update", ["A_B", "20ms"]), {"subscribe missing", "subscribe extra"}),
        (gateio("spot.order_book_update", ["A_B", "100ms"], "unsubscribe"), {"subscribe missing", "unsubscribe extra"}),
    ],
)
def test_other_subscriptions_are_control_of_the_candidate(scene: Any, frame: Any, fields: set[str]) -> None:
    ask(scene, "legacy", GATEIO, gateio("spot.order_book_update", ["A_B", "100ms"]))
    ask(scene, "new", GATEIO, frame)
    differences = scene.judge().differences
    assert {item.field for item in differences} == fields
    assert {(item.code, item.side, item.severity) for item in differences} == {("CONTROL", "new", "minor")}


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_an_order_frame_is_critical(scene: Any, role: str) -> None:
    ask(scene, role, GATEIO, {"time": 1, "channel": "spot.order_place", "event": "api", "payload": {}})
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.field, item.severity) == ("CONTROL", role, "order", "critical")


def test_a_ping_gone_is_control_and_its_number_does_not_matter(scene: Any) -> None:
    for _ in range(3):
        ask(scene, "legacy", GATEIO, {"time": 1, "channel": "spot.ping"})
        ask(scene, "legacy", MEXC, b"", "ping")
    ask(scene, "new", MEXC, b"", "ping")
    (item,) = scene.judge().differences
    assert (item.connection, item.side, item.field) == (GATEIO, "new", "application ping missing")


def test_headers_of_the_exchange_are_compared_and_those_of_the_library_are_not(scene: Any) -> None:
    for role, agent in (("legacy", "a"), ("new", "b")):
        handshake = {"target": "/ws", "headers": [["User-Agent", agent], ["X-Trace", "1"]]}
        ask(scene, role, GATEIO, handshake, "handshake")
    assert scene.judge().differences == []
    ask(scene, "new", GATEIO, {"headers": [["X-Gate-Size-Decimal", "1"]]}, "handshake")
    assert [item.field for item in scene.judge().differences] == ["header extra"]


def test_a_single_ping_proves_nothing(scene: Any) -> None:
    ask(scene, "legacy", GATEIO, {"time": 1, "channel": "spot.ping"})
    assert scene.judge().differences == []


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_a_stream_that_is_given_up_unasked_is_critical(scene: Any, role: str) -> None:
    scene.note(role, GATEIO, "unsubscribed", channel="trade", symbol="BTC_USDT")
    (item,) = scene.judge().differences
    assert (item.code, item.side, item.connection, item.type) == ("CONTROL", role, GATEIO, "trade")
    assert (item.field, item.severity) == ("unsubscribed", "critical")


@pytest.mark.parametrize("conn_no", [1, 2])
def test_what_is_taken_up_again_or_was_held_by_a_second_socket_is_not_given_up(scene: Any, conn_no: int) -> None:
    scene.note("new", GATEIO, "unsubscribed", channel="trade", symbol="BTC_USDT")
    scene.note("new", GATEIO, "subscribed", channel="trade", symbol="BTC_USDT", conn_no=conn_no)
    assert scene.judge().differences == []


def test_a_second_socket_may_take_over_before_the_first_gives_up(scene: Any) -> None:
    scene.note("new", GATEIO, "subscribed", channel="trade", symbol="BTC_USDT", conn_no=2)
    scene.note("new", GATEIO, "unsubscribed", channel="trade", symbol="BTC_USDT", conn_no=1)
    scene.note("new", GATEIO, "close", conn_no=2, code=1006)
    assert scene.judge().differences == []


def test_who_was_told_to_stop_may_unsubscribe(scene: Any) -> None:
    scene.mark("subject-stop", "new")
    scene.now += 1
    scene.note("new", GATEIO, "unsubscribed", channel="trade", symbol="BTC_USDT")
    assert scene.judge().differences == []
