"""Signed REST calls that tell an account what it asks about itself: what both exchanges have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from exchanges.structs.errors import UNREADABLE, ExchangeRestError
from exchanges.structs.types import ExchangeCredentials
from infrastructure.networking.websocket.rest_client import RestAnswer, RestClient

__all__ = ["SignedRest", "decode"]


class SignedRest(ABC):
    """GET calls below `base_url`; `now` gives seconds since the epoch.

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
        """The answer as `kind`."""
        return decode(path, (await self._ask(path, query)).body, kind)

    async def _get_dated(self, path: str, query: Mapping[str, str], kind: Any) -> tuple[Any, int]:
        """The answer as `kind`, and the second in which it was given, in ms of the exchange's own clock."""
        answer = await self._ask(path, query)
        decoded = decode(path, answer.body, kind)
        if answer.sent_ms is None:
            raise ExchangeRestError(400, f"GET {path}: an answer without a date")
        return decoded, answer.sent_ms

    @abstractmethod
    async def _ask(self, path: str, query: Mapping[str, str]) -> RestAnswer:
        """The answer to a signed call, which is not a refusal."""


def decode(path: str, body: bytes, kind: Any) -> Any:
    """A body as `kind`; ExchangeRestError 400 where it is something else."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise ExchangeRestError(400, f"GET {path}: unreadable answer: {error}") from error
