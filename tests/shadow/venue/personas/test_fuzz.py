"""Hostile clients: whatever a frame or call says, every persona answers it, and the next good one as always."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.venue.market import market_for
from shadow.venue.personas.listen_keys import PATH
from shadow.venue.personas.registry import PERSONAS, PRIVATE
from shadow.venue.wire import Refused, Reply

Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
FUZZ = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOW_S = 1_790_281_243.45
CREDENTIALS = {"key": "the-key", "secret": "the-secret", "uid": "10000001"}
CONNECTIONS = [*PERSONAS, *PRIVATE]


def signed(text: str, algorithm: Any = hashlib.sha512) -> str:
    return hmac.new(b"the-secret", text.encode(), algorithm).hexdigest()


def persona_of(connection: str) -> Any:
    exchange, market, scope = connection.split(".")
    view = market_for(exchange, market, ["BTC_USDT"], 1, int(NOW_S * 1000))
    return PERSONAS[connection](view) if scope == "public" else PRIVATE[connection](view, 1.0, CREDENTIALS)


def key_call(method: str = "POST", **more: str) -> dict[str, str]:
    query = {"timestamp": str(int(NOW_S * 1000)), **more}
    return query | {"signature": signed(urlencode(query), hashlib.sha256)}


def session_of(persona: Any) -> Any:
    target = persona.ws_path
    if persona.id == "mexc.spot.private":
        answer = persona.rest("POST", PATH, key_call(), {"X-MEXC-APIKEY": "the-key"}, b"", NOW_S)
        target += f"?listenKey={json.loads(answer.body)['listenKey']}"
    return persona.open(target, {}, NOW_S)


def subscribe(persona: Any) -> bytes:
    """A good subscription, signed where it has to be."""
    key = persona.default_variant("order" if persona.id.endswith("private") else "trade", "BTC_USDT")
    if persona.exchange == "mexc":
        return json.dumps({"method": "SUBSCRIPTION", "params": [key], "id": 3}).encode()
    channel, _, symbol = key.partition("|")
    frame: dict[str, Any] = {"time": int(NOW_S), "id": 3, "channel": channel, "event": "subscribe", "payload": [symbol]}
    if persona.id.endswith("private"):
        sign = signed(f"channel={channel}&event=subscribe&time={int(NOW_S)}")
        frame["auth"] = {"method": "api_key", "KEY": "the-key", "SIGN": sign}
        frame["payload"] = [CREDENTIALS["uid"]] * (persona.market == "futures") + ["!all"]
    return json.dumps(frame).encode()


def good_requests(persona: Any) -> list[bytes]:
    if persona.exchange == "mexc":
        return [subscribe(persona), b'{"method":"PING"}', b'{"method":"UNSUBSCRIPTION","params":["x"],"id":4}']
    stamp = str(int(NOW_S))
    login = {"req_id": "r1", "api_key": "the-key", "timestamp": stamp, "signature": "00"}
    login["signature"] = signed(f"api\n{persona.market}.login\n\n{stamp}")
    frame = {"time": int(NOW_S), "channel": f"{persona.market}.login", "event": "api", "payload": login}
    ping = {"time": 1, "id": 5, "channel": f"{persona.market}.ping"}
    return [subscribe(persona), json.dumps(frame).encode(), json.dumps(ping).encode()]


def ask(session: Any, data: str | bytes, way: str = "on_message") -> list[Reply]:
    """Replies that can be sent: each has bytes, or is a close."""
    replies: list[Reply] | None = getattr(session, way)(data, NOW_S)
    for reply in replies or []:
        assert isinstance(reply.payload, bytes)
        assert reply.payload or reply.kind == "close"
    return replies or []


def check(connection: str, frames: Sequence[bytes]) -> None:
    persona = persona_of(connection)
    session = session_of(persona)
    for frame in frames:
        for data in (frame, frame.decode(errors="replace")):
            assert ask(session, data)
            ask(session, data, "refuse")
            if hasattr(session, "deny") and persona.exchange == "gateio":
                ask(session, data, "deny")
    fresh = session_of(persona)
    assert [reply.kind for reply in ask(fresh, subscribe(persona))] == ["ack"]


@pytest.mark.parametrize("connection", CONNECTIONS)
@FUZZ
@given(data=st.data())
def test_every_frame_is_answered(connection: str, hostile: Hostile, data: st.DataObject) -> None:
    check(connection, data.draw(st.lists(hostile(good_requests(persona_of(connection))), min_size=1, max_size=4)))


FOUND = [
    b'{"channel":"spot.trades","event":"subscribe","id":1180591620717411303424,"payload":["BTC_USDT"]}',
    b'{"channel":"futures.trades","event":"subscribe","payload":[1180591620717411303424]}',
    b'{"channel":"spot.orders","event":"subscribe","payload":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"method":"PING","id":1180591620717411303424}',
    b"[" * 3000,
    b'{"channel":"' + b"[" * 3000,
]


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_frames_that_once_broke_a_persona(connection: str) -> None:
    check(connection, FOUND)
    persona = persona_of(connection)
    good = subscribe(persona)
    if b'"SIGN"' in good:
        frame = json.loads(good)
        frame["auth"]["SIGN"] = "é"
        check(connection, [json.dumps(frame).encode()])


WORDS = st.sampled_from(["", "é", "9" * 5000, "-1", "1e9", "nan", "٣", "BTC_USDT", "abc", "\ud800"])
NAMES = ["timestamp", "signature", "recvWindow", "listenKey", "symbol", "currency_pair", "limit", "contract", "with_id",
         "interval"]  # fmt: skip
PATHS = [PATH, "/api/v3/depth", "/api/v3/exchangeInfo", "/api/v4/spot/order_book", "/api/v4/spot/currency_pairs",
         "/api/v4/futures/usdt/order_book", "/api/v4/futures/usdt/contracts", "/"]  # fmt: skip


@pytest.mark.parametrize("connection", CONNECTIONS)
@FUZZ
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "é"]),
    path=st.sampled_from(PATHS),
    changes=st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=4),
    body=st.binary(max_size=40),
)
def test_every_call_is_answered_or_left(
    connection: str, method: str, path: str, changes: dict[str, str], body: bytes
) -> None:
    persona = persona_of(connection)
    answer = persona.rest(method, path, key_call() | changes, {"X-MEXC-APIKEY": "the-key"}, body, NOW_S)
    assert answer is None or (100 <= answer.status < 600 and isinstance(answer.body, bytes))


@pytest.mark.parametrize("connection", CONNECTIONS)
@FUZZ
@given(query=st.text(max_size=30), more=st.sampled_from(["", "/", "?", "?listenKey=", "?listenKey=%ff", "//"]))
def test_every_handshake_opens_or_is_refused(connection: str, query: str, more: str) -> None:
    persona = persona_of(connection)
    try:
        session = persona.open(persona.ws_path + more + query, {"X-Gate-Size-Decimal": query}, NOW_S)
    except Refused:
        return
    assert session.due(NOW_S + 1) is not None
