"""Gate.io's authentication: a login that the server confirms, and a signature on each private subscription."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from itertools import count
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from exchanges.structs.errors import (
    AuthenticationError,
    AuthenticationTimeout,
    ConfigurationError,
    ExchangeError,
    TransportError,
)
from exchanges.structs.types import ExchangeCredentials
from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin

__all__ = ["GateioAuthMixin"]


class GateioAuthMixin(AuthMixin):
    """Logs in on each new connection and learns `uid`. Stands before the message handler in the bases.

    The handler's control path calls `_accept_login` or `_refuse_login` with the answer. No text of an error or a log
    line holds the key or the secret.
    """

    LOGIN_CHANNEL: ClassVar[str] = "spot.login"

    _reader_task: asyncio.Task[TransportError] | None

    if TYPE_CHECKING:  # the interface gives it; a body here would hide its own

        async def _send(self, text: str) -> None: ...

    def __init__(
        self, *args: Any, credentials: ExchangeCredentials, auth_timeout_s: float = 10.0, **kwargs: Any
    ) -> None:
        if auth_timeout_s <= 0:
            raise ConfigurationError(f"auth_timeout_s has to be above 0: {auth_timeout_s}")
        super().__init__(*args, **kwargs)
        self.uid: str | None = None
        self.auth_ns = 0
        self.was_accepted = False
        self._credentials = credentials
        self._auth_timeout_s = auth_timeout_s
        self._login_numbers = count(1)
        self._login: tuple[str, asyncio.Future[str | ExchangeError]] | None = None

    def requires_authentication(self) -> bool:
        """Always."""
        return True

    def create_auth_message(self) -> dict[str, Any]:
        """The login, signed for now; its request id is new each time."""
        now = int(time.time())
        timestamp = str(now)
        return {
            "time": now,
            "channel": self.LOGIN_CHANNEL,
            "event": "api",
            "payload": {
                "req_id": f"login-{time.time_ns() // 1_000_000}-{next(self._login_numbers)}",
                "api_key": self._credentials.api_key,
                "timestamp": timestamp,
                # The third part is the request's parameters, of which a login has none.
                "signature": self._hmac(f"api\n{self.LOGIN_CHANNEL}\n\n{timestamp}"),
            },
        }

    async def authenticate(self) -> bool:
        """Log in and wait for the server's answer.

        AuthenticationError when it refuses, AuthenticationTimeout when it does not answer within `auth_timeout_s`,
        TransportError when it puts the login off, and the connection's own end when that comes first.
        """
        message = self.create_auth_message()
        answer: asyncio.Future[str | ExchangeError] = asyncio.get_running_loop().create_future()
        self._login = message["payload"]["req_id"], answer
        started = perf_counter_ns()
        try:
            await self._send(orjson.dumps(message).decode())
            outcome = await self._wait_for(answer)
        finally:
            self._login = None
        self.auth_ns = perf_counter_ns() - started
        if isinstance(outcome, ExchangeError):
            raise outcome
        self.uid = outcome or self.uid
        self.was_accepted = True
        return True

    def sign(self, channel: str, event: str, timestamp: int) -> dict[str, str]:
        """The `auth` object of a request whose `time` is `timestamp`, in seconds."""
        signature = self._hmac(f"channel={channel}&event={event}&time={timestamp}")
        return {"method": "api_key", "KEY": self._credentials.api_key, "SIGN": signature}

    async def _wait_for(self, answer: asyncio.Future[str | ExchangeError]) -> str | ExchangeError:
        waiting: set[asyncio.Future[Any]] = {answer}
        reader = self._reader_task
        if reader is not None:
            waiting.add(reader)
        await asyncio.wait(waiting, timeout=self._auth_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        if reader is not None and reader.done():
            raise reader.result()
        raise AuthenticationTimeout(f"no answer to {self.LOGIN_CHANNEL} within {self._auth_timeout_s:g} s")

    def _accept_login(self, request_id: str, uid: str) -> None:
        """The server confirmed; `uid` is empty where it names none. Answers to other requests change nothing."""
        self._settle_login(request_id, uid)

    def _refuse_login(self, request_id: str, label: str, status: str, message: str) -> None:
        """The server refused, in its own words; too many requests or its own failure say nothing of credentials."""
        text = self._credentials.conceal(message or "login refused")
        if status == "429" or (len(status) == 3 and status.startswith("5")):
            self._settle_login(request_id, TransportError(f"login put off: {status} {label}: {text}"))
        else:
            self._settle_login(request_id, AuthenticationError(text, label=label, status=status))

    def _settle_login(self, request_id: str, outcome: str | ExchangeError) -> None:
        if self._login is not None and self._login[0] == request_id and not self._login[1].done():
            self._login[1].set_result(outcome)

    def _hmac(self, text: str) -> str:
        return hmac.new(self._credentials.secret_key.encode(), text.encode(), hashlib.sha512).hexdigest()
