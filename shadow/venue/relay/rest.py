"""The exchange's public REST calls for both sides: one answer for all who ask at the same time, within the budget."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec
import orjson

from shadow.network.budget import BudgetSpent, ExchangeBudget
from shadow.venue.wire import RestAnswer

__all__ = ["RestRelay"]

BOOK_S: Final = 0.2
"""How long a book or the time may be told again; older ones would not fit the pushes."""
OTHER_S: Final = 30.0
PATIENCE_S: Final = 8.0
_SIZE_HEADER: Final = "X-Gate-Size-Decimal"
_CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateio.spot": ("/spot/time", "/spot/order_book", "/spot/currency_pairs", "/spot/currencies", "/spot/tickers"),
    "gateio.futures": ("/futures/usdt/order_book", "/futures/usdt/contracts", "/futures/usdt/tickers"),
    "mexc.spot": tuple(f"/api/v3/{name}" for name in ("ping", "time", "defaultSymbols", "exchangeInfo", "depth")),
}
_PREFIX: Final = {"gateio": "/api/v4", "mexc": ""}
_NO_ROOM: Final = {
    "gateio": {"label": "TOO_MANY_REQUESTS", "message": "the relay's budget is spent"},
    "mexc": {"code": 429, "msg": "the relay's budget is spent"},
}
_NO_ANSWER: Final = {
    "gateio": {"label": "SERVER_ERROR", "message": "the exchange did not answer the relay"},
    "mexc": {"code": 500, "msg": "the exchange did not answer the relay"},
}


class _Book(msgspec.Struct):
    id: int | None = None
    lastUpdateId: int | None = None


class RestRelay:
    """The calls of one exchange."""

    def __init__(self, exchange: str, base: str, budget: ExchangeBudget, tls: ssl.SSLContext | None) -> None:
        self._exchange = exchange
        self._base = base.rstrip("/").removesuffix(_PREFIX[exchange] or "/")
        self._budget = budget
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._known: dict[tuple[object, ...], tuple[float, RestAnswer]] = {}
        self._asking: dict[tuple[object, ...], asyncio.Task[RestAnswer]] = {}

    async def open(self) -> None:
        """Make the session; nothing is sent yet."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, market: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> RestAnswer | None:
        """The exchange's answer, or one that was given a moment ago; None for a call that is not relayed.

        Of the client's headers only the one about sizes goes on, and nothing that is signed.
        """
        call = path.removeprefix(_PREFIX[self._exchange]).rstrip("/")
        stems = _CALLS[f"{self._exchange}.{market}"]
        if method != "GET" or not any(call == one or call.startswith(one + "/") for one in stems):
            return None
        passed = {_SIZE_HEADER: headers[_SIZE_HEADER]} if _SIZE_HEADER in headers else {}
        key = (call, *sorted(query.items()), *passed)
        known = self._known.get(key)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._fetch(key, call, dict(query), passed))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _fetch(
        self, key: tuple[object, ...], call: str, query: dict[str, str], headers: dict[str, str]
    ) -> RestAnswer:
        assert self._session is not None
        try:
            self._budget.rest()
            url = self._base + _PREFIX[self._exchange] + call
            async with self._session.get(url, params=query, headers=headers, ssl=self._tls or True) as response:
                body = await response.read()
                answer = _answer(response.status, body, query)
        except BudgetSpent:
            return RestAnswer(429, orjson.dumps(_NO_ROOM[self._exchange]))
        except (aiohttp.ClientError, OSError, TimeoutError):
            return RestAnswer(502, orjson.dumps(_NO_ANSWER[self._exchange]))
        if answer.status == 200:
            is_fresh = answer.version is not None or call.endswith(("/time", "/ping"))
            self._known[key] = time.monotonic() + (BOOK_S if is_fresh else OTHER_S), answer
        return answer


def _answer(status: int, body: bytes, query: Mapping[str, Any]) -> RestAnswer:
    """What came, and of a book its symbol and version."""
    symbol = next((query[name] for name in ("currency_pair", "contract", "symbol") if name in query), "")
    try:
        book = msgspec.json.decode(body, type=_Book)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return RestAnswer(status, body)
    version = book.id if book.id is not None else book.lastUpdateId
    return RestAnswer(status, body) if version is None else RestAnswer(status, body, symbol, version)
