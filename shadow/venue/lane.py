"""A lane: the WebSocket port and the REST port of one role, so that the venue knows who connects."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from shadow.venue.client_link import CLOSE_WAIT_S, ClientLink
from shadow.venue.ledger import Ledger
from shadow.venue.outlet import Outlet
from shadow.venue.rest import RestDesk
from shadow.venue.wire import Refused
from shadow.whole_messages import WholeMessages

__all__ = ["Lane"]

REST_PREFIX = {"gateio": "/api/v4", "mexc": ""}


class VenueConnection(WholeMessages[ClientLink], ServerConnection):
    """A client's connection."""


class Lane:
    """Serves one role on two ports; `outlets` has one entry per connection of the session."""

    def __init__(self, role: str, outlets: Sequence[Outlet], ledger: Ledger, *, deflate: bool = False) -> None:
        self.role = role
        self.outlets = {outlet.connection: outlet for outlet in outlets}
        self.links: set[ClientLink] = set()
        self._ledger = ledger
        self._deflate = deflate
        self._rest = RestDesk(role, outlets, ledger)
        self._server: Server | None = None
        self._ws_base = ""
        self._rest_base = ""

    async def open(self, host: str, ws_port: int = 0, rest_port: int = 0) -> None:
        """Listen on both ports; raises OSError when one is taken."""
        # A refused handshake is an answer here, not an accident worth a traceback.
        logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
        self._server = await serve(
            self._attend,
            host,
            ws_port,
            process_request=self._receive,
            compression="deflate" if self._deflate else None,
            create_connection=VenueConnection,
            ping_interval=None,
            close_timeout=CLOSE_WAIT_S,
            max_size=1 << 20,
            server_header=None,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self._ws_base = f"ws://{host}:{port}"
        self._rest_base = f"http://{host}:{await self._rest.open(host, rest_port)}"

    def urls(self) -> dict[str, dict[str, str]]:
        """Addresses: ws by `<exchange>.<market>`, of private connections by their whole id; rest by exchange."""
        personas = [outlet.persona for outlet in self.outlets.values()]
        ws = {_place(persona.id): self._ws_base + persona.ws_path for persona in personas}
        rest = {persona.exchange: self._rest_base + REST_PREFIX[persona.exchange] for persona in personas}
        return {"ws": ws, "rest": rest}

    def tick(self) -> None:
        """Let time-made closes happen."""
        for link in tuple(self.links):
            link.tick()

    def unsent_bytes(self) -> int:
        """What waits in the sockets' buffers."""
        return sum(link.unsent_bytes() for link in self.links)

    async def close(self) -> None:
        """Close connections and ports."""
        for link in tuple(self.links):
            link.drop("stop")
        await self._rest.close()
        if self._server is not None:
            self._server.close(close_connections=False)
            await self._server.wait_closed()

    def _receive(self, connection: ServerConnection, request: Request) -> Response | None:
        """The handshake: find the persona of the path and let it open a session."""
        assert isinstance(connection, VenueConnection)
        path = request.path.partition("?")[0].rstrip("/")
        refusal: tuple[int, str] = HTTPStatus.NOT_FOUND, "no such path\n"
        for outlet in self.outlets.values():
            persona = outlet.persona
            if persona.ws_path.rstrip("/") != path:
                continue
            outlet.conn_no += 1
            self._note(outlet, request)
            try:
                session = persona.open(request.path, request.headers, time.time())
            except Refused as refused:
                refusal = refused.status, f"{refused}\n"
                self._ledger.connection(
                    self.role, outlet.connection, outlet.conn_no, "refused", code=refused.status, cause="venue"
                )
                continue
            connection.receiver = ClientLink(
                connection,
                persona,
                session,
                self.role,
                outlet.conn_no,
                outlet,
                self._ledger,
                deflate=self._deflate,
            )
            return None
        return connection.respond(*refusal)

    def _note(self, outlet: Outlet, request: Request) -> None:
        payload = msgspec.json.encode({"target": request.path, "headers": list(request.headers.raw_items())})
        self._ledger.request(self.role, outlet.connection, outlet.conn_no, "handshake", payload)

    async def _attend(self, connection: ServerConnection) -> None:
        """A connection's life behind its handshake."""
        assert isinstance(connection, VenueConnection)
        assert connection.receiver is not None
        link = connection.receiver
        self.links.add(link)
        self.outlets[link.connection].opened(link)
        link.opened()
        await link.wait_lost()
        self.links.discard(link)


def _place(connection: str) -> str:
    return connection.removesuffix(".public")
