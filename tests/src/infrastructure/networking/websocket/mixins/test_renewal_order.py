"""Whatever order two connections bring the same events in: each is delivered once, and none behind a later one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.integrations.mexc.ws.handlers.public_handler import MexcPublicHandler
from exchanges.structs import (
    ConnectionState,
    MessageType,
    ParsedMessage,
    Symbol,
    WebSocketConfig,
    WebSocketManagerConfig,
)
from exchanges.structs.events import PublicCallbacks
from infrastructure.networking.websocket.testing import FakeServer, FakeSocket, run_virtual, settle

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
Frames = Callable[[str, int], list[bytes]]
NAMES = ("book", "trade", "best", "ticker")


class Scene:
    """A handler on a fake server that confirms at once, and the numbers that its callbacks got."""

    def __init__(self, numbered: Frames, renew_after_s: float = 100.0) -> None:
        self.server = FakeServer()
        self.got: dict[str, list[int]] = {name: [] for name in NAMES}
        self.states: list[ConnectionState] = []
        self._numbered = numbered
        got = self.got
        callbacks = PublicCallbacks(
            on_book=lambda book: got["book"].append(book.last or 0),
            on_trades=lambda trades: got["trade"].extend(int(one.trade_id or 0) for one in trades),
            on_book_ticker=lambda best: got["best"].append(best.update_id or 0),
            on_ticker=lambda ticker: got["ticker"].append((ticker.timestamp or 0) // 1000),
            on_state=self.states.append,
        )
        config = WebSocketConfig("ws://x", close_timeout=5.0)
        self.handler: Any = MexcPublicHandler(
            config, callbacks=callbacks, transport=self.server.open, renew_after_s=renew_after_s
        )

    async def start(self) -> FakeSocket:
        await self.handler.initialize([BTC], [])
        await settle()
        return await self.confirm(0)

    async def confirm(self, number: int) -> FakeSocket:
        """Answer what a connection asked."""
        await settle()
        socket = self.server.sockets[number]
        asked = json.loads(socket.sent[-1])
        socket.feed(json.dumps({"id": asked["id"], "code": 0, "msg": ",".join(asked["params"])}))
        await settle()
        return socket

    def feed(self, socket: FakeSocket, begin: int, end: int) -> None:
        """Events begin to end, the last one included."""
        for number in range(begin, end + 1):
            socket.feed(*self._numbered("public", number))


def each(numbers: range) -> dict[str, list[int]]:
    """These numbers of every type."""
    return {name: list(numbers) for name in NAMES}


steps = st.lists(st.tuples(st.sampled_from(["first", "second"]), st.integers(1, 4)), max_size=12)


@pytest.mark.no_cover
@given(
    sent=st.integers(0, 5),
    behind=st.integers(0, 5),
    both=steps,
    after=st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0.0, 0.5, 4.0, 12.0])), max_size=6),
    dies=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_once_and_in_order(
    numbered: Frames, sent: int, behind: int, both: list[tuple[str, int]], after: list[tuple[int, float]], dies: bool
) -> None:
    """The second connection begins behind event `sent`; the first is late by up to `behind`, but catches up."""

    async def main() -> int:
        scene = Scene(numbered)
        first = await scene.start()
        at = {"first": max(0, sent - behind), "second": sent}
        scene.feed(first, 1, at["first"])
        await asyncio.sleep(100.0)
        sockets = {"first": first, "second": await scene.confirm(1)}
        for name, count in [("first", sent - at["first"]), *both]:
            scene.feed(sockets[name], at[name] + 1, at[name] + count)
            at[name] += count
            await settle(3)
        if dies:
            first.end(1006)
        await asyncio.sleep(1.0)
        await settle()
        assert not first.is_open
        last = max(at.values())
        for count, pause_s in after:
            scene.feed(sockets["second"], at["second"] + 1, at["second"] + count)
            at["second"] += count
            await asyncio.sleep(pause_s)
        scene.feed(sockets["second"], at["second"] + 1, max(last, at["second"]) + 1)
        total = max(last, at["second"]) + 1
        await settle()
        await scene.handler.close()
        assert scene.got == each(range(1, total + 1))
        assert scene.states.count(ConnectionState.CONNECTED) == 1
        return scene.handler.interface_metrics()["renewals"]  # type: ignore[no-any-return]

    assert run_virtual(main()) == 1


def test_the_routes_are_the_ordinary_ones_again_when_no_copy_comes_any_more(numbered: Frames) -> None:
    """Nothing stands on the way of a frame outside of a renewal, nor for longer than copies come."""

    async def main() -> None:
        scene = Scene(numbered, renew_after_s=1000.0)
        first = await scene.start()
        ordinary = scene.handler._on_book
        await asyncio.sleep(1000.0)
        second = await scene.confirm(1)
        scene.feed(first, 1, 9)
        await asyncio.sleep(1.0)
        await settle()
        for number in range(1, 5):
            assert scene.handler._on_book is not ordinary
            scene.feed(second, number, number)
            await asyncio.sleep(59.0)
        await asyncio.sleep(120.0)
        assert scene.handler._on_book is ordinary
        assert scene.got["book"] == list(range(1, 10))
        await scene.handler.close()

    run_virtual(main())


@pytest.mark.parametrize("is_slow", [True, False])
def test_a_server_that_does_not_say_goodbye_is_left_after_a_second(numbered: Frames, is_slow: bool) -> None:
    async def main() -> None:
        scene = Scene(numbered)
        first = await scene.start()
        first.hangs_on_close = is_slow
        await asyncio.sleep(100.0)
        second = await scene.confirm(1)
        await asyncio.sleep(1.5)
        scene.feed(first, 1, 3)
        scene.feed(second, 1, 4)
        await settle()
        assert scene.got["trade"] == ([1, 2, 3] if is_slow else [1, 2, 3, 4])
        await asyncio.sleep(1.0)
        await settle()
        assert scene.got == each(range(1, 5))
        await scene.handler.close()

    run_virtual(main())


def test_closing_while_the_first_does_not_say_goodbye_delivers_what_both_brought(numbered: Frames) -> None:
    async def main() -> None:
        scene = Scene(numbered)
        first = await scene.start()
        first.hangs_on_close = True
        await asyncio.sleep(100.0)
        second = await scene.confirm(1)
        await asyncio.sleep(1.5)
        scene.feed(first, 1, 2)
        scene.feed(second, 2, 4)
        await scene.handler.close()
        assert scene.got == each(range(1, 5))
        assert scene.states[-1] is ConnectionState.CLOSED
        assert not first.is_open
        assert not second.is_open
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_a_full_list_leaves_the_second_connection_unread_and_loses_nothing(
    numbered: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.networking.websocket.successor.Successor.MOST_KEPT", 8)

    async def main() -> None:
        scene = Scene(numbered)
        first = await scene.start()
        await asyncio.sleep(100.0)
        second = await scene.confirm(1)
        scene.feed(second, 1, 10)
        await settle()
        assert second.unread == 32
        scene.feed(first, 1, 3)
        await asyncio.sleep(1.0)
        await settle(60)
        assert scene.got == each(range(1, 11))
        await scene.handler.close()

    run_virtual(main())


def test_a_slow_coroutine_consumer_gets_each_event_once_too(numbered: Frames) -> None:
    """The first connection is left unread when the change begins; it is read to its end before the second's turn."""

    async def main() -> None:
        scene, got, gate = Scene(numbered), list[int](), asyncio.Event()

        async def take(message: ParsedMessage) -> None:
            await gate.wait()
            if message.message_type is MessageType.BOOK_TICKER:
                got.append(message.data.update_id)

        config = WebSocketConfig("ws://x", close_timeout=5.0)
        scene.handler = MexcPublicHandler(
            config,
            message_handler=take,
            manager_config=WebSocketManagerConfig(max_pending_messages=8),
            transport=scene.server.open,
            renew_after_s=100.0,
        )
        first = await scene.start()
        scene.feed(first, 1, 20)
        await asyncio.sleep(100.0)
        second = await scene.confirm(1)
        scene.feed(second, 15, 25)
        await asyncio.sleep(3.0)
        assert first.unread > 0
        gate.set()
        await settle(400)
        scene.feed(second, 26, 30)
        await settle(100)
        assert got == list(range(1, 31))
        assert scene.handler.interface_metrics()["renewals"] == 1
        await scene.handler.close()

    run_virtual(main())


