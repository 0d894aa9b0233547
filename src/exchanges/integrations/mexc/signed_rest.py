"""MEXC's signed REST calls, which tell an account what it asks about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from exchanges.integrations.mexc.listen_keys import sign
from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from exchanges.structs.types import ExchangeCredentials
from infrastructure.networking.websocket.rest_client import RestClient

__all__ = ["MexcRefusal", "MexcSigned"]


class MexcRefusal(ExchangeRestError):
    """The exchange refused a call; `number` is its own code, beside the HTTP status."""

    def __init__(self, code: int, number: int, message: str) -> None:
        super().__init__(code, message)
        self.number = number


class Refusal(msgspec.Struct, gc=False):
    """What a call that failed is answered."""

    code: int = 0
    msg: str = ""


class MexcSigned:
    """GET calls below `base_url`, which holds no path; `now` gives seconds since the epoch.

    Each raises ExchangeRestError: the HTTP status of a refusal, 503 without an answer, 400 for one of another kind.
    """

    def __init__(self, base_url: str, credentials: ExchangeCredentials, now: Callable[[], float] = time.time) -> None:
        self._client = RestClient(base_url)
        self._credentials = credentials
        self._now = now

    async def close(self) -> None:
        """Hang up on calls under way."""
        await self._client.close()

    async def _get(self, path: str, query: Mapping[str, str], kind: Any) -> Any:
        """The answer as `kind`; MexcRefusal where the exchange says why not."""
        return (await self._ask(path, query, kind))[0]

    async def _get_dated(self, path: str, query: Mapping[str, str], kind: Any) -> tuple[Any, int]:
        """The answer as `kind`, and the second in which it was given, in ms of the exchange's own clock."""
        decoded, sent_ms = await self._ask(path, query, kind)
        if sent_ms is None:
            raise ExchangeRestError(400, f"GET {path}: an answer without a date")
        return decoded, sent_ms

    async def _ask(self, path: str, query: Mapping[str, str], kind: Any) -> tuple[Any, int | None]:
        signed = {**query, "timestamp": str(int(self._now() * 1000))}
        signed["signature"] = sign(self._credentials.secret_key, urlencode(signed))
        answer = await self._client.ask("GET", path, signed, {"X-MEXC-APIKEY": self._credentials.api_key})
        if answer.status < 300:
            return _decode(path, answer.body, kind), answer.sent_ms
        refusal = _decode(path, answer.body, Refusal)
        text = f"GET {path}: {refusal.code} {self._credentials.conceal(refusal.msg)[:200]}"
        raise MexcRefusal(answer.status, refusal.code, text)


def _decode(path: str, body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise ExchangeRestError(400, f"GET {path}: unreadable answer: {error}") from error
