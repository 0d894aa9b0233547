"""The Gate.io futures persona: its own channels and options, sizes as whole numbers or as text, lenient obu streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadow.venue.market import Market, market_for
from shadow.venue.personas.gateio import GateioFuturesPublic, GateioSession
from shadow.venue.wire import Refused, Reply

NOW_S = 1_790_281_243.45
NOW_MS = 1_790_281_243_450
SYMBOLS = ("BTC_USDT", "ETH_USDT")
TEXT_SIZES = {"X-Gate-Size-Decimal": "1"}


@pytest.fixture
def market() -> Market:
    return market_for("gateio", "futures", SYMBOLS, 1, NOW_MS)


@pytest.fixture
def persona(market: Market) -> GateioFuturesPublic:
    return GateioFuturesPublic(market)


def session(persona: GateioFuturesPublic, headers: dict[str, str] | None = None) -> GateioSession:
    return persona.open("/v4/ws/usdt", headers or {}, NOW_S)


def say(one: GateioSession, channel: str, payload: Any, event: str = "subscribe") -> tuple[Reply, dict[str, Any]]:
    text = json.dumps({"time": int(NOW_S), "channel": channel, "event": event, "payload": payload})
    (reply,) = one.on_message(text, NOW_S)
    return reply, json.loads(reply.payload)


def pushed(persona: GateioFuturesPublic, market: Market, type_: str, key: str) -> dict[str, Any]:
    push = persona.encode(market.step(type_, "BTC_USDT", NOW_MS), key)
    assert push is not None
    frame: dict[str, Any] = json.loads(push.payload)
    return frame


@pytest.mark.parametrize(
    ("channel", "payload", "key"),
    [
        ("futures.tickers", ["BTC_USDT"], "futures.tickers|BTC_USDT"),
        ("futures.trades", ["BTC_USDT"], "futures.trades|BTC_USDT"),
        ("futures.book_ticker", ["BTC_USDT"], "futures.book_ticker|BTC_USDT"),
        (
            "futures.order_book_update",
            ["BTC_USDT", "100ms", "100"],
            "futures.order_book_update|BTC_USDT|100ms|100",
        ),
        ("futures.order_book", ["BTC_USDT", "20", "0"], "futures.order_book|BTC_USDT|20|0"),
        ("futures.obu", ["ob.BTC_USDT.400"], "futures.obu|ob.BTC_USDT.400"),
    ],
)
def test_what_can_be_subscribed(persona: GateioFuturesPublic, channel: str, payload: list[str], key: str) -> None:
    reply, frame = say(session(persona), channel, payload)
    assert (reply.kind, reply.variants, frame["result"]) == ("ack", (key,), {"status": "success"})
    assert persona.variant(key)[1] == "BTC_USDT"


@pytest.mark.parametrize(
    ("channel", "payload", "code"),
    [
        ("futures.trades", ["NONE_USDT"], 2),
        ("futures.order_book_update", ["BTC_USDT", "100ms"], 1),
        ("futures.order_book_update", ["BTC_USDT", "10ms", "100"], 2),
        ("futures.order_book_update", ["BTC_USDT", "100ms", "400"], 2),
        ("futures.orders", ["1", "!all"], 4),
        ("spot.trades", ["BTC_USDT"], 2),
        ("futures.trades", "BTC_USDT", 1),
    ],
)
def test_what_is_refused(persona: GateioFuturesPublic, channel: str, payload: Any, code: int) -> None:
    one = session(persona)
    reply, frame = say(one, channel, payload)
    assert (reply.kind, frame["error"]["code"], frame["result"]) == ("refused", code, {"status": "fail"})
    assert not one.subscriptions


def test_an_obu_stream_of_an_unknown_contract_is_acked_and_stays_silent(persona: GateioFuturesPublic) -> None:
    one = session(persona)
    reply, _ = say(one, "futures.obu", ["ob.NONE_USDT.400"])
    assert reply.kind == "ack"
    assert one.opening(reply.variants[0]) == []
    known, _ = say(one, "futures.obu", ["ob.BTC_USDT.50"])
    (full,) = one.opening(known.variants[0])
    result = json.loads(full.payload)["result"]
    assert result["full"] is True
    assert all(isinstance(size, str) for _, size in result["b"])


def test_the_ping_has_the_markets_own_channel(persona: GateioFuturesPublic) -> None:
    one = session(persona)
    (pong,) = one.on_message('{"time":1,"channel":"futures.ping"}', NOW_S)
    assert (pong.kind, json.loads(pong.payload)["channel"]) == ("pong", "futures.pong")
    (odd,) = one.on_message('{"time":1,"channel":"spot.ping"}', NOW_S)
    assert odd.kind == "refused"


def test_another_path_is_refused(persona: GateioFuturesPublic) -> None:
    with pytest.raises(Refused):
        persona.open("/ws/v4/", {}, NOW_S)


def test_sizes_are_whole_numbers_and_the_sign_of_a_trade_is_its_side(
    persona: GateioFuturesPublic, market: Market
) -> None:
    book = pushed(persona, market, "book", "futures.order_book_update|BTC_USDT|100ms|100")["result"]
    assert all(set(row) == {"p", "s"} and type(row["s"]) is int for row in book["b"] + book["a"])
    best = pushed(persona, market, "book_ticker", "futures.book_ticker|BTC_USDT")["result"]
    assert (type(best["b"]), type(best["B"])) == (str, int)
    sides = set()
    for place in range(60):
        event = market.step("trade", "BTC_USDT", NOW_MS + place)
        push = persona.encode(event, "futures.trades|BTC_USDT")
        assert push is not None
        items = json.loads(push.payload)["result"]
        assert push.events == len(items) == len(event.trades)
        for item, trade in zip(items, event.trades, strict=True):
            assert item["size"] == int(trade.quantity) * (1 if trade.side == "buy" else -1) != 0
            assert item["create_time_ms"] == trade.time_us // 1000
            sides.add(trade.side)
    assert sides == {"buy", "sell"}


def test_the_header_turns_sizes_into_text(persona: GateioFuturesPublic, market: Market) -> None:
    one = session(persona, TEXT_SIZES)
    for type_, channel, payload in (
        ("trade", "futures.trades", ["BTC_USDT"]),
        ("book_ticker", "futures.book_ticker", ["BTC_USDT"]),
        ("book", "futures.order_book_update", ["BTC_USDT", "100ms", "100"]),
    ):
        reply, _ = say(one, channel, payload)
        (key,) = reply.variants
        result = pushed(persona, market, type_, key)["result"]
        row = result[0] if type_ == "trade" else result
        size = {"trade": "size", "book_ticker": "B"}.get(type_)
        value = row[size] if size else (row["b"] + row["a"])[0]["s"]
        assert isinstance(value, str)
        assert value == str(int(value))
    reply, _ = say(one, "futures.trades", ["BTC_USDT"], "unsubscribe")
    assert not any(key.startswith("futures.trades") for key in one.subscriptions)


def test_a_snapshot_channel_pushes_with_event_all(persona: GateioFuturesPublic, market: Market) -> None:
    frame = pushed(persona, market, "book", "futures.order_book|BTC_USDT|5|0")
    assert (frame["event"], len(frame["result"]["bids"]), frame["result"]["contract"]) == ("all", 5, "BTC_USDT")


def test_ticker_volumes_are_in_contracts_base_and_quote(persona: GateioFuturesPublic, market: Market) -> None:
    (item,) = pushed(persona, market, "ticker", "futures.tickers|BTC_USDT")["result"]
    contracts, base, quote = (float(item[name]) for name in ("volume_24h", "volume_24h_base", "volume_24h_quote"))
    assert base == pytest.approx(contracts * 0.0001, rel=1e-6)
    assert quote / base == pytest.approx(84_000, rel=0.1)


def rest(persona: GateioFuturesPublic, path: str, headers: dict[str, str] | None = None, **query: str) -> Any:
    answer = persona.rest("GET", path, query, headers or {}, b"", NOW_S)
    return None if answer is None else (answer.status, json.loads(answer.body), answer.version)


def test_the_rest_book_has_its_id_and_times_in_seconds(persona: GateioFuturesPublic, market: Market) -> None:
    path = "/api/v4/futures/usdt/order_book"
    status, body, version = rest(persona, path, contract="BTC_USDT", limit="100", with_id="true")
    assert (status, body["id"], version) == (200, market.book("BTC_USDT")[0], market.book("BTC_USDT")[0])
    assert body["current"] == NOW_S
    assert all(type(row["s"]) is int for row in body["bids"])
    _, body, _ = rest(persona, path, TEXT_SIZES, contract="BTC_USDT", limit="1")
    assert isinstance(body["asks"][0]["s"], str)
    assert "id" not in body
    assert rest(persona, path, contract="NONE_USDT")[0] == 400
    assert rest(persona, path, contract="BTC_USDT", limit="9999")[0] == 400


def test_contracts_and_tickers_are_listed(persona: GateioFuturesPublic) -> None:
    _, contracts, _ = rest(persona, "/futures/usdt/contracts")
    assert [contract["name"] for contract in contracts] == list(SYMBOLS)
    _, one, _ = rest(persona, "/api/v4/futures/usdt/contracts/BTC_USDT")
    assert (one["quanto_multiplier"], one["order_price_round"]) == ("0.0001", "0.1")
    assert rest(persona, "/futures/usdt/contracts/NONE_USDT")[0] == 400
    _, tickers, _ = rest(persona, "/futures/usdt/tickers", contract="ETH_USDT")
    assert [ticker["contract"] for ticker in tickers] == ["ETH_USDT"]
    assert rest(persona, "/futures/usdt/tickers", contract="NONE_USDT")[0] == 400
    assert rest(persona, "/spot/order_book") is None
    assert rest(persona, "/futures/usdt/positions") is None
