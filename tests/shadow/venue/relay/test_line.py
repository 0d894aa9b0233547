"""A line to an exchange that behaves badly, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from shadow.network.budget import CAPS, Budget
from shadow.venue.relay.dialect import Answer, Data
from shadow.venue.relay.gateio import GateioDialect
from shadow.venue.relay.line import Line, LineSettings, Unreachable

KEY = "spot.trades|BTC_USDT"
QUICK = LineSettings(ping_s=0.05, silent_s=0.3, first_wait_s=0.01, longest_wait_s=0.05)
Behave = Callable[[ServerConnection], Awaitable[None]]


class Told:
    """Keeps what a line says."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.changed = asyncio.Condition()

    def arrived(self, line: Line, key: str, data: Data, payload: bytes, is_text: bool) -> None:
        self.say(("data", key, payload, is_text))

    def damaged(self, line: Line, payload: bytes, is_text: bool) -> None:
        self.say(("damaged", payload, is_text))

    def lost(self, line: Line, code: int, reason: str) -> None:
        self.say(("lost", code, reason))

    def back(self, line: Line) -> None:
        self.say(("back",))

    def heard(self, answer: Answer | None) -> None:
        self.say(("heard", answer if answer is None else answer.is_accepted))

    def say(self, what: Any) -> None:
        self.said.append(what)
        asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, *wanted: Any) -> None:
        async with self.changed:
            await self.changed.wait_for(
                lambda: [one for one in self.said if one[0] != "data"][-len(wanted) :] == [*wanted]
            )


@asynccontextmanager
async def line_to(behave: Behave, budget: Budget, told: Told) -> AsyncIterator[Line]:
    async with serve(behave, "127.0.0.1", 0, close_timeout=0.1) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        line = Line("gateio.spot.public", url, GateioDialect("spot"), budget.at("gateio"), told, settings=QUICK)
        try:
            yield line
        finally:
            await line.close()


def ack(request: str | bytes, **more: Any) -> str:
    asked = json.loads(request)
    return json.dumps({"id": asked.get("id"), "channel": asked["channel"], "event": asked.get("event", ""), **more})


async def test_a_close_is_told_with_its_code_and_the_line_comes_back_by_itself() -> None:
    connected = 0

    async def behave(socket: ServerConnection) -> None:
        nonlocal connected
        connected += 1
        await socket.send(ack(await socket.recv()))
        if connected == 1:
            await socket.close(1012, "restart")
        await socket.wait_closed()

    told = Told()
    async with line_to(behave, Budget(), told) as line:
        await line.open()
        line.want(KEY, told.heard)
        await told.until(("heard", None), ("lost", 1012, "restart"), ("back",))
    assert connected == 2


async def test_an_exchange_that_says_nothing_any_more_is_lost() -> None:
    pings = 0

    async def behave(socket: ServerConnection) -> None:
        nonlocal pings
        await socket.send(ack(await socket.recv()))
        with contextlib.suppress(ConnectionClosed):
            while True:
                pings += "ping" in str(await socket.recv())

    told = Told()
    async with line_to(behave, Budget(), told) as line:
        await line.open()
        line.want(KEY, told.heard)
        await told.until(("heard", None), ("lost", 1006, "silent"), ("back",))
    assert pings >= 3


async def test_a_refusal_is_told_to_all_who_wait_and_the_key_is_free_again() -> None:
    async def behave(socket: ServerConnection) -> None:
        await socket.send(ack(await socket.recv(), error={"code": 2, "message": "unknown currency pair: BTC_USDT"}))
        await socket.send(ack(await socket.recv()))
        await socket.wait_closed()

    told = Told()
    async with line_to(behave, Budget(), told) as line:
        await line.open()
        line.want(KEY, told.heard)
        line.want(KEY, told.heard)
        await told.until(("heard", False), ("heard", False))
        assert line.keys == {}
        line.want(KEY, told.heard)
        await told.until(("heard", None))


async def test_a_reconnect_storm_never_passes_the_budget() -> None:
    seen = asyncio.Queue[int]()
    count = 0

    async def behave(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        seen.put_nowait(count)
        await socket.close(1011)

    caps = msgspec.structs.replace(CAPS["gateio"], opens=5, opens_s=0.5)
    budget, told = Budget({"gateio": caps}), Told()
    loop = asyncio.get_running_loop()
    times: list[float] = []
    async with line_to(behave, budget, told) as line:
        await line.open()
        line.want(KEY, told.heard)
        while len(times) < 11:
            await seen.get()
            times.append(loop.time())
    for first, sixth in zip(times, times[5:], strict=False):
        assert sixth - first > 0.4
    assert budget.used()["gateio"].refused >= 2
    assert budget.used()["gateio"].most_connections == 1
    assert budget.used()["gateio"].connections == 0
    assert [one for one in told.said if one[0] == "lost"] == [("lost", 1011, "")]


async def test_nobody_there_is_unreachable_and_costs_no_connection() -> None:
    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
    budget = Budget()
    line = Line("gateio.spot.public", f"ws://127.0.0.1:{port}/", GateioDialect("spot"), budget.at("gateio"), Told())
    with pytest.raises(Unreachable, match=r"refused|Connect call failed"):
        await line.open()
    assert (budget.used()["gateio"].opened, budget.used()["gateio"].connections) == (1, 0)


async def test_a_key_is_taken_only_where_its_pushes_can_be_told_apart() -> None:
    told = Told()

    async def behave(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with line_to(behave, Budget(), told) as line:
        await line.open()
        line.want("spot.order_book_update|BTC_USDT|100ms", told.heard)
        assert not line.takes("spot.order_book_update|BTC_USDT|20ms")
        assert line.takes("spot.order_book_update|ETH_USDT|20ms")
        assert not line.takes("futures.trades|BTC_USDT|decimal")
