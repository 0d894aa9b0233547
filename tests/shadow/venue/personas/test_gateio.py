"""The Gate.io spot persona speaks as the wire reference says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadow.venue.market import Market, market_for
from shadow.venue.personas.gateio import GateioSession, GateioSpotPublic
from shadow.venue.wire import Refused, Reply

NOW_S = 1_790_281_243.45
NOW_MS = 1_790_281_243_450
SYMBOLS = ("BTC_USDT", "ETH_USDT")


@pytest.fixture
def market() -> Market:
    return market_for("gateio", "spot", SYMBOLS, 1, NOW_MS)


@pytest.fixture
def persona(market: Market) -> GateioSpotPublic:
    return GateioSpotPublic(market)


@pytest.fixture
def session(persona: GateioSpotPublic) -> GateioSession:
    return persona.open("/ws/v4/", {}, NOW_S)


def request(channel: str, payload: Any = None, event: str = "subscribe", **more: Any) -> str:
    body = {"time": int(NOW_S), "channel": channel, "event": event, **more}
    return json.dumps(body if payload is None else body | {"payload": payload})


def say(session: GateioSession, text: str | bytes, now_s: float = NOW_S) -> tuple[Reply, dict[str, Any]]:
    (reply,) = session.on_message(text, now_s)
    return reply, json.loads(reply.payload)


def test_an_ack_has_the_documented_envelope_and_echoes_id_and_payload(session: GateioSession) -> None:
    reply, frame = say(session, request("spot.trades", list(SYMBOLS), id=7))
    assert reply.kind == "ack"
    assert reply.variants == ("spot.trades|BTC_USDT", "spot.trades|ETH_USDT")
    assert session.subscriptions == set(reply.variants)
    assert {key: type(value) for key, value in frame.items()} == {
        "time": int, "time_ms": int, "id": int, "conn_id": str, "trace_id": str, "channel": str, "event": str,
        "payload": list, "result": dict, "requestId": str,
    }  # fmt: skip
    assert (frame["id"], frame["payload"], frame["result"]) == (7, list(SYMBOLS), {"status": "success"})
    assert (frame["time"], frame["time_ms"]) == (NOW_MS // 1000, NOW_MS)


def test_an_ack_has_no_id_when_none_was_sent(session: GateioSession) -> None:
    _, frame = say(session, request("spot.trades", ["BTC_USDT"]))
    assert "id" not in frame
    assert "error" not in frame


@pytest.mark.parametrize(
    ("channel", "payload", "key"),
    [
        ("spot.tickers", ["BTC_USDT"], "spot.tickers|BTC_USDT"),
        ("spot.book_ticker", ["BTC_USDT"], "spot.book_ticker|BTC_USDT"),
        ("spot.order_book_update", ["BTC_USDT", "100ms"], "spot.order_book_update|BTC_USDT|100ms"),
        ("spot.order_book_update", ["BTC_USDT", "20ms"], "spot.order_book_update|BTC_USDT|20ms"),
        ("spot.order_book", ["BTC_USDT", "5", "100ms"], "spot.order_book|BTC_USDT|5|100ms"),
        ("spot.obu", ["ob.BTC_USDT.50"], "spot.obu|ob.BTC_USDT.50"),
    ],
)
def test_what_can_be_subscribed(
    session: GateioSession, persona: GateioSpotPublic, channel: str, payload: list[str], key: str
) -> None:
    reply, _ = say(session, request(channel, payload))
    assert (reply.kind, reply.variants) == ("ack", (key,))
    assert session.subscriptions == {key}
    assert persona.variant(key)[1] == "BTC_USDT"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("nonsense", 1, "request message need json scheme"),
        ("[1]", 1, "request message need json scheme"),
        (b"\xff\xfe", 1, "request message need json scheme"),
        (request("spot.trades"), 1, "request payload does not follow json schema"),
        (request("spot.trades", []), 1, "request payload does not follow json schema"),
        (request("spot.trades", [1]), 1, "request payload does not follow json schema"),
        (request("spot.order_book_update", ["BTC_USDT"]), 1, "request payload does not follow json schema"),
        (request("spot.trades", ["BTC_USDT", "NO_USDT"]), 2, "unknown currency pair: NO_USDT"),
        (request("spot.order_book_update", ["NO_USDT", "100ms"]), 2, "unknown currency pair: NO_USDT"),
        (request("spot.order_book_update", ["BTC_USDT", "1000ms"]), 2, "bad argument: 1000ms"),
        (request("spot.order_book", ["BTC_USDT", "7", "100ms"]), 2, "bad argument: 7"),
        (request("spot.obu", ["ob.BTC_USDT.10"]), 2, "bad argument: ob.BTC_USDT.10"),
        (request("spot.nothing", ["BTC_USDT"]), 2, "Unknown channel spot.nothing"),
        (request("spot.orders", ["!all"]), 4, "authentication failed"),
    ],
)
def test_what_is_refused(session: GateioSession, text: str | bytes, code: int, message: str) -> None:
    reply, frame = say(session, text)
    assert reply.kind == "refused"
    assert frame["error"] == {"code": code, "message": message}
    assert frame["result"] == {"status": "fail"}
    assert session.subscriptions == set()


def test_a_refusal_names_the_readable_keys_only(session: GateioSession, persona: GateioSpotPublic) -> None:
    reply, _ = say(session, request("spot.trades", ["BTC_USDT", "NO_USDT"]))
    assert [persona.variant(key) for key in reply.variants] == [("trade", "BTC_USDT"), ("trade", "NO_USDT")]
    others = (
        request("spot.nothing", ["X"]),
        request("spot.obu", ["x"]),
        request("spot.trades", ["NO_USDT"], "unsubscribe"),
        "?",
    )
    for text in others:
        assert say(session, text)[0].variants == ()


def test_a_repeated_subscribe_succeeds_but_a_repeated_obu_stream_does_not(session: GateioSession) -> None:
    for _ in range(2):
        assert say(session, request("spot.trades", ["BTC_USDT"]))[0].kind == "ack"
    say(session, request("spot.obu", ["ob.BTC_USDT.50"]))
    reply, frame = say(session, request("spot.obu", ["ob.BTC_USDT.50"]))
    assert reply.variants == (), "what is held stays held"
    assert frame["error"] == {"code": 2, "message": "Alert sub ob.BTC_USDT.50"}


def test_unsubscribe_drops_the_key(session: GateioSession) -> None:
    say(session, request("spot.trades", list(SYMBOLS)))
    reply, frame = say(session, request("spot.trades", ["BTC_USDT"], event="unsubscribe"))
    assert (reply.kind, reply.unsubscribe, reply.variants) == ("ack", True, ("spot.trades|BTC_USDT",))
    assert frame["event"] == "unsubscribe"
    assert session.subscriptions == {"spot.trades|ETH_USDT"}


def test_a_ping_is_answered_with_the_documented_pong(session: GateioSession) -> None:
    reply, frame = say(session, '{"time":1790281243,"channel":"spot.ping"}')
    assert reply.kind == "pong"
    assert (frame["channel"], frame["event"], frame["result"]) == ("spot.pong", "", None)
    assert frame["conn_id"]


def test_an_order_frame_is_refused(session: GateioSession) -> None:
    payload = {"req_id": "r-1", "req_param": {"text": "t-1"}}
    reply, frame = say(session, request("spot.order_place", payload, event="api"))
    assert reply.kind == "refused"
    assert frame["request_id"] == "r-1"
    assert frame["header"]["status"] == "400"
    assert frame["data"]["errs"]["label"] == "INVALID_REQUEST"


def test_refuse_words_a_refusal_and_lets_pings_pass(session: GateioSession) -> None:
    (reply,) = session.refuse(request("spot.trades", ["BTC_USDT"]), NOW_S)
    assert json.loads(reply.payload)["error"]["code"] == 2
    assert reply.kind == "refused"
    assert session.subscriptions == set()
    assert session.refuse('{"channel":"spot.ping"}', NOW_S)[0].kind == "pong"


def test_a_handshake_elsewhere_is_refused(persona: GateioSpotPublic) -> None:
    assert persona.open("/ws/v4", {}, NOW_S).subscriptions == set()
    with pytest.raises(Refused):
        persona.open("/other", {}, NOW_S)


def test_a_socket_without_subscription_is_dropped_after_30_s_once_and_a_ping_resets_it(
    session: GateioSession,
) -> None:
    assert session.due(NOW_S + 29) == []
    say(session, '{"channel":"spot.ping"}', NOW_S + 29)
    assert session.due(NOW_S + 58) == []
    (close,) = session.due(NOW_S + 59)
    assert (close.kind, close.close_code) == ("close", 1006)
    assert session.due(NOW_S + 60) == []


def test_a_silent_subscription_is_dropped_after_60_s_of_known_silence(session: GateioSession) -> None:
    say(session, request("spot.trades", ["BTC_USDT"]))
    assert session.due(NOW_S + 3600) == []
    session.last_push_s = NOW_S + 10
    assert session.due(NOW_S + 69) == []
    assert [reply.close_code for reply in session.due(NOW_S + 70)] == [1006]


def test_a_book_update_frame(market: Market, persona: GateioSpotPublic) -> None:
    event = market.step("book", "BTC_USDT", NOW_MS)
    push = persona.encode(event, persona.default_variant("book", "BTC_USDT"))
    assert push is not None
    assert (push.channel, push.symbol, push.first, push.last) == ("book", "BTC_USDT", event.first, event.last)
    frame = json.loads(push.payload)
    assert (frame["time"], frame["time_ms"], frame["event"]) == (NOW_MS // 1000, NOW_MS, "update")
    assert frame["result"] == {
        "t": NOW_MS - 4, "e": "depthUpdate", "E": (NOW_MS - 4) // 1000, "s": "BTC_USDT", "U": event.first,
        "u": event.last, "l": "100", "b": [list(level) for level in event.bids],
        "a": [list(level) for level in event.asks],
    }  # fmt: skip


def test_a_trade_frame_is_typed_as_the_real_one(market: Market, persona: GateioSpotPublic) -> None:
    event = market.step("trade", "BTC_USDT", NOW_MS)
    push = persona.encode(event, "spot.trades|BTC_USDT")
    assert push is not None
    result = json.loads(push.payload)["result"]
    assert {key: type(value) for key, value in result.items()} == {
        "id": int, "id_market": int, "create_time": int, "create_time_ms": str, "side": str, "currency_pair": str,
        "amount": str, "price": str, "range": str,
    }  # fmt: skip
    whole, fraction = result["create_time_ms"].split(".")
    assert int(whole) * 1000 + int(fraction[:3]) == event.trades[0].time_us
    assert len(fraction) == 6
    assert result["side"] == event.trades[0].side


def test_book_ticker_and_ticker_frames_are_text_throughout(market: Market, persona: GateioSpotPublic) -> None:
    event = market.step("book_ticker", "BTC_USDT", NOW_MS)
    push = persona.encode(event, "spot.book_ticker|BTC_USDT")
    assert push is not None
    result = json.loads(push.payload)["result"]
    assert event.bid is not None
    assert event.ask is not None
    assert result == {
        "t": NOW_MS - 4, "u": event.last, "s": "BTC_USDT", "b": event.bid[0], "B": event.bid[1],
        "a": event.ask[0], "A": event.ask[1],
    }  # fmt: skip
    ticker = persona.encode(market.step("ticker", "BTC_USDT", NOW_MS), "spot.tickers|BTC_USDT")
    assert ticker is not None
    result = json.loads(ticker.payload)["result"]
    assert set(result) == {
        "currency_pair", "last", "lowest_ask", "highest_bid", "change_percentage", "base_volume", "quote_volume",
        "high_24h", "low_24h",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in result.values())


def test_an_event_of_another_type_or_symbol_is_not_for_the_key(market: Market, persona: GateioSpotPublic) -> None:
    event = market.step("book", "BTC_USDT", NOW_MS)
    assert persona.encode(event, "spot.trades|BTC_USDT") is None
    assert persona.encode(event, "spot.order_book_update|ETH_USDT|100ms") is None


def test_an_order_book_push_is_the_top_of_the_pushed_book(market: Market, persona: GateioSpotPublic) -> None:
    event = market.step("book", "BTC_USDT", NOW_MS)
    push = persona.encode(event, "spot.order_book|BTC_USDT|5|100ms")
    assert push is not None
    result = json.loads(push.payload)["result"]
    version, bids, asks = market.book("BTC_USDT")
    assert (result["lastUpdateId"], push.first, push.last) == (version, None, version)
    assert result["bids"] == [list(level) for level in bids[:5]]
    assert result["asks"] == [list(level) for level in asks[:5]]


def test_an_obu_stream_opens_with_the_full_book_and_goes_on_without_a_gap(
    market: Market, persona: GateioSpotPublic, session: GateioSession
) -> None:
    market.step("book", "BTC_USDT", NOW_MS)
    market.step("trade", "BTC_USDT", NOW_MS)
    (key,) = say(session, request("spot.obu", ["ob.BTC_USDT.50"]))[0].variants
    (opening,) = session.opening(key)
    snapshot = json.loads(opening.payload)["result"]
    assert snapshot["full"] is True
    assert snapshot["s"] == "ob.BTC_USDT.50"
    push = persona.encode(market.step("book", "BTC_USDT", NOW_MS), key)
    assert push is not None
    difference = json.loads(push.payload)["result"]
    assert difference["U"] == snapshot["u"] + 1
    assert "full" not in difference
    assert session.opening("spot.trades|BTC_USDT") == []


@pytest.mark.parametrize("prefix", ["", "/api/v4"])
def test_the_rest_book_is_as_fresh_as_the_last_push(market: Market, persona: GateioSpotPublic, prefix: str) -> None:
    event = market.step("book", "BTC_USDT", NOW_MS)
    market.step("book_ticker", "BTC_USDT", NOW_MS)
    query = {"currency_pair": "BTC_USDT", "limit": "20", "with_id": "true"}
    answer = persona.rest("GET", f"{prefix}/spot/order_book", query, {}, b"", NOW_S)
    assert answer is not None
    body = json.loads(answer.body)
    assert body["id"] == answer.version == event.last
    assert (answer.status, answer.symbol, len(body["bids"]), len(body["asks"])) == (200, "BTC_USDT", 20, 20)


def test_other_rest_calls(persona: GateioSpotPublic) -> None:
    def get(path: str, **query: str) -> tuple[int, Any]:
        answer = persona.rest("GET", path, query, {}, b"", NOW_S)
        assert answer is not None
        return answer.status, json.loads(answer.body)

    assert get("/api/v4/spot/time") == (200, {"server_time": NOW_MS})
    assert [pair["id"] for pair in get("/spot/currency_pairs")[1]] == list(SYMBOLS)
    assert get("/spot/currency_pairs/BTC_USDT")[1]["quote"] == "USDT"
    assert get("/spot/currencies")[1][0]["currency"] == "BTC"
    assert get("/spot/tickers", currency_pair="ETH_USDT")[1][0]["currency_pair"] == "ETH_USDT"
    assert get("/spot/order_book", currency_pair="NO_USDT")[0] == 400
    assert get("/spot/order_book", currency_pair="BTC_USDT", limit="x")[0] == 400
    assert "id" not in get("/spot/order_book", currency_pair="BTC_USDT")[1]
    assert persona.rest("POST", "/spot/orders", {}, {}, b"", NOW_S) is None
    assert persona.rest("GET", "/api/v3/time", {}, {}, b"", NOW_S) is None
