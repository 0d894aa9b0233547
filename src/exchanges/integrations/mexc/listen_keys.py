"""MEXC's listen keys over signed REST calls: the key in a socket's address is all its authentication."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from exchanges.structs.errors import UNREADABLE, AuthenticationError, ConfigurationError, ExchangeRestError
from exchanges.structs.types import ExchangeCredentials
from infrastructure.networking.websocket.rest_client import RestClient

__all__ = ["MexcListenKeys", "sign"]

PATH = "/api/v3/userDataStream"
# Signature wrong, timestamp outside the window, API key invalid: none of them is mended by asking again.
REFUSED_CREDENTIALS = {700002, 700003, 10072}


class KeyAnswer(msgspec.Struct, gc=False):
    """What these calls are answered: one key, a list of them, or an error."""

    listenKey: str | list[str] = ""
    code: int = 0
    msg: str = ""


decode_answer = msgspec.json.Decoder(KeyAnswer, strict=False).decode


def sign(secret_key: str, query: str) -> str:
    """The `signature` parameter of a call without a body: lower-case hex HMAC-SHA256 of its query string."""
    return hmac.digest(secret_key.encode(), query.encode(), "sha256").hex()


class MexcListenKeys:
    """Creates, lists, extends and deletes listen keys below `base_url`; `now` gives seconds since the epoch.

    Each call raises AuthenticationError for refused credentials, else ExchangeRestError: 503 without an answer, the
    HTTP status of a refusal, 502 for an answer of another kind. No text of these errors holds the API key, the secret
    or a listen key.
    """

    def __init__(self, base_url: str, credentials: ExchangeCredentials, now: Callable[[], float] = time.time) -> None:
        if not (credentials.api_key.isascii() and credentials.api_key.isprintable()):
            raise ConfigurationError("the API key holds a character that no HTTP header carries")
        self._client = RestClient(base_url)
        self._credentials = credentials
        self._now = now

    async def create(self) -> str:
        """A new key, valid for 60 minutes; at most 60 of an account are."""
        answer = await self._call("POST")
        if not isinstance(answer.listenKey, str) or not answer.listenKey:
            raise ExchangeRestError(400, "no listen key in the answer")
        return answer.listenKey

    async def active(self) -> list[str]:
        """All keys of the account that are valid."""
        answer = await self._call("GET")
        return answer.listenKey if isinstance(answer.listenKey, list) else [answer.listenKey]

    async def extend(self, key: str) -> None:
        """Make a key valid for 60 minutes from now."""
        await self._call("PUT", key)

    async def delete(self, key: str) -> None:
        """End a key; its sockets get no more pushes."""
        await self._call("DELETE", key)

    async def close(self) -> None:
        """Hang up on calls under way."""
        await self._client.close()

    async def _call(self, method: str, key: str | None = None) -> KeyAnswer:
        query = {"listenKey": key} if key is not None else {}
        query["timestamp"] = str(int(self._now() * 1000))
        query["signature"] = sign(self._credentials.secret_key, urlencode(query))
        headers = {"X-MEXC-APIKEY": self._credentials.api_key}
        status, body = await self._client.send(method, PATH, query, headers)
        try:
            answer = decode_answer(body)
        except UNREADABLE:
            raise ExchangeRestError(status if status >= 300 else 502, f"{method} {PATH}: no JSON answer") from None
        if status < 300 and not answer.code:
            return answer
        text = f"{method} {PATH}: {answer.code} {self._credentials.conceal(answer.msg, key)[:200]}"
        if answer.code in REFUSED_CREDENTIALS:
            raise AuthenticationError(text)
        raise ExchangeRestError(status if status >= 300 else 400, text)
