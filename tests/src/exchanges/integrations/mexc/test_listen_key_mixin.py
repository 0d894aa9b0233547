"""The life of a listen key, on a virtual clock over fake sockets and fake keys."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from exchanges.integrations.mexc.listen_key_mixin import ListenKeyRefused, MexcListenKeyMixin
from exchanges.structs import AuthenticationError, ConnectionState, ExchangeRestError, WebSocketConfig
from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin
from infrastructure.networking.websocket.testing import FakeServer, MockHandler, run_virtual, settle
from infrastructure.networking.websocket.transport import ConnectFailed

State = ConnectionState
HALF_HOUR = 1800.0


class FakeKeys:
    """Gives key1, key2, ...; put exceptions into `failures` to fail the next calls."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.extended: list[tuple[float, str]] = []
        self.deleted: list[str] = []
        self.is_closed = False
        self.failures: deque[Exception] = deque()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.popleft()

    async def create(self) -> str:
        self._fail()
        self.created.append(f"key{len(self.created) + 1}")
        return self.created[-1]

    async def extend(self, key: str) -> None:
        self._fail()
        self.extended.append((asyncio.get_running_loop().time(), key))

    async def delete(self, key: str) -> None:
        self._fail()
        self.deleted.append(key)

    async def close(self) -> None:
        self.is_closed = True


class Tended(MexcListenKeyMixin, MockHandler):
    """Takes `ok` for an answer and `bad` for the refusal of a key."""

    def _handle_message(self, raw_message: bytes) -> None:
        super()._handle_message(raw_message)
        if raw_message == b"ok":
            self._note_accepted()
        elif raw_message == b"bad":
            self._refuse_key("Invalid listen key")

    async def _restore_subscriptions(self) -> None:
        if await self.authenticate():
            await super()._restore_subscriptions()


class Scene:
    """A handler whose server says `greeting` on each new socket."""

    def __init__(self, url: str = "ws://x", **options: Any) -> None:
        self.greeting: list[str] = ["ok"]
        self.keys = FakeKeys()
        self.server = FakeServer(lambda socket: socket.feed(*self.greeting))
        config = WebSocketConfig(url, heartbeat_interval=None)
        self.handler = Tended(config, keys=self.keys, transport=self.server.open, **options)

    async def start(self) -> None:
        await self.handler.initialize()
        await settle()

    @property
    def urls(self) -> list[str]:
        return [socket.settings.url for socket in self.server.sockets]


def play(scene: Callable[[Scene], Any], **options: Any) -> Scene:
    stage = Scene(**options)

    async def main() -> None:
        await scene(stage)
        await stage.handler.close()

    run_virtual(main())
    return stage


@pytest.mark.checklist("1.3.5", "1.3.7", "3.1.6")
def test_the_key_in_the_address_is_the_proof() -> None:
    async def scene(stage: Scene) -> None:
        assert isinstance(stage.handler, AuthMixin)
        assert not stage.handler.requires_authentication()
        assert stage.handler.create_auth_message() is None
        assert await stage.handler.authenticate() is False
        await stage.start()
        assert await stage.handler.authenticate() is True
        assert stage.handler.is_connected()
        assert stage.server.socket.sent == []
        assert stage.keys.deleted == []

    stage = play(scene)
    assert stage.urls == ["ws://x?listenKey=key1"]
    assert (stage.keys.deleted, stage.keys.is_closed) == (["key1"], True)
    assert stage.handler.errors == []


def test_an_address_may_have_a_query_already() -> None:
    assert play(Scene.start, url="ws://x?a=1").urls == ["ws://x?a=1&listenKey=key1"]


def test_extended_each_half_hour_while_connected() -> None:
    async def scene(stage: Scene) -> None:
        began = asyncio.get_running_loop().time()
        await stage.start()
        await asyncio.sleep(3 * HALF_HOUR + 1)
        assert stage.keys.extended == [(began + n * HALF_HOUR, "key1") for n in (1, 2, 3)]
        await stage.handler.close()
        await asyncio.sleep(3 * HALF_HOUR)
        assert len(stage.keys.extended) == 3

    assert play(scene).keys.created == ["key1"]


def test_a_reconnect_keeps_an_accepted_key_and_when_it_is_due() -> None:
    async def scene(stage: Scene) -> None:
        began = asyncio.get_running_loop().time()
        await stage.start()
        await asyncio.sleep(1000)
        stage.server.socket.end(1001)
        await settle()
        assert stage.handler.is_connected()
        await asyncio.sleep(HALF_HOUR)
        assert stage.keys.extended == [(began + HALF_HOUR, "key1")]
        stage.server.socket.end(1001)
        await asyncio.sleep(HALF_HOUR)
        assert stage.keys.extended == [(began + HALF_HOUR, "key1"), (began + 2 * HALF_HOUR, "key1")]

    assert play(scene).urls == ["ws://x?listenKey=key1"] * 3


@pytest.mark.checklist("1.3.13", "2.3.9")
def test_a_key_refused_at_once_is_replaced_after_a_pause() -> None:
    async def scene(stage: Scene) -> None:
        stage.greeting = ["bad"]
        await stage.start()
        assert stage.handler.errors == [("auth", "Invalid listen key")]
        assert stage.handler.connection_state is State.RECONNECTING
        stage.greeting = ["ok"]
        await asyncio.sleep(2)
        assert stage.handler.is_connected()

    stage = play(scene)
    assert stage.urls == ["ws://x?listenKey=key1", "ws://x?listenKey=key2"]
    assert stage.server.attempts[1] - stage.server.attempts[0] >= 0.75
    assert stage.keys.deleted == ["key2"]


