"""All lines to the exchanges: one for each connection, more where pushes look alike or a cap is reached."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from shadow.errors import UsageError
from shadow.network.budget import Budget
from shadow.upstream import Upstream
from shadow.venue.relay.dialect import Dialect
from shadow.venue.relay.gateio import GateioDialect
from shadow.venue.relay.line import Line, LineSettings, Owner, Unreachable
from shadow.venue.relay.mexc import MexcDialect
from shadow.venue.relay.private import GateioPrivateDialect, ListenKey
from shadow.venue.relay.rest import RestRelay

__all__ = ["LinePool", "dialect_of", "tls_of"]


class LinePool:
    """Lines and REST of connections; `owner` hears what they say, `credentials` are the account's own.

    UsageError where the upstream names no address of one.
    """

    def __init__(
        self,
        upstream: Upstream,
        connections: list[str],
        owner: Owner,
        budget: Budget,
        settings: LineSettings | None = None,
        credentials: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        tls = tls_of(upstream)
        known = credentials or {}
        self.dialects = {connection: dialect_of(connection, known) for connection in connections}
        exchanges = dict.fromkeys(connection.partition(".")[0] for connection in connections)
        self.rest = {one: RestRelay(one, _address(upstream.rest, one), budget.at(one), tls) for one in exchanges}
        self._urls = {one: _ws_address(upstream.ws, one) for one in connections}
        self._keys = {
            one: ListenKey(_address(upstream.rest, "mexc"), known["mexc"], budget.at("mexc"), tls)
            for one in connections
            if one == "mexc.spot.private"
        }
        self._lines: dict[str, list[Line]] = {connection: [] for connection in connections}
        self._owner = owner
        self._budget = budget
        self._settings = settings
        self._tls = tls

    def __iter__(self) -> Iterator[Line]:
        return (line for lines in self._lines.values() for line in tuple(lines))

    async def open(self) -> None:
        """Connect to every exchange; UsageError when one cannot be reached, and then nothing stays open."""
        for connection in self._lines:
            self._add(connection, {})
        lines = list(self)
        outcomes = await asyncio.gather(*(line.open() for line in lines), return_exceptions=True)
        failed = next((pair for pair in zip(lines, outcomes, strict=True) if pair[1] is not None), None)
        if failed is not None:
            await self.close()
            raise self._told(failed[0].connection, failed[1])
        for rest in self.rest.values():
            await rest.open()

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(line.close() for line in self))
        await asyncio.gather(*(key.close() for key in self._keys.values()))
        await asyncio.gather(*(rest.close() for rest in self.rest.values()))

    def line_for(self, connection: str, key: str) -> Line:
        """The line that has the key, or one that can take it."""
        lines = self._lines[connection]
        line = next((line for line in lines if key in line.keys), None)
        line = line or next((line for line in lines if line.takes(key)), None)
        if line is None:
            line = self._add(connection, self.dialects[connection].headers(key))
            line.start()
        return line

    def _add(self, connection: str, headers: dict[str, str]) -> Line:
        line = Line(
            connection,
            self._urls[connection],
            self.dialects[connection],
            self._budget.at(connection.partition(".")[0]),
            self._owner,
            tls=self._tls,
            headers=headers,
            settings=self._settings,
            signed=self._keys[connection].url if connection in self._keys else None,
        )
        self._lines[connection].append(line)
        return line

    def _told(self, connection: str, outcome: BaseException | None) -> BaseException:
        if not isinstance(outcome, Unreachable):
            assert outcome is not None
            return outcome
        host = urlsplit(self._urls[connection]).hostname
        return UsageError(f"cannot reach {host} for {connection}: {outcome}; check the network, or use --feed sim")


def dialect_of(connection: str, credentials: Mapping[str, Mapping[str, str]] | None = None) -> Dialect:
    """How a connection is spoken on; private ones of Gate.io with the account's credentials."""
    exchange, market, scope = connection.split(".")
    if exchange == "mexc":
        return MexcDialect()
    return GateioPrivateDialect(market, (credentials or {})[exchange]) if scope == "private" else GateioDialect(market)


def tls_of(upstream: Upstream) -> ssl.SSLContext | None:
    """Trust in the system's authorities and the upstream's own; None where nothing of it goes over TLS."""
    if not any(url.startswith(("wss:", "https:")) for url in (*upstream.ws.values(), *upstream.rest.values())):
        return None
    context = ssl.create_default_context()
    if upstream.ca is not None:
        try:
            context.load_verify_locations(upstream.ca)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"the upstream's ca {upstream.ca} cannot be read: {error.strerror or error}") from None
    return context


def _ws_address(known: dict[str, str], connection: str) -> str:
    """A venue has addresses for private connections; at the exchanges they share the public one."""
    return known.get(connection) or _address(known, connection.rpartition(".")[0])


def _address(known: dict[str, str], name: str) -> str:
    if name not in known:
        raise UsageError(f"the upstream names no address of {name}; it has {', '.join(known)}")
    return known[name]
