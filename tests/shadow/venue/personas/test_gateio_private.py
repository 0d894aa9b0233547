"""Gate.io's private personas: who is let in, what is subscribed, and that every event reads back as it was."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shadow.reference import events, gateio
from shadow.venue.account import Account
from shadow.venue.account_events import BalanceState, FillState, OrderState, PositionState
from shadow.venue.market import Market, market_for
from shadow.venue.personas.gateio_private import (
    GateioFuturesPrivate,
    GateioPrivate,
    GateioPrivateSession,
    GateioSpotPrivate,
)
from shadow.venue.personas.gateio_private_frames import first_order_id
from shadow.venue.wire import Refused, Reply

NOW_S = 1_790_281_243.45
NOW_MS = 1_790_281_243_450
SYMBOLS = ("BTC_USDT", "ETH_USDT")
CREDENTIALS = {"key": "the-key", "secret": "the-secret", "uid": "10000001"}
KINDS = {"spot": GateioSpotPrivate, "futures": GateioFuturesPrivate}


@pytest.fixture(params=["spot", "futures"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def market(kind: str) -> Market:
    return market_for("gateio", kind, SYMBOLS, 1, NOW_MS)


@pytest.fixture
def persona(kind: str, market: Market) -> GateioPrivate:
    return KINDS[kind](market, 1.0, CREDENTIALS)


@pytest.fixture
def session(persona: GateioPrivate) -> GateioPrivateSession:
    return persona.open(persona.ws_path, {}, NOW_S)


def sign(text: str, secret: str = "the-secret") -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def signed(channel: str, payload: Any = None, event: str = "subscribe", **changes: Any) -> dict[str, Any]:
    """A subscribe frame as the exchange wants it; `changes` go into `auth`, `time` into the frame."""
    time = changes.pop("time", int(NOW_S))
    auth = {"method": "api_key", "KEY": "the-key", "SIGN": sign(f"channel={channel}&event={event}&time={time}")}
    frame = {"time": time, "id": 5, "channel": channel, "event": event, "auth": auth | changes}
    return frame if payload is None else frame | {"payload": payload}


def say(session: GateioPrivateSession, frame: dict[str, Any]) -> tuple[Reply, dict[str, Any]]:
    (reply,) = session.on_message(json.dumps(frame), NOW_S)
    return reply, json.loads(reply.payload)


def payload(kind: str, *symbols: str) -> list[str]:
    return list(symbols) if kind == "spot" else ["10000001", *symbols]


def test_signed_subscriptions_are_accepted(kind: str, session: GateioPrivateSession) -> None:
    for channel, names in (("orders", ["!all"]), ("usertrades", ["BTC_USDT"]), ("balances", [])):
        frame = signed(f"{kind}.{channel}", payload(kind, *names) or None)
        reply, answer = say(session, frame)
        assert (reply.kind, answer["result"], answer["id"]) == ("ack", {"status": "success"}, 5)
    assert session.subscriptions == {f"{kind}.orders|!all", f"{kind}.usertrades|BTC_USDT", f"{kind}.balances|"}
    reply, _ = say(session, signed(f"{kind}.orders", payload(kind, "!all"), "unsubscribe"))
    assert reply.unsubscribe
    assert f"{kind}.orders|!all" not in session.subscriptions


@pytest.mark.parametrize(
    "changes",
    [
        {"KEY": "another"},
        {"SIGN": "0" * 128},
        {"SIGN": None},
        {"method": "none"},
        {"time": int(NOW_S) - 61},
        {"time": int(NOW_S) + 62},
        {"time": "soon"},
    ],
)
def test_whoever_cannot_prove_it_is_refused(kind: str, session: GateioPrivateSession, changes: dict[str, Any]) -> None:
    reply, answer = say(session, signed(f"{kind}.orders", payload(kind, "!all"), **changes))
    assert (reply.kind, answer["error"]["code"]) == ("refused", 4)
    assert reply.variants == (f"{kind}.orders|!all",)
    assert not session.subscriptions


def test_a_signature_is_good_for_one_channel_and_event(kind: str, session: GateioPrivateSession) -> None:
    frame = signed(f"{kind}.orders", payload(kind, "!all"))
    assert say(session, frame | {"channel": f"{kind}.usertrades"})[1]["error"]["code"] == 4
    assert say(session, frame | {"event": "unsubscribe"})[1]["error"]["code"] == 4


@pytest.mark.parametrize(
    ("channel", "names", "code"),
    [("orders", ["NONE_USDT"], 2), ("orders", [], 1), ("nonsense", ["!all"], 2), ("trades", ["BTC_USDT"], 2)],
)
def test_what_is_not_offered_is_refused(
    kind: str, session: GateioPrivateSession, channel: str, names: list[str], code: int
) -> None:
    assert say(session, signed(f"{kind}.{channel}", payload(kind, *names)))[1]["error"]["code"] == code


def test_another_user_is_refused_on_futures(market: Market) -> None:
    persona = GateioFuturesPrivate(market, 1.0, CREDENTIALS)
    one = persona.open(persona.ws_path, {}, NOW_S)
    assert say(one, signed("futures.orders", ["7", "!all"]))[1]["error"]["code"] == 2
    assert say(one, signed("futures.orders", ["0", "!all"]))[0].kind == "ack"


def login(kind: str, **changes: Any) -> dict[str, Any]:
    stamp = str(changes.pop("timestamp", int(NOW_S)))
    made = {"api_key": "the-key", "timestamp": stamp, "signature": sign(f"api\n{kind}.login\n\n{stamp}")}
    return {"time": 1, "channel": f"{kind}.login", "event": "api", "payload": {"req_id": "r1", **made, **changes}}


def test_a_login_is_answered_with_the_user(kind: str, session: GateioPrivateSession) -> None:
    reply, answer = say(session, login(kind))
    assert (reply.kind, answer["request_id"], answer["ack"], answer["header"]["status"]) == ("ack", "r1", False, "200")
    assert answer["data"]["result"]["uid"] == "10000001"


@pytest.mark.parametrize(
    ("changes", "status", "label"),
    [
        ({"api_key": "another"}, "401", "INVALID_KEY"),
        ({"signature": "0" * 128}, "400", "AUTHENTICATION_FAILED"),
        ({"timestamp": int(NOW_S) - 90}, "400", "AUTHENTICATION_FAILED"),
    ],
)
def test_a_login_is_refused_with_its_label(
    kind: str, session: GateioPrivateSession, changes: dict[str, Any], status: str, label: str
) -> None:
    reply, answer = say(session, login(kind, **changes))
    assert (reply.kind, answer["header"]["status"], answer["data"]["errs"]["label"]) == ("refused", status, label)


def test_orders_are_never_taken_and_nonsense_is_refused(kind: str, session: GateioPrivateSession) -> None:
    reply, answer = say(session, {"channel": f"{kind}.order_place", "event": "api", "payload": {"req_id": "x"}})
    assert (reply.kind, answer["data"]["errs"]["label"]) == ("refused", "INVALID_REQUEST")
    (odd,) = session.on_message(b"\xff", NOW_S)
    assert json.loads(odd.payload)["error"]["code"] == 1
    (pong,) = session.on_message(json.dumps({"channel": f"{kind}.ping"}), NOW_S)
    assert (pong.kind, json.loads(pong.payload)["channel"]) == ("pong", f"{kind}.pong")


def test_a_denied_proof_is_answered_in_the_exchanges_words(kind: str, session: GateioPrivateSession) -> None:
    (told,) = session.deny(json.dumps(login(kind)), NOW_S) or []
    assert json.loads(told.payload)["data"]["errs"]["label"] == "AUTHENTICATION_FAILED"
    (refused,) = session.deny(json.dumps(signed(f"{kind}.orders", payload(kind, "!all"))), NOW_S) or []
    assert json.loads(refused.payload)["error"]["code"] == 4
    assert session.deny(json.dumps({"channel": f"{kind}.ping"}), NOW_S) is None
    assert session.deny(b"\xff", NOW_S) is None
    assert not session.subscriptions


def test_another_path_is_refused(persona: GateioPrivate) -> None:
    with pytest.raises(Refused):
        persona.open("/ws/v4/", {}, NOW_S)


def number(text: str | None) -> Decimal:
    assert text is not None
    return Decimal(text)


def test_every_event_reads_back_as_it_was(kind: str, persona: GateioPrivate, market: Market) -> None:
    """By the reference decoder, which shares no code with the venue."""
    account = Account(market, kind, SYMBOLS, 3, NOW_MS, first_order_id(kind))
    seen = set()
    for step in range(120):
        for event in account.step(SYMBOLS[step % 2], NOW_MS + step):
            channel = persona.default_variant(event.type, "")
            push = persona.encode(event, channel)
            assert push is not None
            (read,) = gateio.decode(push.payload)
            assert (read.type, push.channel) == (event.type, event.type)
            seen.add(event.type)
            if isinstance(event, OrderState):
                assert isinstance(read, events.Order)
                assert (read.id, read.client_id, read.side) == (str(event.id), event.client_id, event.side)
                assert (read.status, read.kind, read.ts) == (event.status, event.kind, event.ts_ms)
                is_money = (kind, event.kind, event.side) == ("spot", "market", "buy")
                assert number(read.quantity) == event.quantity * (event.price if is_money else 1)
                assert number(read.filled) == event.filled
                assert float(number(read.average_price)) == pytest.approx(float(event.average_price))
                assert int(event.id) > 2**53 or kind == "spot"
            elif isinstance(event, FillState):
                assert isinstance(read, events.Fill)
                assert (read.id, read.order_id, read.side) == (str(event.id), str(event.order_id), event.side)
                assert (number(read.price), number(read.quantity)) == (event.price, event.quantity)
                assert (read.role, read.ts) == (event.role, event.time_us // 1000)
            elif isinstance(event, BalanceState):
                assert isinstance(read, events.Balance)
                assert (read.asset, read.ts) == (event.asset, event.ts_ms)
                assert float(number(read.free)) == float(event.free)
                assert read.locked is None if kind == "futures" else number(read.locked) == event.locked
            else:
                assert isinstance(event, PositionState)
                assert isinstance(read, events.Position)
                assert (number(read.size), read.mode, read.ts) == (event.size, "single", event.ts_ms)
                assert float(number(read.entry_price)) == float(event.entry_price)
    assert seen == {"order", "fill", "balance"} | ({"position"} if kind == "futures" else set())


def recorded_market_buy(captures: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Order and fill of the one market buy that was recorded from the exchange."""
    frames = map(json.loads, (captures / "gateio-spot-private-2024.jsonl").read_text().splitlines())
    results = {frame["channel"]: frame["result"][0] for frame in frames if frame["event"] == "update"}
    return results["spot.orders"], results["spot.usertrades"]


