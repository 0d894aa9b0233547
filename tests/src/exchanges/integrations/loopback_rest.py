"""The venue's personas, which check signatures as the exchanges do, behind a loopback REST server."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from aiohttp import web

from exchanges.integrations.gateio.account_rest import GateioAccount, GateioFuturesAccount
from exchanges.integrations.gateio.orders_rest import GateioFuturesOrders, GateioOrders
from exchanges.integrations.gateio.private_events import read_futures_fills, read_spot_fills
from exchanges.integrations.gateio.private_frames import (
    FuturesFillsFrame,
    SpotFillsFrame,
    decode_futures_private,
    decode_spot_private,
)
from exchanges.integrations.mexc.account_rest import MexcAccount
from exchanges.integrations.mexc.orders_rest import MexcOrders
from exchanges.integrations.mexc.private_frames import read_fills as read_mexc_fills
from exchanges.structs import ExchangeCredentials, Fill, Symbol
from shadow.venue.account import Account
from shadow.venue.market import market_for
from shadow.venue.personas.gateio_private import GateioFuturesPrivate, GateioSpotPrivate
from shadow.venue.personas.mexc_private import MexcSpotPrivate
from shadow.venue.personas.mexc_private_frames import fill_id as mexc_fill_id
from shadow.venue.personas.mexc_private_frames import order_id as mexc_order_id

GIVEN = {"key": "the-key", "secret": "the-secret", "uid": "10000001"}
SYMBOLS = ("BTC_USDT", "ETH_USDT")
START_MS = 1_790_000_000_000
SIDES: dict[str, tuple[Any, Any, Any, str, str]] = {
    "gateio.spot": (GateioSpotPrivate, GateioOrders, GateioAccount, "/api/v4", "spot"),
    "gateio.futures": (GateioFuturesPrivate, GateioFuturesOrders, GateioFuturesAccount, "/api/v4", "futures"),
    "mexc.spot": (MexcSpotPrivate, MexcOrders, MexcAccount, "", "spot"),
}


def read_gateio_fills(payload: bytes) -> list[Fill]:
    """A frame of `spot.usertrades`."""
    frame = decode_spot_private(payload)
    assert isinstance(frame, SpotFillsFrame)
    return read_spot_fills(frame)


def read_gateio_futures_fills(payload: bytes) -> list[Fill]:
    """A frame of `futures.usertrades`."""
    frame = decode_futures_private(payload)
    assert isinstance(frame, FuturesFillsFrame)
    return read_futures_fills(frame)


READ_FILLS = {
    "gateio.spot": read_gateio_fills,
    "gateio.futures": read_gateio_futures_fills,
    "mexc.spot": read_mexc_fills,
}
"""How the stack reads what is pushed."""


@cache
def acted(name: str) -> tuple[Any, Account]:
    """A market and an account on it that has acted for a while; whoever asks by REST changes neither."""
    kind = SIDES[name][-1]
    market = market_for(name.partition(".")[0], kind, SYMBOLS, 3, START_MS)
    account = Account(market, kind, SYMBOLS, 3, START_MS)
    for step in range(200):
        account.step(SYMBOLS[step % 2], START_MS + step)
    return market, account


class Exchange:
    """A persona with an account behind a loopback REST server; `answer` is given instead where it is set.

    With `is_first_page_all` it gives its first page whatever page is asked for.
    """

    def __init__(self, name: str) -> None:
        persona, self.order_calls, self.account_calls, self.prefix, kind = SIDES[name]
        market, self.account = acted(name)
        self.persona = persona(market, 1.0, GIVEN)
        self.persona.account = self.account
        self.answer: web.Response | None = None
        self.is_first_page_all = False
        self.first_page: bytes | None = None
        self.asked: list[str] = []
        self.spell = mexc_order_id if name == "mexc.spot" else str
        self.spell_fill = mexc_fill_id if name == "mexc.spot" else str
        self.read_fills: Any = READ_FILLS[name]
        self.is_futures = kind == "futures"
        self.symbols = [Symbol(*name.split("_"), self.is_futures) for name in SYMBOLS]
        self.url = ""

    def orders(self, secret: str = "the-secret") -> Any:
        """The client's calls about orders."""
        return self.order_calls(self.url + self.prefix, ExchangeCredentials("the-key", secret))

    def calls(self, secret: str = "the-secret") -> Any:
        """The client's calls about what the account has."""
        return self.account_calls(self.url + self.prefix, ExchangeCredentials("the-key", secret))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one call."""
        self.asked.append(request.path)
        if self.answer is not None:
            return self.answer
        if self.is_first_page_all and self.first_page is not None:
            return web.Response(body=self.first_page)
        found = self.persona.rest(request.method, request.path, request.query, request.headers, b"", time.time())
        assert found is not None, request.path_qs
        self.first_page = found.body
        return web.Response(status=found.status, body=found.body)