def test_a_key_that_expires_in_the_middle_is_replaced_at_once() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        await asyncio.sleep(100)
        stage.server.socket.feed("bad")
        await settle()
        assert stage.handler.errors == [("auth", "Invalid listen key")]
        assert stage.handler.is_connected()
        await asyncio.sleep(HALF_HOUR)
        assert [key for _, key in stage.keys.extended] == ["key2"]

    stage = play(scene)
    assert stage.urls == ["ws://x?listenKey=key1", "ws://x?listenKey=key2"]
    assert stage.server.attempts[1] - stage.server.attempts[0] == 100


def test_a_refused_key_is_a_typed_error_that_a_new_connection_mends() -> None:
    assert issubclass(ListenKeyRefused, AuthenticationError)
    assert ListenKeyRefused.reconnect_helps


@pytest.mark.parametrize(("options", "limit_s"), [({}, 10), ({"auth_timeout_s": 3.0}, 3)])
@pytest.mark.checklist("1.3.6", "1.3.12", "1.3.16")
def test_no_answer_within_the_limit(options: dict[str, Any], limit_s: int) -> None:
    async def scene(stage: Scene) -> None:
        stage.greeting = []
        await stage.start()
        await asyncio.sleep(limit_s - 0.1)
        assert stage.handler.errors == []
        stage.greeting = ["ok"]
        await asyncio.sleep(3)
        assert stage.handler.errors == [("auth", f"no answer on a listen key within {limit_s} s")]
        assert stage.handler.is_connected()

    assert play(scene, **options).urls == ["ws://x?listenKey=key1", "ws://x?listenKey=key2"]


def test_a_connection_that_ends_before_any_answer_puts_its_key_in_doubt() -> None:
    async def scene(stage: Scene) -> None:
        stage.greeting = []
        await stage.start()
        stage.server.socket.end(1008)
        await settle()
        assert stage.handler.errors == []
        stage.greeting = ["ok"]
        await asyncio.sleep(2)

    assert play(scene).keys.created == ["key1", "key2"]


def test_an_extension_that_fails_is_tried_again_in_a_minute() -> None:
    async def scene(stage: Scene) -> None:
        began = asyncio.get_running_loop().time()
        await stage.start()
        stage.keys.failures.extend([ExchangeRestError(503, "away"), AuthenticationError("700003")])
        await asyncio.sleep(HALF_HOUR + 121)
        assert stage.handler.errors == [("auth", "[503] away"), ("auth", "700003")]
        assert stage.keys.extended == [(began + HALF_HOUR + 120, "key1")]
        assert stage.handler.is_connected()

    assert len(play(scene).urls) == 1


def test_an_extension_that_is_refused_replaces_the_key() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        stage.keys.failures.append(ExchangeRestError(400, "no such key"))
        await asyncio.sleep(HALF_HOUR + 1)
        assert stage.handler.errors == [("auth", "[400] no such key")]
        assert stage.handler.is_connected()

    assert play(scene).urls == ["ws://x?listenKey=key1", "ws://x?listenKey=key2"]


def test_refused_credentials_end_the_attempts_and_a_lost_call_does_not() -> None:
    async def lost(stage: Scene) -> None:
        stage.keys.failures.append(ExchangeRestError(503, "away"))
        await stage.start()
        await asyncio.sleep(2)
        assert stage.handler.errors == [("connect", "[503] away")]
        assert stage.handler.is_connected()

    async def refused(stage: Scene) -> None:
        stage.keys.failures.append(AuthenticationError("signature wrong"))
        await stage.start()
        await asyncio.sleep(1000)
        assert stage.handler.errors == [("auth", "signature wrong")]
        assert stage.handler.connection_state is State.ERROR

    assert len(play(lost).urls) == 1
    stage = play(refused)
    assert (stage.urls, stage.keys.deleted, stage.keys.is_closed) == ([], [], True)


def test_a_key_that_may_have_expired_is_not_used_again() -> None:
    async def scene(stage: Scene) -> None:
        await stage.start()
        stage.server.fails_always = ConnectFailed("connection_refused", "nobody there")
        stage.server.socket.end()
        await asyncio.sleep(25)
        stage.server.fails_always = None
        await asyncio.sleep(60)

    # Jitter decides how many attempts fail; a key that was made for one of them may be too old for the next.
    stage = play(scene, extend_every_s=10.0)
    assert stage.urls[0] == "ws://x?listenKey=key1"
    assert stage.urls[1:] == [f"ws://x?listenKey={stage.keys.created[-1]}"] != stage.urls[:1]


@pytest.mark.checklist("3.1.17")
def test_a_refused_handshake_asks_for_a_new_key_and_tells_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene(stage: Scene) -> None:
        stage.server.failures.append(ConnectFailed("authentication_failure", "401 for ws://x?listenKey=key1"))
        stage.server.failures.append(ConnectFailed("unknown", "502 for ws://x?listenKey=key2"))
        await stage.start()
        await asyncio.sleep(10)
        assert stage.handler.errors == [
            ("connect", "401 for ws://x?listenKey=***"),
            ("connect", "502 for ws://x?listenKey=***"),
        ]

    assert play(scene).urls == ["ws://x?listenKey=key2"]
    assert "Connection failed (authentication_failure): 401 for" in caplog.text
    assert [key for key in ("key1", "key2") if key in caplog.text] == []


def test_close_while_the_answer_is_awaited_deletes_the_key_and_never_raises() -> None:
    async def scene(stage: Scene) -> None:
        stage.greeting = []
        await stage.start()

    assert play(scene).keys.deleted == ["key1"]

    async def failing(stage: Scene) -> None:
        await stage.start()
        stage.keys.failures.append(ExchangeRestError(503, "away"))

    stage = play(failing)
    assert (stage.keys.deleted, stage.keys.is_closed) == ([], True)
    assert stage.handler.connection_state is State.CLOSED
