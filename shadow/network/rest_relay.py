"""The REST side of a role's relay: the calls with which a stack starts go to the exchange, nothing that trades does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Final
from urllib.parse import parse_qs

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

from shadow.network.budget import Budget, BudgetSpent
from shadow.reference import gateio, mexc
from shadow.reference.events import DecodeError
from shadow.venue.ledger import Ledger
from shadow.venue.outgoing import Frame

__all__ = ["RestRelay"]

CALL_S: Final = 10.0
WAIT_S: Final = 4.0
KEY_PATH: Final = "/api/v3/userDataStream"
PREFIX: Final = {"gateio": "/api/v4", "mexc": ""}
BOOKS: Final = {
    "/api/v4/spot/order_book": ("gateio.spot.public", "currency_pair"),
    "/api/v4/futures/usdt/order_book": ("gateio.futures.public", "contract"),
    "/api/v3/depth": ("mexc.spot.public", "symbol"),
}
OWN_HEADERS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})


class RestRelay:
    """`bases` are the exchanges' REST addresses, with or without Gate.io's `/api/v4`."""

    def __init__(
        self,
        role: str,
        bases: Mapping[str, str],
        ledger: Ledger,
        budget: Budget,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._role = role
        self._bases = {name: base.rstrip("/").removesuffix(PREFIX[name]) for name, base in bases.items()}
        self._ledger = ledger
        self._budget = budget
        self._trust = trust
        self._own_keys: set[str] = set()
        self._runner: web.ServerRunner | None = None
        self._session: ClientSession | None = None

    async def open(self, host: str = "127.0.0.1") -> dict[str, str]:
        """Listen; the base address of each exchange."""
        self._session = ClientSession(
            connector=TCPConnector(ssl=self._trust or True), timeout=ClientTimeout(CALL_S), auto_decompress=True
        )
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, host, 0).start()
        port = self._runner.addresses[0][1]
        return {name: f"http://{host}:{port}/{name}{PREFIX[name]}" for name in self._bases}

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange, _, rest = request.raw_path.lstrip("/").partition("/")
        body = await request.read()
        target = f"/{rest}"
        path = target.partition("?")[0]
        connection = BOOKS[path][0] if path in BOOKS else f"{exchange}.spot.private" if path == KEY_PATH else ""
        line = f"{request.method} {target}".encode()
        self._ledger.request(self._role, connection, 0, "rest", line + (b"\n" + body if body else b""))
        if exchange not in self._bases:
            return refusal(404, "no such exchange")
        if (why := self._forbidden(request.method, target, body)) is not None:
            self._ledger.mark(
                "order-refused", self._role, {"connection": connection, "what": f"{request.method} {path}"}
            )
            return refusal(403, why)
        try:
            await self._room(exchange, path == KEY_PATH and request.method == "POST")
        except BudgetSpent as spent:
            return refusal(429, str(spent))
        return await self._ask(request, exchange, target, body)

    def _forbidden(self, method: str, target: str, body: bytes) -> str | None:
        """Why a call goes no further; None for one that asks for data or keeps a listen key of this side's."""
        path, _, query = target.partition("?")
        if method in ("GET", "HEAD"):
            return None
        if path != KEY_PATH or method not in ("POST", "PUT", "DELETE"):
            return "the relay passes on nothing that could trade"
        keys = parse_qs(query).get("listenKey", []) + parse_qs(body.decode(errors="replace")).get("listenKey", [])
        if method != "POST" and not (keys and self._own_keys.issuperset(keys)):
            return "the listen key is not of this side"
        return None

    async def _room(self, exchange: str, is_new_key: bool) -> None:
        """The budget's leave for a call; waits a little where that helps. Raises BudgetSpent."""
        budget = self._budget.at(exchange)
        try:
            budget.rest()
        except BudgetSpent as spent:
            self._ledger.mark("budget", self._role, {"connection": exchange, "says": str(spent), "waits": True})
            if spent.wait_s is None or spent.wait_s > WAIT_S:
                raise
            await asyncio.sleep(spent.wait_s)
            budget.rest()
        if is_new_key:
            budget.take_listen_key()

    async def _ask(self, request: web.BaseRequest, exchange: str, target: str, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        url = URL(self._bases[exchange] + target, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}
        try:
            async with self._session.request(request.method, url, headers=headers, data=body or None) as answer:
                content, status, kind = await answer.read(), answer.status, answer.content_type
        except (ClientError, TimeoutError) as error:
            self._keep_key(request.method, target, b"", exchange)
            return refusal(502, f"the exchange cannot be reached: {type(error).__name__}")
        self._keep_key(request.method, target, content, exchange)
        self._note_book(target, content)
        return web.Response(status=status, body=content, content_type=kind)

    def _keep_key(self, method: str, target: str, content: bytes, exchange: str) -> None:
        """Remember which listen keys are this side's own."""
        path, _, query = target.partition("?")
        if path != KEY_PATH:
            return
        if method == "POST":
            try:
                self._own_keys.add(str(msgspec.json.decode(content)["listenKey"]))
            except (msgspec.DecodeError, LookupError, TypeError):
                self._budget.at(exchange).give_back_listen_key()
        elif method == "DELETE" and content:
            self._own_keys.difference_update(parse_qs(query).get("listenKey", []))
            self._budget.at(exchange).give_back_listen_key()

    def _note_book(self, target: str, content: bytes) -> None:
        """A book goes into the ledger; other answers hold nothing that a stack is judged by."""
        path, _, query = target.partition("?")
        if path not in BOOKS:
            return
        connection, name = BOOKS[path]
        symbol = parse_qs(query).get(name, [""])[0]
        module = mexc if connection.startswith("mexc") else gateio
        try:
            version = module.rest_book(content, symbol).last
        except DecodeError:
            version = None
        frame = Frame(connection, "rest", "book" if version is not None else "", symbol, content, True, last=version)
        self._ledger.sent(frame, self._role, 0, perf_counter_ns(), True, False)


def refusal(status: int, message: str) -> web.Response:
    """An answer of the relay's own."""
    return web.json_response({"label": "REFUSED_BY_RELAY", "message": message}, status=status)
