"""Gate.io's private handlers on a fake server: login, signed subscriptions, events, reconnects."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from exchanges.integrations.gateio.builder import build, build_direct, build_handler
from exchanges.structs import ConfigurationError, ConnectionState, ExchangeConfig, ExchangeCredentials, MessageType
from exchanges.structs.events import PrivateCallbacks
from infrastructure.networking.websocket.testing import FakeServer, run_virtual, settle

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
SPOT = ["spot.orders", "spot.usertrades", "spot.balances"]
FUTURES = ["futures.orders", "futures.usertrades", "futures.balances", "futures.positions"]


def hmac_of(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha512).hexdigest()


def config(market: str) -> ExchangeConfig:
    credentials = ExchangeCredentials(KEY, SECRET)
    return ExchangeConfig(f"GATEIO_{market.upper()}", credentials, websocket_url="ws://x")


class Scene:
    """A private connection on a fake server and what its callbacks got."""

    def __init__(self, market: str, **options: Any) -> None:
        self.market = market
        self.server = FakeServer()
        self.events: list[Any] = []
        self.answers: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        callbacks = PrivateCallbacks(
            on_orders=self.events.extend,
            on_fills=self.events.extend,
            on_balances=self.events.extend,
            on_positions=self.events.extend,
            on_subscription=self.answers.append,
            on_error=lambda kind, text: self.errors.append((kind, text)),
        )
        self.connection = build_direct(config(market), callbacks, True, transport=self.server.open, **options)
        self.handler: Any = self.connection.handler

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.server.socket.sent]

    async def answer_login(self, status: str = "200", **data: Any) -> None:
        header = {"status": status, "channel": f"{self.market}.login", "event": "api"}
        request_id = self.sent()[0]["payload"]["req_id"]
        data = data or {"result": {"api_key": KEY, "uid": "1047221"}}
        self.server.socket.feed(json.dumps({"request_id": request_id, "ack": False, "header": header, "data": data}))
        await settle()

    async def start(self) -> None:
        await self.connection.start([])
        await settle()
        await self.answer_login()

    async def confirm(self) -> None:
        for frame in self.sent()[1:]:
            echo = {"id": frame["id"], "channel": frame["channel"], "event": "subscribe"}
            self.server.socket.feed(json.dumps({**echo, "result": {"status": "success"}}))
        await settle()


def play(market: str, scene: Callable[[Scene], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        stage = Scene(market, **options)
        await scene(stage)
        await stage.connection.close()

    run_virtual(main())


@pytest.mark.checklist("1.3.9", "1.3.10", "3.2.7", "3.2.13", "3.2.19")
@pytest.mark.parametrize("market", ["spot", "futures"])
def test_logs_in_then_subscribes_every_channel_signed(market: str) -> None:
    async def scene(stage: Scene) -> None:
        await stage.connection.start([])
        await settle()
        (login,) = stage.sent()
        payload = login["payload"]
        assert (login["channel"], login["event"], payload["api_key"]) == (f"{market}.login", "api", KEY)
        assert payload["signature"] == hmac_of(f"api\n{market}.login\n\n{payload['timestamp']}")
        await stage.answer_login()
        frames = stage.sent()[1:]
        assert [frame["channel"] for frame in frames] == (SPOT if market == "spot" else FUTURES)
        for frame in frames:
            text = f"channel={frame['channel']}&event=subscribe&time={frame['time']}"
            assert frame["auth"] == {"method": "api_key", "KEY": KEY, "SIGN": hmac_of(text)}
        every = [["!all"], ["!all"], None]
        own = [["1047221", "!all"], ["1047221", "!all"], ["1047221"], ["1047221", "!all"]]
        assert [frame.get("payload") for frame in frames] == (every if market == "spot" else own)

    play(market, scene)


@pytest.mark.checklist("1.3.12", "1.3.13", "1.3.16")
def test_refusal_ends_and_silence_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def refused(stage: Scene) -> None:
        await stage.connection.start([])
        await settle()
        await stage.answer_login("401", errs={"label": "INVALID_KEY", "message": f"no {KEY} {SECRET}"})
        assert stage.handler.connection_state is ConnectionState.ERROR
        assert len(stage.server.sockets) == 1
        kind, text = stage.errors[0]
        assert kind == "auth"
        assert "INVALID_KEY" in text
        assert "401" in text
        assert KEY not in text
        assert SECRET not in text

    async def silent(stage: Scene) -> None:
        await stage.connection.start([])
        await asyncio.sleep(7.0)  # of the virtual clock: 3 s for an answer, then 3 s with jitter
        assert stage.errors[0] == ("auth", "no answer to spot.login within 3 s")
        assert 5.25 <= stage.server.attempts[1] - stage.server.attempts[0] <= 6.75

    with caplog.at_level(logging.DEBUG):
        play("spot", refused)
        play("spot", silent, auth_timeout_s=3.0)
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("market", ["spot", "futures"])
def test_a_login_refused_that_was_accepted_before_is_tried_again_by_the_policy(market: str) -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        await stage.confirm()
        stage.server.socket.end()
        await settle()
        await stage.answer_login("400", errs={"label": "AUTHENTICATION_FAILED", "message": "no"})
        assert [kind for kind, _ in stage.errors] == ["auth"]
        assert stage.handler.connection_state is ConnectionState.RECONNECTING
        opened = len(stage.server.sockets)
        await asyncio.sleep(60.0)  # of the virtual clock; the policy's delays are 3 s, 6 s, 12 s ...
        assert len(stage.server.sockets) == opened + 1
        await stage.answer_login()
        assert [frame["channel"] for frame in stage.sent()][1:] == (SPOT if market == "spot" else FUTURES)
        assert stage.handler.connection_state is ConnectionState.CONNECTED

    play(market, scene, auth_timeout_s=300.0)


def test_a_login_refused_for_good_ends_after_the_policys_attempts() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        stage.server.socket.end()
        for _ in range(12):
            await settle()
            if stage.handler.connection_state is ConnectionState.ERROR:
                break
            await stage.answer_login("401", errs={"label": "INVALID_KEY", "message": "no"})
            await asyncio.sleep(100.0)
        assert stage.handler.connection_state is ConnectionState.ERROR
        assert 10 <= len(stage.errors) <= 12

    play("spot", scene, auth_timeout_s=300.0)


def test_a_reconnect_logs_in_again_before_it_subscribes() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        await stage.confirm()
        assert [answer.complete for answer in stage.answers] == [False, False, True]
        stage.server.socket.end()
        await settle()
        assert [frame["channel"] for frame in stage.sent()] == ["spot.login"]
        await stage.answer_login()
        assert [frame["channel"] for frame in stage.sent()] == ["spot.login", *SPOT]

    play("spot", scene)


@pytest.mark.parametrize(("market", "name"), [("spot", "spot-private-2024"), ("futures", "futures-private-2022")])
def test_recorded_frames_come_once(market: str, name: str, captures: Path) -> None:
    lines = [line for line in (captures / f"gateio-{name}.jsonl").read_text().splitlines() if line.strip()]

    async def scene(stage: Scene) -> None:
        await stage.start()
        updates = [line for line in lines if '"event":"update"' in line]
        stage.server.socket.feed(*updates)
        await settle()
        first = [event for event in stage.events if hasattr(event, "side")]
        assert len(stage.events) == sum(len(json.loads(line)["result"]) for line in updates) > 1
        stage.events.clear()
        stage.server.socket.feed(*(line for line in updates if "orders" in line or "usertrades" in line))
        await settle()
        assert first
        assert stage.events == []
        assert stage.errors == []

    play(market, scene)


def test_ids_above_2_to_the_53_stay_exact() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        order = {"id": 58828270140012049, "contract": "BTC_USDT", "status": "open", "size": -3, "left": "-1"}
        order |= {"price": 147.6, "tif": "poc", "text": "t-1", "update_time": 7}
        stage.server.socket.feed(json.dumps({"channel": "futures.orders", "event": "update", "result": [order]}))
        await settle()
        (event,) = stage.events
        assert (event.id, event.status, event.side, event.kind) == ("58828270140012049", "partial", "sell", "post_only")
        assert (event.quantity, event.filled, event.client_id, event.timestamp) == (3.0, 2.0, "t-1", 7)

    play("futures", scene)


def test_the_coroutine_consumer_gets_parsed_messages() -> None:
    async def main() -> None:
        server, messages = FakeServer(), []

        async def take(message: Any) -> None:
            messages.append(message)

        manager = build(config("spot"), True, take, transport=server.open)
        await manager.initialize()
        await settle()
        request_id = json.loads(server.socket.sent[0])["payload"]["req_id"]
        header = {"status": "200", "channel": "spot.login"}
        server.socket.feed(json.dumps({"request_id": request_id, "header": header, "data": {"result": {"uid": 1}}}))
        item = {"currency": "USDT", "available": "5.5", "freeze": "1", "timestamp_ms": "9"}
        server.socket.feed(json.dumps({"channel": "spot.balances", "event": "update", "result": [item]}))
        await settle()
        (message,) = messages
        assert message.message_type is MessageType.BALANCE
        assert message.channel == "spot.balances"
        assert (message.data[0].asset, message.data[0].free, message.data[0].locked) == ("USDT", 5.5, 1.0)
        await manager.close()

    run_virtual(main())


def test_credentials_are_needed_and_the_policies_differ() -> None:
    with pytest.raises(ConfigurationError, match="credentials"):
        build_handler(ExchangeConfig("GATEIO_SPOT", websocket_url="ws://x"), True)
    for market, resets in (("spot", False), ("futures", True)):
        policy = build_handler(config(market), True).get_reconnection_policy()
        assert (policy.max_attempts, policy.initial_delay, policy.backoff_factor) == (10, 3.0, 2.0)
        assert (policy.max_delay, policy.reset_on_1005) == (60.0, resets)