def test_what_is_sent_during_the_change_goes_to_the_second_connection(numbered: Frames) -> None:
    """A subscription, whose answer waits behind what the first brings, and the pings."""

    async def main() -> None:
        scene = Scene(numbered)
        first = await scene.start()
        first.hangs_on_close = True
        await asyncio.sleep(100.0)
        second = await scene.confirm(1)
        await asyncio.sleep(1.5)
        before = len(first.sent), first.pings
        assert scene.handler.is_connected()
        await scene.handler.subscribe([ETH])
        await scene.confirm(1)
        assert scene.handler.active_symbols == {BTC}
        await asyncio.sleep(40.0)
        assert scene.handler.active_symbols == {BTC, ETH}
        assert (len(first.sent), first.pings) == before
        assert (len(second.sent), second.pings) == (2, 1)
        await scene.handler.close()

    run_virtual(main())


def test_a_second_connection_that_breaks_during_the_change_is_replaced(numbered: Frames) -> None:
    """What it brought is delivered all the same; then it is an ordinary reconnection."""

    async def main() -> None:
        scene = Scene(numbered)
        first = await scene.start()
        first.hangs_on_close = True
        await asyncio.sleep(100.0)
        second = await scene.confirm(1)
        await asyncio.sleep(1.5)
        scene.feed(second, 1, 2)
        second.end(1006)
        await asyncio.sleep(1.0)
        third = await scene.confirm(2)
        scene.feed(third, 3, 3)
        await settle()
        assert scene.got == each(range(1, 4))
        assert scene.handler.interface_metrics()["reconnections"] == 1
        assert scene.states[-2:] == [ConnectionState.RECONNECTING, ConnectionState.CONNECTED]
        await scene.handler.close()

    run_virtual(main())