def venue_market_buy() -> tuple[dict[str, Any], dict[str, Any]]:
    """The first frame of a market buy of the venue, and its only fill."""
    market = market_for("gateio", "spot", SYMBOLS, 1, NOW_MS)
    account, persona = Account(market, "spot", SYMBOLS, 3, NOW_MS), GateioSpotPrivate(market, 1.0, CREDENTIALS)
    for step in range(200):
        told = account.step(SYMBOLS[step % 2], NOW_MS + step)
        fills = [event for event in told if isinstance(event, FillState)]
        order = told[0]
        if isinstance(order, OrderState) and (order.kind, order.side, len(fills)) == ("market", "buy", 1):
            pushes = persona.encode(order, "spot.orders|!all"), persona.encode(fills[0], "spot.usertrades|!all")
            first, second = (json.loads(push.payload)["result"][0] for push in pushes if push is not None)
            return first, second
    raise AssertionError("no market buy in 200 actions")


def test_a_market_buy_is_asked_for_in_money_as_the_recorded_one_was(captures: Path) -> None:
    for order, fill in (recorded_market_buy(captures), venue_market_buy()):
        assert (order["type"], order["side"], order["event"]) == ("market", "buy", "put")
        assert order["id"] == fill["order_id"]
        assert order["left"] == order["amount"]
        money = float(fill["amount"]) * float(fill["price"])
        assert float(order["amount"]) == pytest.approx(money, rel=1e-6)
        assert float(order["amount"]) != pytest.approx(float(fill["amount"]), rel=0.1)


def test_a_key_of_one_symbol_gets_that_symbol_alone(persona: GateioPrivate, market: Market, kind: str) -> None:
    account = Account(market, kind, SYMBOLS, 3, NOW_MS)
    event = next(event for event in account.step("ETH_USDT", NOW_MS) if event.type == "order")
    assert persona.encode(event, f"{kind}.orders|ETH_USDT") is not None
    assert persona.encode(event, f"{kind}.orders|BTC_USDT") is None
    assert persona.encode(event, f"{kind}.usertrades|!all") is None
    with pytest.raises(ValueError, match="private subscription key"):
        persona.variant("spot.trades|BTC_USDT")
