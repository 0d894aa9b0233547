"""Whole private connections over loopback, from the factory on: a server that verifies, and damaged frames."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from exchanges.integrations.gateio.builder import build_direct
from exchanges.integrations.gateio.ws.handlers.private_handler import GateioPrivateHandler
from exchanges.structs import (
    ConfigurationError,
    ConnectionState,
    ExchangeConfig,
    ExchangeCredentials,
    MessageType,
    ParsedMessage,
    WebSocketConfig,
)
from exchanges.structs.events import PrivateCallbacks, PublicCallbacks
from infrastructure.networking.websocket.handler_check import require_mixins
from infrastructure.networking.websocket.utils import create_websocket_manager
from shadow.venue.account import Account
from shadow.venue.market import market_for
from shadow.venue.personas.gateio_private import GateioFuturesPrivate, GateioPrivate, GateioSpotPrivate

KEY, SECRET = "the-key-of-the-cycle", "the-secret-of-the-cycle"
PERSONAS = {"spot": GateioSpotPrivate, "futures": GateioFuturesPrivate}
NOW_MS = 1_790_000_000_000


class Exchange:
    """One account. Each connection with everything subscribed gets the account's frames, the first is then dropped."""

    def __init__(self, market: str) -> None:
        self.market = market
        book = market_for("gateio", market, ("BTC_USDT",), 1, NOW_MS)
        credentials = {"key": KEY, "secret": SECRET, "uid": "10000001"}
        self.persona: GateioPrivate = PERSONAS[market](book, 1.0, credentials)
        self.frames = self._frames(Account(book, market, ("BTC_USDT",), 1, NOW_MS))
        self.received: list[list[str]] = []
        self.drops = 1
        self.url = ""

    def _frames(self, account: Account) -> list[bytes]:
        """Some actions of an account, in every channel; the same to each connection."""
        types = [channel.partition(".")[2] for channel in self.persona.channels]
        named = {"orders": "order", "usertrades": "fill", "balances": "balance", "positions": "position"}
        keys = [self.persona.default_variant(named[name], "") for name in types]
        events = [event for turn in range(40) for event in account.step("BTC_USDT", NOW_MS + 50 * turn)]
        pushes = [self.persona.encode(event, key) for event in events for key in keys]
        return [push.payload for push in pushes if push is not None]

    async def attend(self, connection: ServerConnection) -> None:
        session = self.persona.open(self.persona.ws_path, {}, time.time())
        received: list[str] = []
        self.received.append(received)
        async for text in connection:
            received.append(json.loads(text)["channel"])
            for reply in session.on_message(text, time.time()):
                await connection.send(reply.payload, text=True)
            if len(session.subscriptions) == len(self.persona.channels):
                for frame in self.frames:
                    await connection.send(frame, text=True)
                if self.drops:
                    self.drops -= 1
                    await connection.close(1001)

    def config(self, secret: str = SECRET) -> ExchangeConfig:
        return ExchangeConfig(
            f"GATEIO_{self.market.upper()}",
            ExchangeCredentials(KEY, secret),
            websocket_url=self.url,
            websocket=WebSocketConfig(self.url, heartbeat_interval=None, close_timeout=1.0),
        )


@pytest.fixture(params=["spot", "futures"])
async def exchange(request: pytest.FixtureRequest) -> AsyncIterator[Exchange]:
    fake = Exchange(request.param)
    async with serve(fake.attend, "127.0.0.1", 0, close_timeout=0.2) as server:
        fake.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        yield fake


