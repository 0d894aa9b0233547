"""What a side asks of the exchange is counted, and a multiple of what legacy asks is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

GATEIO = "gateio.spot.public"
SUBSCRIBE = json.dumps({"time": 5, "channel": "spot.trades", "event": "subscribe", "payload": ["A_B"]}).encode()
BOOK = b"GET /api/v4/spot/order_book?currency_pair=A_B&limit=100"


def ask(scene: Any, role: str, payload: bytes, times: int) -> None:
    row = {"t": 1, "leg": "main", "subject": role, "connection": GATEIO, "conn_no": 1, "payload": payload}
    scene.requests += [{**row, "kind": "ws" if payload == SUBSCRIBE else "rest"}] * times


def told(scene: Any) -> list[tuple[str, str, str, str]]:
    return [(item.code, item.side, item.severity, item.field) for item in scene.judge().differences]


@pytest.mark.parametrize(
    ("closes", "times", "fields"),
    [
        (0, 12, []),
        (0, 13, ["subscribe too many"]),
        (20, 52, []),
        (20, 53, ["subscribe too many"]),
    ],
)
def test_a_subscription_is_made_once_a_socket(scene: Any, closes: int, times: int, fields: list[str]) -> None:
    ask(scene, "legacy", SUBSCRIBE, 1)
    ask(scene, "new", SUBSCRIBE, times)
    for n in range(closes):
        scene.note("new", GATEIO, "close", conn_no=n + 1, cause="connect-leg", code=1001)
        scene.note("new", GATEIO, "open", conn_no=n + 2)
    assert told(scene) == [("CONTROL", "new", "minor", field) for field in fields]


def test_a_book_may_be_asked_for_after_each_drop_and_not_all_the_time(scene: Any) -> None:
    ask(scene, "legacy", SUBSCRIBE, 1)
    ask(scene, "new", SUBSCRIBE, 1)
    ask(scene, "new", BOOK, 40)
    assert told(scene) == [("CONTROL", "new", "minor", "rest too many")]
    for _ in range(10):
        scene.mark("fault", "new", kind="drop", connection=GATEIO)
    assert told(scene) == []


@pytest.mark.parametrize("kind", ["stale-rest", "refuse-subscribe"])
def test_who_is_not_answered_asks_again(scene: Any, kind: str) -> None:
    scene.mark("fault", "new", kind=kind, connection=GATEIO)
    ask(scene, "legacy", SUBSCRIBE, 1)
    ask(scene, "new", SUBSCRIBE, 40)
    ask(scene, "new", BOOK, 40)
    assert told(scene) == []


@pytest.mark.parametrize(("more", "fields"), [(2, []), (3, ["sockets at once too many"])])
def test_sockets_that_are_open_at_once_are_counted(scene: Any, more: int, fields: list[str]) -> None:
    for n in range(more):
        scene.note("new", GATEIO, "open", conn_no=n + 2)
    assert told(scene) == [("CONTROL", "new", "minor", field) for field in fields]


@pytest.mark.parametrize(("renewals", "fields"), [(11, []), (12, ["connections too many"])])
def test_renewals_are_few(scene: Any, renewals: int, fields: list[str]) -> None:
    for n in range(renewals):
        scene.note("new", GATEIO, "open", conn_no=n + 2)
        scene.note("new", GATEIO, "close", conn_no=n + 1, code=1000)
    assert told(scene) == [("CONTROL", "new", "minor", field) for field in fields]


def test_as_much_as_legacy_is_never_too_much(scene: Any) -> None:
    for role in ("legacy", "new"):
        ask(scene, role, SUBSCRIBE, 500)
        ask(scene, role, BOOK, 500)
        for n in range(30):
            scene.note(role, GATEIO, "open", conn_no=n + 2)
    assert told(scene) == []
