"""What the relay reads of the exchanges' frames, held against the reference's reading of the venue's own."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from shadow.reference import gateio, mexc
from shadow.reference.events import Book
from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.relay.dialect import DAMAGED, Answer, Data
from shadow.venue.relay.mexc import MexcDialect
from shadow.venue.relay.pool import dialect_of

SYMBOLS = ("BTC_USDT", "ETH_USDT")
KEYS = {
    "gateio.spot.public": (
        "spot.order_book_update|BTC_USDT|20ms",
        "spot.order_book|ETH_USDT|20|100ms",
        "spot.obu|ob.BTC_USDT.50",
        "spot.trades|BTC_USDT",
        "spot.book_ticker|BTC_USDT",
        "spot.tickers|ETH_USDT",
    ),
    "gateio.futures.public": (
        "futures.order_book_update|BTC_USDT|100ms|100|decimal",
        "futures.order_book|ETH_USDT|20|0",
        "futures.trades|BTC_USDT",
        "futures.book_ticker|BTC_USDT",
        "futures.tickers|ETH_USDT",
    ),
    "mexc.spot.public": (
        "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT",
        "spot@public.limit.depth.v3.api.pb@BTCUSDT@20",
        "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT",
        "spot@public.aggre.bookTicker.v3.api.pb@100ms@ETHUSDT",
        "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8",
    ),
}


def pushes(connection: str, key: str, count: int = 5) -> list[Any]:
    """Frames of the venue's own persona for a key."""
    exchange, kind, _ = connection.split(".")
    now_ms = time.time_ns() // 1_000_000
    market = market_for(exchange, kind, SYMBOLS, 3, now_ms)
    persona = PERSONAS[connection](market)
    channel, symbol = persona.variant(key)
    made = [persona.encode(market.step(channel, symbol, now_ms + n), key) for n in range(count)]
    return [push for push in made if push is not None]


@pytest.mark.parametrize(("connection", "key"), [(place, key) for place, keys in KEYS.items() for key in keys])
def test_a_push_names_its_subscription_its_events_and_its_versions(connection: str, key: str) -> None:
    dialect = dialect_of(connection)
    reference = mexc if connection.startswith("mexc") else gateio
    found = pushes(connection, key)
    assert len(found) == 5
    for push in found:
        data = dialect.read(push.payload.decode() if push.is_text else push.payload)
        events = reference.decode(push.payload, push.is_text)
        assert isinstance(data, Data)
        assert data.address == dialect.address(key)
        assert data.events == push.events
        if events:
            assert data.events == len(events)
        if key.startswith(("spot.order_book_update", "futures.order_book_update", "spot@public.aggre.depth")):
            assert isinstance(events[0], Book)
            assert (data.first, data.last) == (events[0].first, events[0].last)


@pytest.mark.parametrize(("connection", "key"), [(place, key) for place, keys in KEYS.items() for key in keys])
def test_a_request_is_what_the_exchange_acks(connection: str, key: str) -> None:
    dialect = dialect_of(connection)
    exchange, kind, _ = connection.split(".")
    persona = PERSONAS[connection](market_for(exchange, kind, SYMBOLS, 3, 0))
    session = persona.open(persona.ws_path, dialect.headers(key), 0.0)
    (reply,) = session.on_message(dialect.subscribe(7, key), 0.0)
    assert (reply.kind, reply.variants) == ("ack", (key,))
    answer = dialect.read(reply.payload.decode())
    assert isinstance(answer, Answer)
    assert (answer.request_id, answer.is_accepted) == (7, True)
    (pong,) = session.on_message(dialect.ping(), 0.0)
    assert pong.kind == "pong"
    assert dialect.read(pong.payload.decode()) is None
    (gone,) = session.on_message(dialect.unsubscribe(8, key), 0.0)
    assert (gone.kind, gone.unsubscribe, session.subscriptions) == ("ack", True, set())


@pytest.mark.parametrize(
    ("connection", "asked"),
    [
        (
            "gateio.spot.public",
            {"time": 1, "id": 5, "channel": "spot.trades", "event": "subscribe", "payload": ["X_Y"]},
        ),
        ("mexc.spot.public", {"method": "SUBSCRIPTION", "params": ["spot@public.deals.v3.api.pb@BTCUSDT"], "id": 5}),
    ],
)
def test_a_refusal_is_told_apart_and_goes_on_under_the_clients_own_id(connection: str, asked: dict[str, Any]) -> None:
    dialect = dialect_of(connection)
    exchange, kind, _ = connection.split(".")
    persona = PERSONAS[connection](market_for(exchange, kind, SYMBOLS, 3, 0))
    (reply,) = persona.open(persona.ws_path, {}, 0.0).on_message(json.dumps({**asked, "id": 99}), 0.0)
    answer = dialect.read(reply.payload.decode())
    assert isinstance(answer, Answer)
    assert (answer.request_id, answer.is_accepted) == (99, False)
    told = json.loads(dialect.refusal(answer.payload, json.dumps(asked).encode()))
    assert told["id"] == 5
    assert told | {"id": 99} == json.loads(reply.payload)
    without = {name: value for name, value in asked.items() if name != "id"}
    assert json.loads(dialect.refusal(answer.payload, json.dumps(without).encode())).get("id", 0) == 0


def test_a_refusal_without_the_id_names_the_key() -> None:
    text = "Not Subscribed successfully! [spot@a,spot@b].  Reason： Blocked! "
    answer = MexcDialect().read(json.dumps({"id": 0, "code": 0, "msg": text}))
    assert isinstance(answer, Answer)
    assert (answer.is_accepted, answer.keys) == (False, ("spot@a", "spot@b"))


@pytest.mark.parametrize("connection", KEYS)
@pytest.mark.parametrize("data", ["{", '{"channel":"spot.trades","event":"update"}', b"\xff", b"\x12\x00"])
def test_what_cannot_be_read_is_damaged_where_it_should_be_data(connection: str, data: str | bytes) -> None:
    is_control = connection.startswith("mexc") and isinstance(data, str)
    assert dialect_of(connection).read(data) is (None if is_control else DAMAGED)


@pytest.mark.parametrize(
    ("connection", "data"),
    [
        ("mexc.spot.public", "Invalid listen key"),
        ("mexc.spot.public", '{"id":0,"code":0,"msg":"PONG"}'),
        ("gateio.spot.public", '{"time":1,"channel":"spot.system","event":"","result":null}'),
    ],
)
def test_notices_concern_nobody(connection: str, data: str) -> None:
    assert dialect_of(connection).read(data) is None


def test_variants_that_say_the_same_of_themselves_share_an_address() -> None:
    dialect = dialect_of("gateio.spot.public")
    fast, slow = (dialect.address(f"spot.order_book_update|BTC_USDT|{speed}") for speed in ("20ms", "100ms"))
    assert fast == slow
    assert dialect.address("spot.obu|ob.BTC_USDT.50") != dialect.address("spot.obu|ob.BTC_USDT.400")
