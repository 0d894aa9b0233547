"""The MEXC spot persona speaks as the wire reference says."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.venue.market import Market, market_for
from shadow.venue.personas.mexc import MexcSpotPublic, MexcSpotSession
from shadow.venue.wire import Push, Refused, Reply

NOW_S = 1_790_281_243.45
NOW_MS = 1_790_281_243_450
SYMBOLS = ("BTC_USDT", "ETH_USDT", *(f"A{number}_USDT" for number in range(8)))
DEPTH = "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"
DEALS = "spot@public.aggre.deals.v3.api.pb@10ms@BTCUSDT"


@pytest.fixture
def market() -> Market:
    return market_for("mexc", "spot", SYMBOLS, 1, NOW_MS)


@pytest.fixture
def persona(market: Market) -> MexcSpotPublic:
    return MexcSpotPublic(market)


@pytest.fixture
def session(persona: MexcSpotPublic) -> MexcSpotSession:
    return persona.open("/ws", {}, NOW_S)


def request(*channels: str, method: str = "SUBSCRIPTION", **more: Any) -> str:
    return json.dumps({"method": method, "params": list(channels), **more})


def say(session: MexcSpotSession, text: str | bytes, now_s: float = NOW_S) -> tuple[Reply, dict[str, Any]]:
    (reply,) = session.on_message(text, now_s)
    assert reply.is_text
    return reply, json.loads(reply.payload)


def pushed(push: Push | None) -> PushDataV3ApiWrapper:
    assert push is not None
    assert not push.is_text
    wrapper = PushDataV3ApiWrapper()
    wrapper.ParseFromString(push.payload)
    # What the generated code writes again is the same bytes, so fields stand in ascending order.
    assert wrapper.SerializeToString() == push.payload
    return wrapper


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        (request(DEPTH), "ack", {"id": 0, "code": 0, "msg": DEPTH}),
        (request(DEPTH, DEALS, id=9), "ack", {"id": 9, "code": 0, "msg": f"{DEPTH},{DEALS}"}),
        (request(DEPTH, method="UNSUBSCRIPTION", id=2), "ack", {"id": 2, "code": 0, "msg": DEPTH}),
        ('{"method":"PING"}', "pong", {"id": 0, "code": 0, "msg": "PONG"}),
        ('{"method":"ping","id":4}', "pong", {"id": 4, "code": 0, "msg": "PONG"}),
        ("nonsense", "error", {"id": 0, "code": 0, "msg": "unreadable message"}),
        (b"\xff", "error", {"id": 0, "code": 0, "msg": "unreadable message"}),
        (request(method="SUBSCRIPTION"), "refused", {"id": 0, "code": 0, "msg": "unknown request SUBSCRIPTION"}),
        (request("x", method="order.place"), "refused", {"id": 0, "code": 0, "msg": "unknown request order.place"}),
    ],
)
def test_the_dialogue(session: MexcSpotSession, text: str | bytes, kind: str, answer: dict[str, Any]) -> None:
    reply, frame = say(session, text)
    assert (reply.kind, frame) == (kind, answer)


@pytest.mark.parametrize(
    "channel",
    [
        "spot@public.deals.v3.api.pb@BTCUSDT",
        "spot@public.aggre.depth.v3.api@100ms@BTCUSDT",
        "spot@public.aggre.depth.v3.api.pb@1000ms@BTCUSDT",
        "spot@public.aggre.depth.v3.api.pb@100ms@NOUSDT",
        "spot@public.limit.depth.v3.api.pb@BTCUSDT@50",
        "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+1",
        "spot@private.orders.v3.api.pb",
    ],
)
def test_a_refusal_has_code_0_and_fails_the_whole_request(session: MexcSpotSession, channel: str) -> None:
    reply, frame = say(session, request(DEPTH, channel, id=3))
    assert reply.kind == "refused"
    assert reply.variants == (DEPTH,)
    assert frame == {
        "id": 3,
        "code": 0,
        "msg": f"Not Subscribed successfully! [{DEPTH},{channel}].  Reason\uff1a Blocked! ",
    }
    assert session.subscriptions == set()


@pytest.mark.parametrize(
    ("channel", "type_"),
    [
        (DEPTH, "book"),
        (DEALS, "trade"),
        ("spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT", "book_ticker"),
        ("spot@public.limit.depth.v3.api.pb@BTCUSDT@20", "book"),
        ("spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8", "ticker"),
    ],
)
def test_what_can_be_subscribed(session: MexcSpotSession, persona: MexcSpotPublic, channel: str, type_: str) -> None:
    reply, _ = say(session, request(channel))
    assert reply.variants == (channel,)
    assert session.subscriptions == {channel}
    assert persona.variant(channel) == (type_, "BTC_USDT")
    assert session.opening(channel) == []


def test_thirty_subscriptions_fit_on_a_connection(session: MexcSpotSession, persona: MexcSpotPublic) -> None:
    types = ("book", "trade", "book_ticker")
    channels = [persona.default_variant(type_, symbol) for type_ in types for symbol in SYMBOLS]
    assert len(channels) == 30
    for channel in channels:
        assert say(session, request(channel))[0].kind == "ack"
    assert say(session, request(channels[0]))[0].kind == "ack"
    one_more = persona.default_variant("ticker", "BTC_USDT")
    reply, _ = say(session, request(channels[0], one_more))
    assert (reply.kind, reply.variants) == ("refused", (one_more,))
    assert channels[0] in session.subscriptions
    say(session, request(channels[0], method="UNSUBSCRIPTION"))
    assert say(session, request(persona.default_variant("ticker", "BTC_USDT")))[0].kind == "ack"


def test_more_than_100_messages_in_a_second_end_the_socket(session: MexcSpotSession) -> None:
    ping = '{"method":"PING"}'
    for place in range(100):
        assert say(session, ping, NOW_S + place / 1000)[0].kind == "pong"
    (close,) = session.on_message(ping, NOW_S + 0.5)
    assert (close.kind, close.close_code) == ("close", 1008)


def test_the_socket_lives_24_hours_in_scaled_time(market: Market) -> None:
    session = MexcSpotPublic(market, time_scale=1440.0).open("/ws", {}, NOW_S)
    say(session, request(DEPTH))
    assert session.due(NOW_S + 59.9) == []
    (close,) = session.due(NOW_S + 60)
    assert (close.kind, close.close_code) == ("close", 1000)
    assert session.due(NOW_S + 61) == []


def test_a_socket_without_subscription_is_dropped_after_30_s(session: MexcSpotSession) -> None:
    assert session.due(NOW_S + 29.9) == []
    assert [reply.close_code for reply in session.due(NOW_S + 30)] == [1006]


def test_unsubscribe_drops_the_channel_and_answers_as_subscribe_does(session: MexcSpotSession) -> None:
    held = session.subscriptions
    say(session, request(DEPTH, DEALS))
    reply, frame = say(session, request(DEPTH, "spot@public.none", method="UNSUBSCRIPTION"))
    assert (reply.unsubscribe, reply.variants) == (True, (DEPTH,))
    assert frame["msg"] == f"{DEPTH},spot@public.none"
    assert session.subscriptions == held == {DEALS}


def test_refuse_words_a_refusal_and_lets_pings_pass(session: MexcSpotSession) -> None:
    (reply,) = session.refuse(request(DEPTH), NOW_S)
    assert (reply.kind, reply.variants, session.subscriptions) == ("refused", (DEPTH,), set())
    assert session.refuse('{"method":"PING"}', NOW_S)[0].kind == "pong"


def test_a_handshake_elsewhere_is_refused(persona: MexcSpotPublic) -> None:
    with pytest.raises(Refused):
        persona.open("/ws/v4/", {}, NOW_S)


def test_a_depth_push_names_every_changed_level(market: Market, persona: MexcSpotPublic) -> None:
    events = [market.step("book", "BTC_USDT", NOW_MS) for _ in range(20)]
    removed = 0
    for event in events:
        push = persona.encode(event, DEPTH)
        wrapper = pushed(push)
        body = wrapper.publicAggreDepths
        assert push is not None
        assert (push.symbol, push.first, push.last, push.events) == ("BTCUSDT", event.first, event.last, 1)
        assert (wrapper.channel, wrapper.symbol, wrapper.sendTime) == (DEPTH, "BTCUSDT", NOW_MS)
        assert (body.fromVersion, body.toVersion) == (str(event.first), str(event.last))
        assert body.eventType == "spot@public.aggre.depth.v3.api.pb@100ms"
        for side, levels in ((body.bids, event.bids), (body.asks, event.asks)):
            written = [(item.price, Decimal(item.quantity)) for item in side]
            assert written == [(price, Decimal(quantity)) for price, quantity in levels]
            removed += sum(item.quantity == "0.00000000" for item in side)
    assert removed > 0


def test_a_deals_push_holds_each_trade_with_its_id(market: Market, persona: MexcSpotPublic) -> None:
    ids, sizes = [], set()
    for _ in range(30):
        event = market.step("trade", "BTC_USDT", NOW_MS)
        push = persona.encode(event, DEALS)
        body = pushed(push).publicAggreDeals
        assert push is not None
        assert push.events == len(event.trades) == len(body.deals)
        assert body.eventType == "spot@public.aggre.deals.v3.api.pb@10ms"
        for item, trade in zip(body.deals, event.trades, strict=True):
            assert (item.price, item.quantity, item.time) == (trade.price, trade.quantity, trade.time_us // 1000)
            assert item.tradeType == {"buy": 1, "sell": 2}[trade.side]
            assert re.fullmatch(r"\d{18}X0_\d{18}X0", item.tradeId)
            ids.append(item.tradeId)
        sizes.add(len(body.deals))
    assert ids == sorted(set(ids))
    assert sizes == {1, 2, 3}


def test_a_book_ticker_push(market: Market, persona: MexcSpotPublic) -> None:
    event = market.step("book_ticker", "BTC_USDT", NOW_MS)
    body = pushed(persona.encode(event, persona.default_variant("book_ticker", "BTC_USDT"))).publicAggreBookTicker
    assert ((body.bidPrice, body.bidQuantity), (body.askPrice, body.askQuantity)) == (event.bid, event.ask)
    assert body.version == str(event.last)


def test_a_limit_depth_push_is_the_top_of_the_pushed_book(market: Market, persona: MexcSpotPublic) -> None:
    event = market.step("book", "BTC_USDT", NOW_MS)
    push = persona.encode(event, "spot@public.limit.depth.v3.api.pb@BTCUSDT@5")
    body = pushed(push).publicLimitDepths
    version, bids, asks = market.book("BTC_USDT")
    assert push is not None
    assert (body.version, push.last) == (str(version), event.last)
    assert body.eventType == "spot@public.limit.depth.v3.api.pb"
    assert [(item.price, item.quantity) for item in body.bids] == list(bids[:5])
    assert [(item.price, item.quantity) for item in body.asks] == list(asks[:5])


def test_a_mini_ticker_has_quote_turnover_as_volume_and_the_change_as_a_fraction(
    market: Market, persona: MexcSpotPublic
) -> None:
    event = market.step("ticker", "BTC_USDT", NOW_MS)
    body = pushed(persona.encode(event, persona.default_variant("ticker", "BTC_USDT"))).publicMiniTicker
    figures = event.figures
    assert figures is not None
    assert (body.symbol, body.price, body.volume) == ("BTCUSDT", figures["last"], figures["quote_volume"])
    assert body.quantity == figures["base_volume"]
    assert abs(Decimal(body.rate) * 100 - Decimal(figures["change"])) <= Decimal("0.005")


def test_the_rest_book_stands_at_a_version_that_was_pushed(market: Market, persona: MexcSpotPublic) -> None:
    event = market.step("book", "BTC_USDT", NOW_MS)
    market.step("trade", "BTC_USDT", NOW_MS)
    answer = persona.rest("GET", "/api/v3/depth", {"symbol": "BTCUSDT"}, {}, b"", NOW_S)
    assert answer is not None
    body = json.loads(answer.body)
    assert body["lastUpdateId"] == answer.version == event.last
    assert (answer.symbol, body["timestamp"]) == ("BTCUSDT", NOW_MS)
    _, bids, asks = market.book("BTC_USDT")
    assert body["bids"] == [list(level) for level in bids]
    assert body["asks"] == [list(level) for level in asks]


def test_other_rest_calls(persona: MexcSpotPublic) -> None:
    def get(path: str, **query: str) -> tuple[int, Any]:
        answer = persona.rest("GET", f"/api/v3/{path}", query, {}, b"", NOW_S)
        assert answer is not None
        return answer.status, json.loads(answer.body)

    assert get("ping") == (200, {})
    assert get("time") == (200, {"serverTime": NOW_MS})
    assert get("defaultSymbols")[1]["data"][0] == "BTCUSDT"
    assert get("exchangeInfo")[1]["symbols"][1]["baseAsset"] == "ETH"
    assert len(get("exchangeInfo", symbol="ETHUSDT")[1]["symbols"]) == 1
    assert get("depth", symbol="NOUSDT") == (400, {"code": -1121, "msg": "Invalid symbol."})
    assert len(get("depth", symbol="BTCUSDT", limit="5")[1]["bids"]) == 5
    assert get("depth", symbol="BTCUSDT", limit="0")[0] == 400
    assert persona.rest("POST", "/api/v3/userDataStream", {}, {}, b"", NOW_S) is None
    assert persona.rest("GET", "/api/v4/spot/time", {}, {}, b"", NOW_S) is None