@pytest.fixture
def new_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag says that the new stack serves."""
    flag = {"state": "ENABLED", "variants": {"complete": "complete"}, "defaultVariant": "complete"}
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"websocket-stack": flag}}))
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "none"))


class Consumer:
    """A coroutine consumer, and a way to wait for what it got."""

    def __init__(self) -> None:
        self.messages: list[ParsedMessage] = []
        self.states: list[ConnectionState] = []
        self._changed = asyncio.Event()

    async def on_message(self, message: ParsedMessage) -> None:
        self.messages.append(message)
        self._changed.set()

    async def on_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        self._changed.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def count(self, kind: MessageType) -> int:
        return sum(message.message_type is kind for message in self.messages)


@pytest.mark.checklist("1.3.6", "1.3.14", "3.2.2", "3.2.4", "3.2.13", "5.2.4", "5.2.6")
@pytest.mark.usefixtures("new_stack")
async def test_login_subscribe_data_drop_and_all_of_it_again(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = Consumer()
    with caplog.at_level(logging.DEBUG):
        manager = create_websocket_manager(exchange.config(), True, consumer.on_message, consumer.on_state)
        started = time.perf_counter()
        await manager.initialize()
        channels = len(exchange.persona.channels)
        balances = sum(b".balances" in frame for frame in exchange.frames)
        # Balances are told again after the drop; orders and fills, which are known, are not.
        await consumer.until(lambda: consumer.count(MessageType.BALANCE) == 2 * balances)
        assert time.perf_counter() - started < 5.0
        metrics = manager.get_performance_metrics()
        await manager.close()
    assert exchange.received == 2 * [[f"{exchange.market}.login", *exchange.persona.channels]]
    assert consumer.count(MessageType.SUBSCRIPTION_CONFIRM) == 2 * channels
    fills = [fill for one in consumer.messages if one.message_type is MessageType.TRADE for fill in one.data]
    assert len(fills) == len({fill.id for fill in fills}) == sum(b".usertrades" in frame for frame in exchange.frames)
    assert metrics["handler"]["repeated_fills"] == len(fills) > 0
    assert 0.0 < metrics["handler"]["auth_ms"] < 5000.0
    assert (metrics["error_count"], metrics["reconnection_count"]) == (0, 1)
    assert not any(secret in caplog.text for secret in (KEY, SECRET))
    assert not any(secret in repr(part) for secret in (KEY, SECRET) for part in (manager, exchange.config()))


@pytest.mark.checklist("1.3.13", "3.2.16", "S.3")
@pytest.mark.usefixtures("new_stack")
async def test_a_wrong_secret_is_refused_once_for_all(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    consumer = Consumer()
    with caplog.at_level(logging.DEBUG):
        manager = create_websocket_manager(
            exchange.config("another-secret"), True, consumer.on_message, consumer.on_state
        )
        await manager.initialize()
        await asyncio.wait_for(manager.handler._connection_task, 30)
        await manager.close()
    assert exchange.received == [[f"{exchange.market}.login"]]
    assert ConnectionState.ERROR in consumer.states
    assert "AUTHENTICATION_FAILED" in caplog.text
    assert "another-secret" not in caplog.text


@pytest.mark.checklist("2.3.14", "3.2.5", "3.2.6", "3.2.7")
def test_the_handlers_have_all_parts_and_each_scope_its_callbacks() -> None:
    with pytest.raises(ConfigurationError, match="no connection for GATEIO_OPTIONS"):
        build_direct(ExchangeConfig("GATEIO_OPTIONS"), PrivateCallbacks(), True)
    for market in PERSONAS:
        config = ExchangeConfig(f"GATEIO_{market.upper()}", ExchangeCredentials(KEY, SECRET))
        handler = build_direct(config, PrivateCallbacks(), True, auth_timeout_s=2.0).handler
        assert isinstance(handler, GateioPrivateHandler)
        require_mixins(type(handler), True)
        with pytest.raises(ConfigurationError, match="takes PrivateCallbacks"):
            build_direct(config, PublicCallbacks(), True)
        with pytest.raises(ConfigurationError, match="takes PublicCallbacks"):
            build_direct(config, PrivateCallbacks())
        with pytest.raises(ConfigurationError, match="auth_timeout_s"):
            build_direct(config, PublicCallbacks(), auth_timeout_s=2.0)


ODD = ["", "{}", "[]", "null", "{", '{"header":{}}', '{"header":5}', '{"request_id":1}', '{"error":{"code":4}}', "PONG"]
GOOD = {market: Exchange(market).frames for market in PERSONAS}


@st.composite
def damaged(draw: st.DrawFn, market: str) -> bytes:
    """A good frame with a piece cut out, doubled or overwritten."""
    frame = draw(st.sampled_from(GOOD[market][:24]))
    first, last = sorted(draw(st.tuples(st.integers(0, len(frame)), st.integers(0, len(frame)))))
    middle = draw(st.sampled_from([b"", frame[first:last] * 2, b"\xff" * 9, b'"', b"1e999", b"-", b"null", b'"nan"']))
    return frame[:first] + middle + frame[last:]


STREAMS = {
    market: st.lists(
        st.one_of(damaged(market), st.binary(max_size=60), st.sampled_from(ODD).map(str.encode)), min_size=1, max_size=5
    )
    for market in PERSONAS
}


@pytest.mark.no_cover
@pytest.mark.parametrize("market", list(PERSONAS))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_frame_ends_the_stack_and_each_bad_one_is_counted(market: str, data: st.DataObject) -> None:
    errors: list[str] = []
    balances: list[Any] = []
    callbacks = PrivateCallbacks(on_balances=balances.append, on_error=lambda kind, _: errors.append(kind))
    config = ExchangeConfig(f"GATEIO_{market.upper()}", ExchangeCredentials(KEY, SECRET))
    handler: Any = build_direct(config, callbacks, True).handler
    handler.set_subscriptions([], [])
    frames = data.draw(STREAMS[market])
    for frame in frames:
        handler._on_raw_message(frame)
    assert handler.frames_received() == len(frames)
    assert errors == ["decode"] * handler.decode_errors
    assert handler.callback_errors == 0
    before = len(balances)
    balance = next(frame for frame in GOOD[market] if b".balances" in frame)
    handler._on_raw_message(balance.replace(b"1790000000001", b"1790000000777"))
    assert len(balances) == before + 1
