"""MEXC's private persona: listen keys by signed calls, connections that live with them, frames that read back."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from shadow.reference import events, mexc
from shadow.venue.account import Account
from shadow.venue.account_events import BalanceState, FillState, OrderState
from shadow.venue.market import Market, market_for
from shadow.venue.personas.listen_keys import MOST_CONNECTIONS, MOST_KEYS, PATH, VALID_S
from shadow.venue.personas.mexc_private import INVALID_KEY, MexcSpotPrivate
from shadow.venue.personas.mexc_private_frames import CHANNELS, order_id
from shadow.venue.wire import Refused

NOW_S = 1_790_281_243.45
NOW_MS = 1_790_281_243_450
SYMBOLS = ("BTC_USDT", "ETH_USDT")
CREDENTIALS = {"key": "mx0key", "secret": "the-secret"}
ALL = list(CHANNELS)


@pytest.fixture
def market() -> Market:
    return market_for("mexc", "spot", SYMBOLS, 1, NOW_MS)


@pytest.fixture
def persona(market: Market) -> MexcSpotPrivate:
    return MexcSpotPrivate(market, 1.0, CREDENTIALS)


def call(
    persona: MexcSpotPrivate, method: str, now_s: float = NOW_S, key: str = "mx0key", **query: Any
) -> tuple[int, Any]:
    """A signed call; `signature` may be given."""
    plain = {"timestamp": str(int(now_s * 1000)), **query}
    signature = plain.pop("signature", None)
    made = hmac.new(b"the-secret", urlencode(plain).encode(), hashlib.sha256).hexdigest()
    answer = persona.rest(method, PATH, plain | {"signature": signature or made}, {"X-MEXC-APIKEY": key}, b"", now_s)
    assert answer is not None
    return answer.status, json.loads(answer.body)


def new_key(persona: MexcSpotPrivate) -> str:
    status, body = call(persona, "POST")
    assert status == 200
    key: str = body["listenKey"]
    return key


def connected(persona: MexcSpotPrivate, key: str, now_s: float = NOW_S) -> Any:
    return persona.open(f"/ws/private?listenKey={key}", {}, now_s)


def ask(session: Any, method: str, channels: list[str] | None = None, now_s: float = NOW_S) -> Any:
    return session.on_message(json.dumps({"method": method, "params": channels, "id": 3}), now_s)


def test_a_key_lets_in_and_its_channels_are_acked(persona: MexcSpotPrivate) -> None:
    session = connected(persona, new_key(persona))
    (reply,) = ask(session, "SUBSCRIPTION", ALL)
    assert (reply.kind, reply.variants) == ("ack", tuple(ALL))
    assert json.loads(reply.payload) == {"id": 3, "code": 0, "msg": ",".join(ALL)}
    assert session.subscriptions == set(ALL)
    (pong,) = ask(session, "PING")
    assert json.loads(pong.payload)["msg"] == "PONG"
    (left,) = ask(session, "UNSUBSCRIPTION", ALL[:1])
    assert left.unsubscribe
    assert session.subscriptions == set(ALL[1:])


@pytest.mark.parametrize("channels", [["spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"], [*ALL, "nonsense"]])
def test_other_channels_are_refused_with_code_0(persona: MexcSpotPrivate, channels: list[str]) -> None:
    session = connected(persona, new_key(persona))
    (reply,) = ask(session, "SUBSCRIPTION", channels)
    body = json.loads(reply.payload)
    assert (reply.kind, body["code"]) == ("refused", 0)
    assert body["msg"].startswith("Not Subscribed successfully!")
    assert not session.subscriptions
    (barred,) = session.refuse(json.dumps({"method": "SUBSCRIPTION", "params": ALL}), NOW_S)
    assert barred.variants == tuple(ALL)


def test_a_wrong_key_is_told_in_bare_text_and_ends_the_connection(persona: MexcSpotPrivate) -> None:
    for session in (connected(persona, "wrong"), persona.open("/ws/private", {}, NOW_S)):
        told, closed = ask(session, "SUBSCRIPTION", ALL)
        assert (told.payload, closed.kind, closed.close_code) == (INVALID_KEY, "close", 1008)
    silent = connected(persona, "wrong")
    told, closed = silent.due(NOW_S + 1)
    assert (told.payload, closed.kind) == (INVALID_KEY, "close")
    assert silent.due(NOW_S + 2) == []
    with pytest.raises(Refused):
        persona.open("/ws", {}, NOW_S)


def test_a_key_is_good_for_an_hour_unless_extended(persona: MexcSpotPrivate) -> None:
    key, other = new_key(persona), new_key(persona)
    session, gone = connected(persona, key), connected(persona, other)
    assert call(persona, "PUT", NOW_S + VALID_S - 1, listenKey=key) == (200, {"listenKey": key})
    assert session.due(NOW_S + VALID_S + 1)[0].close_code != 1008  # silence may close it, the key does not
    assert [reply.close_code for reply in gone.due(NOW_S + VALID_S + 1)] == [None, 1008]
    assert call(persona, "PUT", NOW_S + VALID_S + 1, listenKey=other)[0] == 400
    assert call(persona, "GET", NOW_S + VALID_S + 1) == (200, {"listenKey": [key]})


def test_a_deleted_key_and_an_expired_day_end_connections(persona: MexcSpotPrivate) -> None:
    key = new_key(persona)
    session = connected(persona, key)
    assert call(persona, "DELETE", listenKey=key) == (200, {"listenKey": key})
    assert ask(session, "PING")[0].payload == INVALID_KEY
    another = connected(persona, new_key(persona))
    another.expire()
    assert another.due(NOW_S)[0].payload == INVALID_KEY


def test_limits_of_keys_and_of_connections(persona: MexcSpotPrivate) -> None:
    keys = [new_key(persona) for _ in range(MOST_KEYS)]
    assert call(persona, "POST")[0] == 429
    sessions = [connected(persona, keys[0]) for _ in range(MOST_CONNECTIONS)]
    assert ask(connected(persona, keys[0]), "PING")[0].payload == INVALID_KEY
    for _ in range(2):  # told twice, the place is given back once
        sessions[0].ended()
    assert ask(connected(persona, keys[0]), "PING")[0].kind == "pong"
    assert ask(connected(persona, keys[0]), "PING")[0].payload == INVALID_KEY


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": "another"}, 10072),
        ({"signature": "0" * 64}, 700002),
        ({"timestamp": str(NOW_MS - 6000)}, 700003),
        ({"timestamp": "now"}, 700003),
        ({"timestamp": str(NOW_MS - 9000), "recvWindow": "8000"}, 700003),
    ],
)
def test_a_call_that_is_not_signed_right_is_refused(
    persona: MexcSpotPrivate, changes: dict[str, Any], code: int
) -> None:
    status, body = call(persona, "POST", **changes)
    assert (status, body["code"]) == (400, code)


def test_a_wider_window_is_allowed_and_other_paths_are_not_ours(persona: MexcSpotPrivate) -> None:
    assert call(persona, "POST", timestamp=str(NOW_MS - 9000), recvWindow="10000")[0] == 200
    assert persona.rest("POST", "/api/v3/order", {}, {}, b"", NOW_S) is None
    assert call(persona, "GET")[0] == 200


def test_a_denied_key_is_told_so_whatever_is_asked(persona: MexcSpotPrivate) -> None:
    session = connected(persona, new_key(persona))
    told, closed = session.deny(b"{}", NOW_S)
    assert (told.payload, closed.close_code) == (INVALID_KEY, 1008)
    assert ask(session, "PING")[0].payload == INVALID_KEY


def number(text: str | None) -> Decimal:
    assert text is not None
    return Decimal(text)


def test_every_event_reads_back_as_it_was(persona: MexcSpotPrivate, market: Market) -> None:
    """By the reference decoder, which shares no code with the venue."""
    account = Account(market, "spot", SYMBOLS, 3, NOW_MS)
    seen = set()
    for step in range(120):
        for event in account.step(SYMBOLS[step % 2], NOW_MS + step):
            push = persona.encode(event, persona.default_variant(event.type, ""))
            assert push is not None
            (read,) = mexc.decode(push.payload)
            seen.add(read.type)
            assert read.symbol == event.symbol.replace("_", "")
            if isinstance(event, OrderState):
                assert isinstance(read, events.Order)
                assert (read.id, read.client_id, read.side) == (order_id(event.id), event.client_id, event.side)
                assert (read.status, read.kind, read.ts) == (event.status, event.kind, event.ts_ms)
                assert (number(read.quantity), number(read.filled)) == (event.quantity, event.filled)
                assert (number(read.price), number(read.average_price)) == (event.price, event.average_price)
            elif isinstance(event, FillState):
                assert isinstance(read, events.Fill)
                assert (read.order_id, read.side, read.role) == (order_id(event.order_id), event.side, event.role)
                assert (number(read.price), number(read.quantity)) == (event.price, event.quantity)
                assert (number(read.fee), read.fee_asset, read.ts) == (event.fee, "USDT", event.time_us // 1000)
            else:
                assert isinstance(event, BalanceState)
                assert isinstance(read, events.Balance)
                assert (read.asset, number(read.free), number(read.locked)) == (event.asset, event.free, event.locked)
                assert read.ts == event.ts_ms
    assert seen == {"order", "fill", "balance"}
