"""The REST side of a lane: hands each call to the personas and writes call and answer into the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from time import perf_counter_ns

from aiohttp import web

from shadow.venue.ledger import Ledger
from shadow.venue.outgoing import Frame
from shadow.venue.outlet import Outlet
from shadow.venue.relay.persona import RelayedPersona
from shadow.venue.wire import PersonaBase, RestAnswer

__all__ = ["RestDesk"]


class RestDesk:
    """Answers the REST calls of one role."""

    def __init__(self, role: str, outlets: Sequence[Outlet], ledger: Ledger) -> None:
        self._role = role
        self._outlets = outlets
        self._ledger = ledger
        self._runner: web.ServerRunner | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; return the port. Raises OSError when it is taken."""
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        for outlet in self._outlets:
            answer = await _ask(outlet.persona, request, body)
            if answer is None:
                continue
            self._note(request, outlet.connection, body)
            answer, fault = outlet.revise_book(answer)
            is_book = answer.version is not None
            if is_book:
                outlet.books_asked.add(answer.symbol)
                outlet.changed.set()
            frame = Frame(
                outlet.connection,
                "rest",
                "book" if is_book else "",
                answer.symbol,
                answer.body,
                True,
                last=answer.version,
                fault=fault,
            )
            if fault:
                self._ledger.mark(
                    "fault",
                    self._role,
                    {"kind": fault, "connection": outlet.connection, "role": self._role, "symbol": answer.symbol},
                )
            self._ledger.sent(frame, self._role, 0, perf_counter_ns(), True, False)
            return web.Response(status=answer.status, body=answer.body, content_type="application/json")
        self._note(request, "", body)
        return web.Response(status=404, body=b'{"message":"no such path"}', content_type="application/json")

    def _note(self, request: web.BaseRequest, connection: str, body: bytes) -> None:
        line = f"{request.method} {request.path_qs}".encode()
        self._ledger.request(self._role, connection, 0, "rest", line + (b"\n" + body if body else b""))


async def _ask(persona: PersonaBase, request: web.BaseRequest, body: bytes) -> RestAnswer | None:
    """The persona's own answer, or the exchange's where it relays."""
    method, path, query, headers = request.method, request.path, request.query, request.headers
    if isinstance(persona, RelayedPersona) and not persona.is_private:
        return await persona.relay(method, path, query, headers)
    return persona.rest(method, path, query, headers, body, time.time())
