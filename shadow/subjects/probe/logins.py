"""Logging in at Gate.io over a loopback socket, to a server that verifies each signature: the venue's own persona."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from time import perf_counter_ns

from websockets.asyncio.server import ServerConnection, serve

from exchanges.structs import ConnectionState, ExchangeConfig, ExchangeCredentials, WebSocketConfig
from infrastructure.networking.websocket.migration.stacks import load_builder
from shadow.subjects.probe.frames import START_MS, SYMBOL
from shadow.subjects.probe.samples import Roles, Samples
from shadow.venue.credentials import make_credentials
from shadow.venue.market import market_for
from shadow.venue.personas.gateio_private import GateioSpotPrivate

__all__ = ["measure_logins"]

LOGINS = 12
PATIENCE_S = 5.0


class _Exchange:
    """Answers logins and subscriptions; notes when each path's connection was accepted."""

    def __init__(self) -> None:
        self.credentials = make_credentials()["gateio"]
        self._persona = GateioSpotPrivate(market_for("gateio", "spot", [SYMBOL], 1, START_MS), 1.0, self.credentials)
        self.opened_ns: dict[str, int] = {}

    async def attend(self, connection: ServerConnection) -> None:
        """One client until it goes."""
        assert connection.request is not None
        self.opened_ns[connection.request.path] = perf_counter_ns()
        session = self._persona.open(self._persona.ws_path, {}, time.time())
        async for text in connection:
            for reply in session.on_message(str(text), time.time()):
                await connection.send(reply.payload, text=True)


async def measure_logins(roles: Roles, samples: Samples) -> None:
    """`auth`: from the accepted connection to the stack's state CONNECTED, ns.

    All logins of a role wait at the same time: the legacy's wait is a fixed one.
    """
    exchange = _Exchange()
    async with serve(exchange.attend, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        for role, architecture in roles.items():
            if architecture == "legacy":
                paths = [f"/{role}/{number}" for number in range(LOGINS)]
                values = await asyncio.gather(*(_login(architecture, exchange, url, path) for path in paths))
            else:
                values = [await _login(architecture, exchange, url, f"/{role}/{number}") for number in range(LOGINS)]
            samples.add(role, "auth", values)


async def _login(architecture: str, exchange: _Exchange, url: str, path: str) -> int:
    connected: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    manager = load_builder(architecture, "gateio")(_config(exchange, url + path), True, _ignore, _once(connected))
    await manager.initialize()
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await connected - exchange.opened_ns[path]
    finally:
        await manager.close()


def _once(connected: asyncio.Future[int]) -> Callable[[ConnectionState], Awaitable[None]]:
    async def on_state(state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED and not connected.done():
            connected.set_result(perf_counter_ns())

    return on_state


async def _ignore(_: object) -> None:
    return


def _config(exchange: _Exchange, url: str) -> ExchangeConfig:
    credentials = ExchangeCredentials(exchange.credentials["key"], exchange.credentials["secret"])
    settings = WebSocketConfig(url, enable_compression=False, heartbeat_interval=None, close_timeout=1.0)
    return ExchangeConfig("GATEIO_SPOT", credentials, websocket_url=url, websocket=settings)
