"""All relays of a session in which each stack has its own connections: what a venue process is in other sessions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from shadow.errors import UsageError
from shadow.network.budget import Budget
from shadow.network.relay import Relay, Route
from shadow.network.rest_relay import RestRelay
from shadow.upstream import Upstream
from shadow.venue.faults import Fault, parse_fault
from shadow.venue.ledger import Ledger
from shadow.venue.relay.pool import tls_of
from shadow.venue.sinks import Sink

__all__ = ["DIRECT_FAULTS", "Direct", "DirectOptions"]

Emit = Callable[[dict[str, Any]], None]
PROGRESS_S: Final = 0.5
REACH_S: Final = 5.0
RESET_CODE: Final = 1006
DIRECT_FAULTS: Final = frozenset({"close", "reset"})
"""What a relay can do to one side's own connection; everything else would have to be done by the exchange."""


class DirectOptions(msgspec.Struct):
    """The first line of the process. Symbols in the Gate.io spelling; `channels` by connection."""

    roles: list[str]
    channels: dict[str, list[str]]
    symbols: list[str]
    upstream: Upstream
    ledger_fd: int
    faults: list[str] = []


class Direct:
    """The relays of every role, one ledger and one budget for all."""

    def __init__(self, options: DirectOptions, sink: Sink, emit: Emit, budget: Budget | None = None) -> None:
        self.options = options
        self.ledger = Ledger(sink)
        self.budget = budget or Budget()
        self._emit = emit
        self._faults = [parse_fault(text) for text in options.faults]
        self._timers: list[asyncio.TimerHandle] = []
        self._trust = trust = tls_of(options.upstream)
        self._routes = routes = {one: self._route(one) for one in options.channels}
        bases = {name: base for name, base in options.upstream.rest.items() if name in self._exchanges()}
        self.relays = {
            role: Relay(role, routes, self.ledger, self.budget, trust, self._teller(role)) for role in options.roles
        }
        self.rests = {role: RestRelay(role, bases, self.ledger, self.budget, trust) for role in options.roles}

    async def open(self) -> dict[str, Any]:
        """Listen everywhere; lanes by role, and each connection's symbols in the exchange's spelling.

        UsageError when an exchange cannot be reached: no stack is to be blamed for that.
        """
        await asyncio.gather(*(self._reach(route) for route in self._routes.values()))
        lanes = {
            role: {"ws": await self.relays[role].open(), "rest": await self.rests[role].open()} for role in self.relays
        }
        self.ledger.start()
        symbols = {one: [spelt(one, name) for name in self.options.symbols] for one in self.options.channels}
        return {"lanes": lanes, "symbols": symbols}

    async def pace(self, phase: str, seconds: float) -> int:
        """Let the exchange's frames pass for a while, told each half second; how many came to all roles."""
        loop = asyncio.get_running_loop()
        before, end = self.ledger.frames, loop.time() + seconds
        self.ledger.mark("phase-begin", detail={"phase": phase})
        if phase != "warm-up":
            self._timers += [
                loop.call_later(fault.at_s + n * fault.every_s, self._disturb, fault)
                for fault in self._faults
                for n in range(fault.count or 1)
            ]
        while (left := end - loop.time()) > 0:
            told = self.ledger.frames
            await asyncio.sleep(min(left, PROGRESS_S))
            passed = self.ledger.frames - told
            self._emit({"k": "progress", "frames": self.ledger.frames - before, "rate": passed / PROGRESS_S})
        self.ledger.mark("phase-end", detail={"phase": phase})
        return self.ledger.frames - before

    def drain(self) -> dict[str, dict[str, int]]:
        """Pass nothing more on; events passed in this leg by role and connection."""
        for relay in self.relays.values():
            relay.hold()
        passed: dict[str, dict[str, int]] = {role: dict.fromkeys(self.options.channels, 0) for role in self.relays}
        for (role, connection), count in self.ledger.sent_events.items():
            passed[role][connection] = count
        return passed

    async def close(self) -> None:
        """Close everything; the ledger last, with what the budget says was done at each exchange."""
        for timer in self._timers:
            timer.cancel()
        for relay in self.relays.values():
            await relay.close()
        for rest in self.rests.values():
            await rest.close()
        for exchange in self._exchanges():
            used = msgspec.to_builtins(self.budget.at(exchange).used)
            self.ledger.mark("budget-used", detail={"exchange": exchange, **used})
        self.ledger.close()

    async def _reach(self, route: Route) -> None:
        parts = urlsplit(route.url)
        is_secure = parts.scheme == "wss"
        port = parts.port or (443 if is_secure else 80)
        try:
            async with asyncio.timeout(REACH_S):
                _, writer = await asyncio.open_connection(
                    parts.hostname, port, ssl=(self._trust or True) if is_secure else None
                )
        except (OSError, TimeoutError) as error:
            why = str(error) or f"no answer within {REACH_S:.0f} s"
            raise UsageError(
                f"cannot reach {parts.hostname} for {route.connection}: {why};"
                " check the network with `shadow doctor --live`, or use --feed sim"
            ) from None
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _exchanges(self) -> list[str]:
        return sorted({one.partition(".")[0] for one in self.options.channels})

    def _route(self, connection: str) -> Route:
        upstream = self.options.upstream
        place = connection.rpartition(".")[0]
        url = upstream.ws.get(connection) or upstream.ws.get(place)
        if url is None:
            raise UsageError(f"the upstream has no address for {place}; leave {connection} out of --connections")
        is_private = connection.endswith(".private")
        symbols = [""] if is_private else [spelt(connection, name) for name in self.options.symbols]
        wanted = frozenset((channel, name) for channel in self.options.channels[connection] for name in symbols)
        return Route(connection, url, wanted)

    def _teller(self, role: str) -> Callable[[str, bool], None]:
        def tell(connection: str, is_complete: bool) -> None:
            self._emit({"k": "subscribed", "role": role, "connection": connection, "complete": is_complete})

        return tell

    def _disturb(self, fault: Fault) -> None:
        """Take a side's own connection away, as its network or its gateway node would."""
        code = RESET_CODE if fault.kind == "reset" else fault.code
        for role, relay in self.relays.items():
            if fault.role in (None, role) and relay.drop(fault.connection, code, f"fault:{fault.kind}"):
                detail = {"kind": fault.kind, "connection": fault.connection, "role": role}
                self.ledger.mark("fault", role, dict(detail))


def spelt(connection: str, symbol: str) -> str:
    """The exchange's spelling of a Gate.io-spelt symbol."""
    return symbol.replace("_", "") if connection.startswith("mexc") else symbol
