"""Gate.io's signed REST calls, which tell an account what it asks about itself."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from exchanges.integrations.signed_rest import SignedRest
from exchanges.structs.errors import ExchangeRestError
from exchanges.structs.types import ExchangeCredentials
from infrastructure.networking.websocket.rest_client import RestAnswer

__all__ = ["GateioSigned", "every_page", "reading"]

T = TypeVar("T")
EMPTY = hashlib.sha512(b"").hexdigest()


class GateioSigned(SignedRest):
    """Gate.io's; `base_url` ends in `/api/v4`."""

    def __init__(self, base_url: str, credentials: ExchangeCredentials, now: Callable[[], float] = time.time) -> None:
        super().__init__(base_url, credentials, now)
        self._prefix = urlsplit(base_url).path.rstrip("/")

    async def _ask(self, path: str, query: Mapping[str, str]) -> RestAnswer:
        answer = await self._client.ask("GET", path, query, self._signed(path, query))
        if answer.status >= 300:
            text = self._credentials.conceal(answer.body.decode(errors="replace"))
            raise ExchangeRestError(answer.status, f"GET {path}: {text[:200]}")
        return answer

    def _signed(self, path: str, query: Mapping[str, str]) -> dict[str, str]:
        stamp = str(int(self._now()))
        text = "\n".join(("GET", self._prefix + path, urlencode(query), EMPTY, stamp))
        made = hmac.digest(self._credentials.secret_key.encode(), text.encode(), "sha512").hex()
        return {"KEY": self._credentials.api_key, "Timestamp": stamp, "SIGN": made}


async def every_page(
    path: str, most: int, fetch: Callable[[int], Awaitable[list[T]]], key: Callable[[T], Hashable]
) -> list[T]:
    """A list that is given in pages of `most` items, each item once by its key; `fetch` is given numbers from 0 on.

    A page that is full and tells nothing new is an error: the rest cannot be had. What comes to the list meanwhile
    moves items to the next page, where they are met again; none is passed over.
    """
    found: dict[Hashable, T] = {}
    for number in count():
        page, known = await fetch(number), len(found)
        found |= {key(item): item for item in page}
        if len(page) < most:
            break
        if len(found) == known:
            raise ExchangeRestError(400, f"GET {path}: page {number + 1} tells no more, and is not the last")
    return list(found.values())


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Within, a value that makes no sense is an ExchangeRestError 400 that names what could not be read."""
    try:
        yield
    except (msgspec.MsgspecError, ValueError, ArithmeticError, TypeError) as error:
        raise ExchangeRestError(400, f"unreadable {what}: {error or type(error).__name__}") from error
