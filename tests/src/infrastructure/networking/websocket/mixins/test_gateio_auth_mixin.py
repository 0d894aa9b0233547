"""The login: its text and signature, the wait for the answer, and everything that may come in its place."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from time import time
from typing import Any

import pytest

from exchanges.structs import (
    AuthenticationError,
    AuthenticationTimeout,
    ConfigurationError,
    ExchangeCredentials,
    TransportError,
)
from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin
from infrastructure.networking.websocket.mixins.gateio_auth_mixin import GateioAuthMixin
from infrastructure.networking.websocket.testing import run_virtual
from infrastructure.networking.websocket.transport import ConnectionEnded

CREDENTIALS = ExchangeCredentials("the-key", "the-secret")


class Login(GateioAuthMixin):
    """A mixin on a socket that answers by `answer`."""

    def __init__(self, answer: Callable[[Login, str], None] | None = None, **options: Any) -> None:
        super().__init__(credentials=CREDENTIALS, **options)
        self.sent: list[dict[str, Any]] = []
        self._answer = answer
        self._reader_task = None

    async def _send(self, text: str) -> None:
        self.sent.append(json.loads(text))
        if self._answer is not None:
            asyncio.get_running_loop().call_later(0.5, self._answer, self, self.sent[-1]["payload"]["req_id"])


def signature(text: str) -> str:
    return hmac.new(b"the-secret", text.encode(), hashlib.sha512).hexdigest()


@pytest.mark.checklist("1.3.3", "1.3.5", "1.3.7", "1.3.8", "1.3.9", "1.3.10", "5.1.7")
def test_the_login_is_as_documented() -> None:
    login = Login()
    assert isinstance(login, AuthMixin)
    assert login.requires_authentication()
    message, again = login.create_auth_message(), login.create_auth_message()
    payload = message["payload"]
    assert abs(message["time"] - time()) < 5
    assert message == {
        "time": int(payload["timestamp"]),
        "channel": "spot.login",
        "event": "api",
        "payload": {
            "req_id": payload["req_id"],
            "api_key": "the-key",
            "timestamp": payload["timestamp"],
            "signature": signature(f"api\nspot.login\n\n{payload['timestamp']}"),
        },
    }
    assert payload["req_id"] != again["payload"]["req_id"]


@pytest.mark.checklist("1.3.8")
def test_requests_are_signed_by_channel_event_and_time() -> None:
    assert Login().sign("spot.orders", "subscribe", 1600000000) == {
        "method": "api_key",
        "KEY": "the-key",
        "SIGN": signature("channel=spot.orders&event=subscribe&time=1600000000"),
    }


@pytest.mark.checklist("1.3.15")
def test_a_login_is_made_fast(stopwatch: Any) -> None:
    login, watch = Login(), stopwatch()
    for _ in range(5):
        with watch.round():
            for _ in range(20):
                login.create_auth_message()
    assert watch.best_ns < 20 * 1_000_000


@pytest.mark.checklist("1.3.6", "1.3.14", "5.1.15")
def test_the_servers_answer_confirms_and_brings_the_uid() -> None:
    login = Login(lambda login, request_id: login._accept_login(request_id, "77"))
    assert run_virtual(login.authenticate())
    assert login.uid == "77"
    assert login.auth_ns > 0
    login._answer = lambda login, request_id: login._accept_login(request_id, "")
    assert run_virtual(login.authenticate())
    assert login.uid == "77"


@pytest.mark.checklist("1.3.13", "5.1.15")
def test_a_refusal_says_why_and_no_secret() -> None:
    def refuse(login: Login, request_id: str) -> None:
        login._refuse_login(request_id, "INVALID_KEY", "401", "the-key with the-secret is none")

    with pytest.raises(AuthenticationError) as raised:
        run_virtual(Login(refuse).authenticate())
    assert str(raised.value) == "401 INVALID_KEY: *** with *** is none"
    assert (raised.value.label, raised.value.status) == ("INVALID_KEY", "401")
    assert not raised.value.reconnect_helps


@pytest.mark.parametrize("status", ["429", "500", "503"])
def test_a_server_that_puts_the_login_off_is_asked_again(status: str) -> None:
    login = Login(lambda login, request_id: login._refuse_login(request_id, "", status, "later"))
    with pytest.raises(TransportError, match=f"{status} .*later") as raised:
        run_virtual(login.authenticate())
    assert raised.value.reconnect_helps


@pytest.mark.checklist("1.3.12", "1.3.16")
@pytest.mark.parametrize(("options", "limit_s"), [({}, 10.0), ({"auth_timeout_s": 2.5}, 2.5)])
def test_silence_is_a_timeout(options: dict[str, Any], limit_s: float) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(AuthenticationTimeout, match=f"within {limit_s:g} s") as raised:
            await Login(**options).authenticate()
        assert raised.value.reconnect_helps
        return loop.time() - started

    assert run_virtual(main()) == pytest.approx(limit_s, abs=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        lambda login, request_id: login._accept_login("another", "1"),
        lambda login, request_id: login._refuse_login("another", "", "401", "no"),
    ],
)
def test_answers_to_other_requests_change_nothing(answer: Any) -> None:
    login = Login(answer, auth_timeout_s=1.0)
    with pytest.raises(AuthenticationTimeout):
        run_virtual(login.authenticate())
    assert login.uid is None


def test_the_first_answer_counts_and_a_late_one_is_nothing() -> None:
    def twice(login: Login, request_id: str) -> None:
        login._accept_login(request_id, "1")
        login._accept_login(request_id, "2")

    login = Login(twice)
    run_virtual(login.authenticate())
    login._refuse_login(login.sent[0]["payload"]["req_id"], "", "401", "no")
    assert login.uid == "1"


def test_a_connection_that_ends_first_is_told_at_once() -> None:
    async def main() -> float:
        async def read() -> TransportError:
            await asyncio.sleep(0.25)
            return ConnectionEnded(1005)

        login = Login()
        login._reader_task = asyncio.create_task(read())
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(ConnectionEnded) as raised:
            await login.authenticate()
        assert raised.value.code == 1005
        return loop.time() - started

    assert run_virtual(main()) == pytest.approx(0.25, abs=0.01)


def test_a_limit_of_no_time_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="auth_timeout_s"):
        Login(auth_timeout_s=0.0)
