"""The private side of the exchanges as the relay speaks it: signed subscriptions at Gate.io, a listen key at MEXC.

Only the relay signs with the account's credentials; what stacks sign, they sign with those made for the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ssl
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import aiohttp
import orjson

from shadow.network.budget import ExchangeBudget
from shadow.venue.relay.dialect import Data
from shadow.venue.relay.gateio import Frame, GateioDialect

__all__ = ["GateioPrivateDialect", "ListenKey", "NoListenKey"]

RENEW_S: Final = 1800.0
PATIENCE_S: Final = 8.0
_PATH: Final = "/api/v3/userDataStream"


class GateioPrivateDialect(GateioDialect):
    """Keys are `<channel>|<symbol or !all>`, of balances `<channel>|`."""

    def __init__(self, market: str, credentials: Mapping[str, str]) -> None:
        super().__init__(market)
        self._credentials = credentials

    def address(self, key: str) -> tuple[str, str]:
        """The channel: its pushes hold any symbol."""
        return key.partition("|")[0], ""

    def headers(self, key: str) -> dict[str, str]:
        """None."""
        return {}

    def _data(self, frame: Frame) -> Data | None:
        return Data((frame.channel, ""), len(frame.result) if isinstance(frame.result, list) else 1)

    def _request(self, request_id: int, key: str, event: str) -> str:
        channel, _, symbol = key.partition("|")
        now_s = int(time.time())
        text = f"channel={channel}&event={event}&time={now_s}"
        sign = hmac.new(self._credentials["secret"].encode(), text.encode(), hashlib.sha512).hexdigest()
        auth = {"method": "api_key", "KEY": self._credentials["key"], "SIGN": sign}
        asked: dict[str, object] = {"time": now_s, "id": request_id, "channel": channel, "event": event, "auth": auth}
        payload = [self._credentials["uid"]] if self._market == "futures" else []
        payload += [symbol] if symbol else []
        if payload:
            asked["payload"] = payload
        return orjson.dumps(asked).decode()


class NoListenKey(OSError):
    """The exchange gave no listen key."""


class ListenKey:
    """One key of our own at MEXC: made when it is needed, extended, closed at the end; no other key is touched."""

    def __init__(
        self, base: str, credentials: Mapping[str, str], budget: ExchangeBudget, tls: ssl.SSLContext | None
    ) -> None:
        self._base = base.rstrip("/")
        self._credentials = credentials
        self._budget = budget
        self._tls = tls
        self._key: str | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def url(self, ws: str) -> str:
        """The address of a private connection; NoListenKey when there is none to be had, BudgetSpent over budget."""
        if self._key is not None and not await self._ask("PUT", self._key):
            self._forget()
        if self._key is None:
            self._budget.take_listen_key()
            self._key = await self._ask("POST")
            if self._key is None:
                self._budget.give_back_listen_key()
                raise NoListenKey("the exchange gave no listen key")
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return f"{ws}?listenKey={self._key}"

    async def close(self) -> None:
        """Close our own key."""
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        if self._key is not None:
            await self._ask("DELETE", self._key)
            self._forget()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if self._key is not None:
                await self._ask("PUT", self._key)

    def _forget(self) -> None:
        self._key = None
        self._budget.give_back_listen_key()

    async def _ask(self, method: str, key: str | None = None) -> str | None:
        """The key that the exchange answers with; None when it gives none."""
        self._budget.rest()
        query = {} if key is None else {"listenKey": key}
        text = urlencode({**query, "timestamp": str(int(time.time() * 1000))})
        sign = hmac.new(self._credentials["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MEXC-APIKEY": self._credentials["key"]}
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
                url = f"{self._base}{_PATH}?{text}&signature={sign}"
                async with session.request(method, url, ssl=self._tls or True) as response:
                    told = orjson.loads(await response.read()) if response.status == 200 else {}
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            return None
        found = told.get("listenKey") if isinstance(told, dict) else None
        return found if isinstance(found, str) else None
