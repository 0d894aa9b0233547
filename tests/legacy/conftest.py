"""A loopback exchange and a recording caller for the legacy stack's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode

from exchanges.structs import ConnectionState, ParsedMessage

WAIT_S = 20.0


class Signal:
    """Lets a test wait until a condition over recorded things holds."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Caller(Signal):
    """Records what the handlers get; `gate`, once cleared, holds the message handler back."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[ParsedMessage] = []
        self.states: list[ConnectionState] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_message(self, message: ParsedMessage) -> None:
        self.messages.append(message)
        self.changed()
        await self.gate.wait()

    async def on_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        self.changed()

    def trade_ids(self) -> list[int]:
        return [int(trade.trade_id) for message in self.messages for trade in message.data]


class Exchange(Signal):
    """A WebSocket server that records requests and answers them by `reply`."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.connections: list[ServerConnection] = []
        self.requests: list[list[dict[str, Any]]] = []
        self.reply: Callable[[dict[str, Any]], list[str | bytes]] = lambda request: []

    async def handle(self, connection: ServerConnection) -> None:
        requests: list[dict[str, Any]] = []
        self.connections.append(connection)
        self.requests.append(requests)
        self.changed()
        try:
            async for text in connection:
                requests.append(orjson.loads(text))
                self.changed()
                for answer in self.reply(requests[-1]):
                    await connection.send(answer)
        except ConnectionClosed:
            pass

    async def connected(self, count: int = 1, requests: int = 0) -> ServerConnection:
        """The newest of `count` connections, once it sent `requests` requests."""
        await self.until(lambda: len(self.connections) >= count and len(self.requests[count - 1]) >= requests)
        return self.connections[count - 1]


def frame(payload: str | bytes) -> bytes:
    """One data frame as it stands on the wire."""
    opcode, data = (Opcode.TEXT, payload.encode()) if isinstance(payload, str) else (Opcode.BINARY, payload)
    return Frame(opcode, data).serialize(mask=False)


def close_frame(code: int) -> bytes:
    """One close frame as it stands on the wire."""
    return Frame(Opcode.CLOSE, Close(code, "").serialize()).serialize(mask=False)


def trade(number: int) -> str:
    """A Gate.io trade push with this id."""
    result = {
        "id": number,
        "create_time": 1790359171,
        "create_time_ms": "1790359171119.653000",
        "side": "sell",
        "currency_pair": "BTC_USDT",
        "amount": "0.5",
        "price": "84270",
    }
    push = {"time": 1790359171, "channel": "spot.trades", "event": "update", "result": result}
    return orjson.dumps(push).decode()


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """A running loopback exchange."""
    fake = Exchange()
    async with serve(fake.handle, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2) as server:
        fake.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield fake
        for connection in fake.connections:
            connection.transport.abort()


@pytest.fixture
async def caller() -> Caller:
    """A recording caller."""
    return Caller()


@pytest.fixture
async def closing() -> AsyncIterator[Callable[[Any], Any]]:
    """Registers managers to be closed at the end of the test."""
    managers: list[Any] = []

    def register(manager: Any) -> Any:
        managers.append(manager)
        return manager

    yield register
    closers: list[Awaitable[None]] = [manager.close() for manager in managers]
    await asyncio.gather(*closers)


@pytest.fixture
def wire() -> Any:
    """Frame builders: frame(payload), close_frame(code), trade(id)."""

    class Wire:
        pass

    Wire.frame, Wire.close_frame, Wire.trade = staticmethod(frame), staticmethod(close_frame), staticmethod(trade)
    return Wire
