"""What comes on a private Gate.io connection beside data: acks, outcomes and errors of logins, refusals, pongs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from exchanges.integrations.gateio.builder import build_direct
from exchanges.structs import ConnectionState, DecodeError, ExchangeConfig, ExchangeCredentials, SubscriptionAction
from exchanges.structs.events import PrivateCallbacks, SubscriptionEvent
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"


class Scene:
    """A private connection that has just sent its login."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.server = FakeServer()
        self.answers: list[SubscriptionEvent] = []
        self.errors: list[tuple[str, str]] = []
        callbacks = PrivateCallbacks(
            on_subscription=self.answers.append, on_error=lambda kind, text: self.errors.append((kind, text))
        )
        config = ExchangeConfig(f"GATEIO_{market.upper()}", ExchangeCredentials(KEY, SECRET))
        self.connection = build_direct(config, callbacks, True, transport=self.server.open)
        self.handler: Any = self.connection.handler

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.server.socket.sent]

    @property
    def is_up(self) -> bool:
        return self.handler.connection_state is ConnectionState.CONNECTED

    async def feed(self, *frames: dict[str, Any]) -> None:
        self.server.socket.feed(*(json.dumps(frame) for frame in frames))
        await settle()

    async def answer(self, status: Any = "200", **more: Any) -> None:
        """An answer to the login; `header` and `data` may be other ones."""
        header = {"status": status, "channel": f"{self.market}.login", "event": "api"}
        frame = {"request_id": self.sent[0]["payload"]["req_id"], "header": header, "data": {"result": {"uid": "77"}}}
        await self.feed(frame | more)

    async def update(self, channel: str, result: Any) -> None:
        await self.feed({"time": 1, "channel": channel, "event": "update", "result": result})


def play(market: str, scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        stage = Scene(market)
        await stage.connection.start([])
        await settle()
        await scene(stage)
        await stage.connection.close()

    run_virtual(main())


@pytest.mark.checklist("1.3.6")
def test_an_ack_is_no_outcome_and_other_channels_answers_are_none_either() -> None:
    async def scene(stage: Scene) -> None:
        await stage.answer(ack=True)
        await stage.answer(header={"status": "401", "channel": "spot.order_place"})
        assert not stage.is_up
        await stage.answer(200)
        assert stage.is_up
        assert stage.errors == []

    play("spot", scene)


@pytest.mark.checklist("1.3.13", "3.2.12", "3.2.16", "3.2.22")
@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (
            {"header": {"status": 400, "channel": "spot.login"}, "data": {"errs": {"label": "X", "message": "no"}}},
            "400 X: no",
        ),
        ({"header": {"status": "404", "channel": "spot.login"}, "data": None}, "404: login refused"),
        ({"channel": "spot.login", "error": {"code": 4, "message": f"no {KEY}"}}, "4: no ***"),
        ({"channel": "", "error": {"code": 1, "message": "json scheme"}}, "1: json scheme"),
    ],
)
def test_a_login_may_be_refused_in_several_forms(frame: dict[str, Any], text: str) -> None:
    async def scene(stage: Scene) -> None:
        await stage.feed({"request_id": stage.sent[0]["payload"]["req_id"]} | frame)
        assert stage.errors == [("auth", text)]
        assert stage.handler.connection_state is ConnectionState.ERROR

    play("spot", scene)


def test_a_close_does_not_wait_for_the_answer_to_a_login() -> None:
    async def scene(stage: Scene) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await stage.connection.close()
        assert loop.time() - before < 0.1
        assert stage.handler.connection_state is ConnectionState.CLOSED
        assert stage.errors == []

    play("spot", scene)


def test_futures_need_the_uid() -> None:
    async def scene(stage: Scene) -> None:
        await stage.answer(data={"result": {}})
        assert stage.errors == [("auth", "futures.login was answered without a uid")]
        assert [frame["channel"] for frame in stage.sent] == ["futures.login"]

    play("futures", scene)


@pytest.mark.checklist("3.2.12", "3.2.16", "3.2.22")
def test_a_refused_channel_is_given_up_and_no_secret_told() -> None:
    async def scene(stage: Scene) -> None:
        await stage.answer()
        orders, fills, balances = stage.sent[1:]
        error = {"code": 4, "message": f"{KEY} {SECRET} failed"}
        await stage.feed(
            {"id": orders["id"], "channel": "spot.orders", "event": "subscribe", "error": error, "result": None},
            {"channel": "spot.usertrades", "event": "subscribe", "payload": ["!all"], "result": {"status": "success"}},
            {"id": balances["id"], "channel": "spot.balances", "event": "subscribe", "result": {"status": "success"}},
            {"id": fills["id"], "channel": "spot.usertrades", "event": "subscribe", "result": {"status": "success"}},
        )
        assert stage.answers == [
            SubscriptionEvent("spot.orders", ["!all"], "*** *** failed"),
            SubscriptionEvent("spot.usertrades", ["!all"]),
            SubscriptionEvent("spot.balances", [], complete=True),
        ]
        assert stage.errors == [("subscribe", "*** *** failed")]
        stage.server.socket.end()
        await settle()
        await stage.answer()
        assert [frame["channel"] for frame in stage.sent[1:]] == ["spot.usertrades", "spot.balances"]

    play("spot", scene)


@pytest.mark.checklist("3.2.16")
def test_what_is_unreadable_is_counted_and_what_is_foreign_left() -> None:
    async def scene(stage: Scene) -> None:
        await stage.answer()
        await stage.update("futures.orders", {"id": 1})
        await stage.update("futures.positions", [{"contract": "BTC_USDT"}])
        await stage.update("futures.system", {"type": "upgrade", "msg": "soon"})
        await stage.update("futures.autoorders", [{"id": 1}])
        await stage.feed({"channel": "", "error": {"code": 1, "message": f"schema {KEY}"}})
        assert stage.handler.decode_errors == len(stage.errors) == 3
        assert [text for _, text in stage.errors][2] == "error without a request: schema ***"
        assert all("futures." in text for _, text in stage.errors[:2])
        assert stage.is_up

    play("futures", scene)


def test_spot_has_no_positions() -> None:
    async def scene(stage: Scene) -> None:
        stage.handler._route_message(8, None)

    with pytest.raises(DecodeError, match="a position on spot"):
        play("spot", scene)


@pytest.mark.parametrize("market", ["spot", "futures"])
def test_pings_are_the_markets_and_their_answers_noted(market: str) -> None:
    async def scene(stage: Scene) -> None:
        await stage.answer()
        assert json.loads(stage.handler.create_heartbeat_message())["channel"] == f"{market}.ping"
        await stage.feed({"time": 1, "channel": f"{market}.pong", "event": "", "result": None})
        assert stage.handler._keep_alive.pongs == 1

    play(market, scene)


def test_an_unsubscribe_is_signed_too() -> None:
    handler = Scene("spot").handler
    handler.set_subscriptions([], [])
    requests = handler.create_subscription_messages(SubscriptionAction.UNSUBSCRIBE, list(handler._wanted))
    assert [request.channel for request in requests] == ["spot.orders", "spot.usertrades", "spot.balances"]
    for request in requests:
        frame = json.loads(request.text)
        assert frame["event"] == "unsubscribe"
        assert frame["auth"] == handler.sign(frame["channel"], "unsubscribe", frame["time"])
