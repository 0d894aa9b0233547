"""What the sides ask on private connections, compared by meaning: keys, ids, times and signatures say nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

SPOT, FUTURES, MEXC = "gateio.spot.private", "gateio.futures.private", "mexc.spot.private"
CREATE = "POST /api/v3/userDataStream?timestamp={}&signature=***"


def ask(scene: Any, role: str, connection: str, frame: Any, kind: str = "ws") -> None:
    payload = frame.encode() if isinstance(frame, str) else json.dumps(frame).encode()
    scene.requests.append(
        {"t": 1, "leg": "main", "subject": role, "connection": connection, "conn_no": 1, "kind": kind,
         "payload": payload}
    )  # fmt: skip


def subscribe(channel: str, payload: list[str] | None, time: int, event: str = "subscribe") -> dict[str, Any]:
    frame = {"time": time, "channel": channel, "event": event,
             "auth": {"method": "api_key", "KEY": "***", "SIGN": f"{time:x}"}}  # fmt: skip
    return frame if payload is None else frame | {"payload": payload}


def login(channel: str, number: int) -> dict[str, Any]:
    payload = {"req_id": f"login-{number}", "api_key": "***", "timestamp": str(number), "signature": f"{number:x}"}
    return {"time": number, "channel": channel, "event": "api", "payload": payload}


def ask_all(scene: Any, role: str, number: int, uid: str) -> None:
    """Everything that a stack asks for on the three connections, in its own words."""
    ask(scene, role, SPOT, login("spot.login", number))
    ask(scene, role, SPOT, subscribe("spot.orders", ["!all"], number))
    ask(scene, role, SPOT, subscribe("spot.balances", None if number % 2 else [], number))
    ask(scene, role, FUTURES, login("futures.login", number + 1))
    for channel in ("orders", "usertrades", "positions"):
        ask(scene, role, FUTURES, subscribe(f"futures.{channel}", [uid, "!all"], number))
    ask(scene, role, FUTURES, subscribe("futures.balances", [uid], number))
    ask(scene, role, MEXC, CREATE.format(number) + ("&recvWindow=5000" if number % 2 else ""), "rest")
    ask(scene, role, MEXC, {"target": f"/ws?listenKey={number}", "headers": [["User-Agent", role]]}, "handshake")
    ask(scene, role, MEXC, {"method": "SUBSCRIPTION", "params": ["spot@private.orders.v3.api.pb"], "id": number})
    for i in range(number):
        ask(scene, role, MEXC, f"PUT /api/v3/userDataStream?listenKey=***&timestamp={i}&signature=***", "rest")


def asked(scene: Any) -> set[tuple[str, str, str, str]]:
    return {(item.side, item.connection, item.field, item.severity) for item in scene.judge().differences}


def test_two_stacks_with_other_keys_times_and_ids_ask_the_same(scene: Any) -> None:
    ask_all(scene, "legacy", 3, "0")
    ask_all(scene, "new", 2, "12345678")
    ask(scene, "new", MEXC, "DELETE /api/v3/userDataStream?listenKey=***", "rest")
    ask(scene, "new", SPOT, "GET /api/v4/spot/orders?status=open", "rest")
    assert asked(scene) == set()


@pytest.mark.parametrize(
    ("connection", "frame", "kind", "fields"),
    [
        (SPOT, subscribe("spot.orders", ["BTC_USDT"], 1), "ws", {"subscribe extra"}),
        (SPOT, subscribe("spot.orders", ["!all"], 1) | {"auth": None}, "ws", {"subscribe extra"}),
        (SPOT, subscribe("spot.orders", ["!all"], 1, "unsubscribe"), "ws", {"unsubscribe extra"}),
        (SPOT, {**login("spot.login", 1), "payload": {"req_id": "x"}}, "ws", {"login extra"}),
        (FUTURES, subscribe("futures.orders", ["9", "BTC_USDT"], 1), "ws", {"subscribe extra"}),
        (MEXC, {"target": "/ws?other=1", "headers": []}, "handshake", {"parameter extra"}),
        (MEXC, "POST /api/v3/userDataStream?timestamp=1", "rest", {"listen key extra"}),
    ],
)
def test_another_meaning_is_control_of_the_candidate(
    scene: Any, connection: str, frame: Any, kind: str, fields: set[str]
) -> None:
    for role in ("legacy", "new"):
        ask_all(scene, role, 3, "0")
    ask(scene, "new", connection, frame, kind)
    assert asked(scene) == {("new", connection, field, "minor") for field in fields}


def test_a_login_a_listen_key_and_its_renewal_left_out_are_control(scene: Any) -> None:
    ask_all(scene, "legacy", 3, "0")
    ask_all(scene, "new", 3, "0")
    scene.requests = [
        row for row in scene.requests
        if row["subject"] == "legacy" or not any(word in row["payload"] for word in (b"spot.login", b"userDataStream"))
    ]  # fmt: skip
    assert asked(scene) == {
        ("new", SPOT, "login missing", "minor"),
        ("new", MEXC, "listen key missing", "minor"),
        ("new", MEXC, "listen key renewal missing", "minor"),
    }


@pytest.mark.parametrize("role", ["legacy", "new"])
@pytest.mark.parametrize(
    ("connection", "frame", "kind"),
    [
        (SPOT, {"time": 1, "channel": "spot.order_place", "event": "api", "payload": {}}, "ws"),
        (FUTURES, {"time": 1, "channel": "futures.order_cancel_ids", "event": "api", "payload": {}}, "ws"),
        (SPOT, "POST /api/v4/spot/orders\n{}", "rest"),
        (MEXC, "DELETE /api/v3/order?symbol=BTCUSDT", "rest"),
        ("", "POST /api/v4/futures/usdt/orders", "rest"),
    ],
)
def test_orders_are_critical(scene: Any, role: str, connection: str, frame: Any, kind: str) -> None:
    ask(scene, role, connection, frame, kind)
    assert asked(scene) == {(role, connection, "order", "critical")}


@pytest.mark.parametrize("role", ["legacy", "new"])
def test_where_a_fault_refused_a_login_only_orders_count(scene: Any, role: str) -> None:
    ask_all(scene, "legacy", 3, "0")
    ask(scene, "new", SPOT, login("spot.login", 1))
    ask(scene, "new", FUTURES, login("futures.login", 1))
    scene.fault("refuse-auth", FUTURES, role)
    scene.error(role, FUTURES, "auth")
    assert asked(scene) == {
        ("new", SPOT, "subscribe missing", "minor"),
        ("new", MEXC, "listen key renewal missing", "minor"),
    }
    ask(scene, role, FUTURES, {"time": 1, "channel": "futures.order_place", "event": "api", "payload": {}})
    assert (role, FUTURES, "order", "critical") in asked(scene)
    scene.fault("expire-key", MEXC, role)
    assert {connection for _, connection, _, _ in asked(scene)} == {SPOT, FUTURES}
