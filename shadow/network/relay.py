"""The counting relay of one role: a WebSocket port on loopback, one connection at the exchange for each of a subject's.

What passes is passed byte for byte and written into the ledger. The budget guard is asked before anything reaches the
exchange; frames that could trade never do.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.http11 import Request, Response

from shadow.network.budget import Budget, BudgetSpent, ConnectionBudget
from shadow.network.ends import ExchangeEnd, SubjectEnd
from shadow.network.relay_link import FromSubject, RelayLink
from shadow.network.topics import Topic
from shadow.venue.ledger import Ledger

__all__ = ["Relay", "Route"]

OPEN_S: Final = 8.0
WAIT_S: Final = 4.0
CLOSE_S: Final = 2.0
MESSAGE_BYTES: Final = 8 << 20
OWN_HEADERS: Final = frozenset({"host", "connection", "upgrade", "origin"})
"""Headers of one hop; those of the WebSocket handshake itself begin with `sec-websocket-`."""


class Route(msgspec.Struct, frozen=True):
    """Where a connection leads, and the topics that a session wants on it."""

    connection: str
    url: str
    wanted: frozenset[Topic]


class Relay:
    """`changed` is called with a connection's id and whether all its topics are granted, whenever that changes."""

    def __init__(
        self,
        role: str,
        routes: Mapping[str, Route],
        ledger: Ledger,
        budget: Budget,
        trust: ssl.SSLContext | None = None,
        changed: Callable[[str, bool], None] = lambda connection, is_complete: None,
    ) -> None:
        self.role = role
        self._routes = routes
        self._ledger = ledger
        self._budget = budget
        self._trust = trust
        self._tell = changed
        self._links: set[RelayLink] = set()
        self._numbers: Counter[str] = Counter()
        self._complete: dict[str, bool] = {}
        self._server: Server | None = None

    async def open(self, host: str = "127.0.0.1") -> dict[str, str]:
        """Listen; the address of each connection."""
        logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
        self._server = await serve(
            self._attend,
            host,
            0,
            process_request=self._receive,
            compression=None,
            create_connection=SubjectEnd,
            open_timeout=OPEN_S + WAIT_S + 1,
            ping_interval=None,
            close_timeout=CLOSE_S,
            max_size=MESSAGE_BYTES,
            server_header=None,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        return {connection: f"ws://{host}:{port}/{connection}" for connection in self._routes}

    def hold(self) -> None:
        """Pass nothing more on from the exchange."""
        for link in self._links:
            link.hold()

    def drop(self, connection: str, code: int, cause: str) -> int:
        """End all of one kind of connection; how many there were."""
        mine = [link for link in self._links if link.connection == connection and not link.ended.is_set()]
        for link in mine:
            link.drop(code, cause)
        return len(mine)

    async def ended(self, connection: str) -> None:
        """Return when no connection of a kind is left, at the exchange neither."""
        for link in [link for link in self._links if link.connection == connection]:
            await link.gone.wait()

    async def close(self) -> None:
        """End all connections and stop listening."""
        for link in tuple(self._links):
            link.drop(1006, "stop")
        for connection in self._routes:
            await self.ended(connection)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _receive(self, subject: ServerConnection, request: Request) -> Response | None:
        """A handshake: ask the exchange the same first, and answer as it does."""
        path, _, query = request.path.partition("?")
        route = self._routes.get(path.strip("/"))
        if route is None:
            return subject.respond(HTTPStatus.NOT_FOUND, "no such connection\n")
        self._numbers[route.connection] += 1
        number = self._numbers[route.connection]
        note = msgspec.json.encode({"target": request.path, "headers": list(request.headers.raw_items())})
        self._ledger.request(self.role, route.connection, number, "handshake", note)
        try:
            room = await self._room(route.connection)
        except BudgetSpent as spent:
            return subject.respond(HTTPStatus.TOO_MANY_REQUESTS, f"{spent}\n")
        link = RelayLink(self.role, route.connection, number, room, self._ledger, lambda: self._changed(route))
        url = f"{route.url}?{query}" if query else route.url
        try:
            link.joined(await self._join(link, url, request))
        except InvalidStatus as refused:
            room.close()
            status = refused.response.status_code
            self._refused(route, number, status, "upstream")
            return subject.respond(status, refused.response.body.decode(errors="replace"))
        except (OSError, TimeoutError, WebSocketException) as error:
            room.close()
            self._refused(route, number, HTTPStatus.BAD_GATEWAY, "fault:unreachable")
            return subject.respond(HTTPStatus.BAD_GATEWAY, f"the exchange cannot be reached: {type(error).__name__}\n")
        assert isinstance(subject, SubjectEnd)
        subject.receiver = link.from_subject
        return None

    async def _room(self, connection: str) -> ConnectionBudget:
        """The budget's leave for one connection more: waits a little where that helps. Raises BudgetSpent."""
        exchange = self._budget.at(connection.partition(".")[0])
        try:
            return exchange.open()
        except BudgetSpent as spent:
            waits = spent.wait_s is not None and spent.wait_s <= WAIT_S
            self._ledger.mark("budget", self.role, {"connection": connection, "says": str(spent), "waits": waits})
            if not waits:
                raise
            await asyncio.sleep(spent.wait_s or 0.0)
            return exchange.open()

    async def _join(self, link: RelayLink, url: str, request: Request) -> ExchangeEnd:
        def end(*args: object, **options: object) -> ExchangeEnd:
            made = ExchangeEnd(*args, **options)  # type: ignore[arg-type]  # the library's own words
            made.receiver = link.from_exchange
            return made

        found = await connect(
            url,
            create_connection=end,  # type: ignore[arg-type]  # any maker will do
            additional_headers=[
                (name, value)
                for name, value in request.headers.raw_items()
                if name.lower() not in OWN_HEADERS and not name.lower().startswith("sec-websocket-")
            ],
            user_agent_header=None,
            compression=None,
            ssl=self._trust if url.startswith("wss:") else None,
            open_timeout=OPEN_S,
            ping_interval=None,
            close_timeout=CLOSE_S,
            max_size=MESSAGE_BYTES,
        )
        assert isinstance(found, ExchangeEnd)
        return found

    def _refused(self, route: Route, number: int, status: int, cause: str) -> None:
        self._ledger.connection(self.role, route.connection, number, "refused", code=status, cause=cause)

    async def _attend(self, subject: ServerConnection) -> None:
        assert isinstance(subject, SubjectEnd)
        assert isinstance(subject.receiver, FromSubject)
        link = subject.receiver.link
        self._links.add(link)
        link.opened(subject)
        try:
            await link.ended.wait()
            await subject.wait_closed()
        finally:
            self._links.discard(link)
            await link.finish()

    def _changed(self, route: Route) -> None:
        mine = (link.granted for link in self._links if link.connection == route.connection)
        is_complete = route.wanted <= set().union(*mine)
        if is_complete != self._complete.get(route.connection, False):
            self._complete[route.connection] = is_complete
            self._tell(route.connection, is_complete)
