"""A stack in a process of its own: what it may do to itself, and what is said of it then."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pytest

from exchanges.structs import (
    ConfigurationError,
    ConnectionState,
    ExchangeConfig,
    ExchangeRestError,
    MessageType,
    OrderBook,
    ParsedMessage,
    Symbol,
)
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.leg import Leg, OnMessage, OnState
from infrastructure.networking.websocket.migration.sidecar import Sidecar, StackSpec
from infrastructure.networking.websocket.migration.vitals import SidecarLimits
from infrastructure.networking.websocket.utils import create_websocket_manager

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
WAIT_S = 30.0
WELL = SidecarLimits(beat_s=20.0, cpu_share=9.0)
LIMITS = {
    "spins": SidecarLimits(beat_s=1.0, cpu_share=9.0),
    "burns": SidecarLimits(beat_s=20.0, cpu_share=0.1, cpu_window_s=0.5),
    "leaks": SidecarLimits(beat_s=20.0, cpu_share=9.0, memory_bytes=200 << 20),
}

STACK = """
import asyncio, os, threading, time
from exchanges.structs import ConnectionState, ExchangeRestError, MessageType, OrderBook, ParsedMessage, Symbol

def build(config, is_private, on_message, on_state, mode="well"):
    if mode == "builds nothing":
        raise RuntimeError("no such stack today")
    return Stack(on_message, on_state, mode)

def burn():
    while True:
        pass

class Stack:
    handler = None

    def __init__(self, on_message, on_state, mode):
        self.on_message, self.on_state, self.mode, self.kept = on_message, on_state, mode, []

    async def initialize(self, symbols, channels):
        await self.on_state(ConnectionState.CONNECTED)
        for number in range(1, 501):
            book = OrderBook(symbols[0], [], [], 5, number)
            raw = {"result": {"U": number}, "lock": threading.Lock()}
            await self.on_message(ParsedMessage(MessageType.ORDERBOOK, symbols[0], "book", book, 5, raw))
        if self.mode == "starts badly":
            raise RuntimeError("it does not start")

    async def subscribe(self, symbols):
        if self.mode == "spins":
            burn()
        if self.mode == "burns":
            threading.Thread(target=burn, daemon=True).start()
        if self.mode == "leaks":
            self.kept.append(bytes(range(256)) * (250 << 12))
        if self.mode == "dies":
            os._exit(3)
        if self.mode == "confirms":
            await self.on_message(ParsedMessage(MessageType.OTHER, data={"asked": [one.base for one in symbols]}))
        if self.mode == "never confirms":
            await asyncio.Event().wait()

    async def unsubscribe(self, symbols):
        raise ExchangeRestError(503, "WebSocket not connected")

    async def send_message(self, message):
        while "until" in message and not os.path.exists(message["until"]):
            await asyncio.sleep(0.01)
        if "reconnect" in message:
            await self.on_state(ConnectionState.RECONNECTING)
            await self.on_state(ConnectionState.CONNECTED)
        if "refused" in message:
            raise ExchangeRestError(400, message["refused"])
        await self.on_message(ParsedMessage(MessageType.OTHER, data=message))

    def get_performance_metrics(self):
        return {"mode": self.mode}

    async def close(self):
        await self.on_message(ParsedMessage(MessageType.OTHER, data="the last word"))
"""


class Parent:
    """What a manager of both stacks would see of a sidecar."""

    def __init__(self) -> None:
        self.messages: list[ParsedMessage] = []
        self.states: list[ConnectionState] = []
        self.stamps: list[tuple[int | None, int]] = []
        self.raises: dict[Any, BaseException] = {}
        self.holds: dict[Any, Callable[[], Awaitable[Any]]] = {}
        self.finished: list[ParsedMessage] = []
        self._changed = asyncio.Event()
        self.sidecar: Sidecar | None = None

    async def on_message(self, message: ParsedMessage) -> None:
        self.messages.append(message)
        assert self.sidecar is not None
        self.stamps.append((self.sidecar.recv_ns, self.sidecar.t_ns))
        self._changed.set()
        version = getattr(message.data, "last_update_id", None)
        self._raise_at(version)
        if version in self.holds:
            await self.holds[version]()
        self.finished.append(message)

    async def on_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        self._changed.set()
        self._raise_at(state)

    def _raise_at(self, what: Any) -> None:
        if what in self.raises:
            raise self.raises[what]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def ended(self) -> None:
        """A close that the watch began is not waited for by another one."""
        assert self.sidecar is not None
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait(self.sidecar._tasks)

    def build(
        self, mode: str, on_message: OnMessage, on_state: OnState, limits: SidecarLimits | None = None
    ) -> Sidecar:
        config = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
        builders = {("legacy", "gateio"): "odd_stack:build"}
        spec = StackSpec("legacy", config, False, {"mode": mode}, builders)
        self.sidecar = Sidecar(spec, on_message, on_state, limits or LIMITS.get(mode, WELL))
        return self.sidecar

    async def start(self, mode: str, limits: SidecarLimits | None = None) -> Sidecar:
        sidecar = self.build(mode, self.on_message, self.on_state, limits)
        await sidecar.initialize([BTC], None)
        return sidecar

    def leg(self, mode: str, limits: SidecarLimits | None = None) -> Leg:
        """One side of a manager, not yet started."""
        build = partial(self.build, mode, limits=limits)
        return Leg(Side.NEW, build, self.on_message, self.on_state, lambda: None, logging.getLogger("leg"))


@pytest.fixture
async def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Parent]:
    """The odd stack is importable, in sidecars too."""
    (tmp_path / "odd_stack.py").write_text(STACK)
    monkeypatch.syspath_prepend(tmp_path)
    one = Parent()
    yield one
    if one.sidecar is not None:
        await one.sidecar.close()
        await one.ended()


async def test_what_the_stack_delivers_comes_whole_and_in_order(parent: Parent) -> None:
    began_ns = perf_counter_ns()
    sidecar = await parent.start("well")
    assert not sidecar.is_connected()
    await parent.until(lambda: len(parent.messages) == 500)
    assert sidecar.is_connected()
    assert parent.states == [ConnectionState.CONNECTED]
    taken = [t_ns for _, t_ns in parent.stamps]
    assert taken == sorted(taken)
    assert began_ns < taken[0] < taken[-1] < perf_counter_ns()
    assert [message.data for message in parent.messages] == [
        OrderBook(BTC, [], [], 5, number, number) for number in range(1, 501)
    ]
    assert {(message.message_type, message.raw_data) for message in parent.messages} == {(MessageType.ORDERBOOK, None)}
    await sidecar.send_message({"method": "PING"})
    await parent.until(lambda: parent.messages[-1].data == {"method": "PING"})
    with pytest.raises(ExchangeRestError, match=r"503.*not connected"):
        await sidecar.unsubscribe([BTC])
    assert sidecar.get_performance_metrics() == {"mode": "well"}
    await sidecar.close()
    assert parent.messages[-1].data == "the last word"
    with pytest.raises(ExchangeRestError, match="503"):
        await sidecar.send_message({})


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("builds nothing", "no such stack today"),
        ("starts badly", "it does not start"),
        ("spins", "has not beaten for 1 s"),
        ("burns", "of a core"),
        ("leaks", "MiB"),
        ("dies", "ended with code 3"),
    ],
)
async def test_a_stack_that_does_harm_is_ended_and_named(parent: Parent, mode: str, says: str) -> None:
    sidecar = await parent.start(mode)
    if mode not in ("builds nothing", "starts badly"):
        await parent.until(lambda: len(parent.messages) == 500)
        task = asyncio.create_task(sidecar.subscribe([BTC]))
    await parent.until(lambda: parent.states[-1:] == [ConnectionState.ERROR])
    assert says in (sidecar.problem or "")
    assert not sidecar.is_connected()
    await sidecar.close()
    if mode not in ("builds nothing", "starts badly"):
        await asyncio.wait({task})
        assert isinstance(task.exception(), (ExchangeRestError, type(None)))


async def test_an_error_of_the_callers_own_handlers_costs_one_record(
    parent: Parent, caplog: pytest.LogCaptureFixture
) -> None:
    parent.raises = {ConnectionState.CONNECTED: ValueError("no such state"), 3: ValueError("no such book")}
    sidecar = await parent.start("well")
    await parent.until(lambda: len(parent.messages) == 500)
    assert sidecar.is_connected()
    assert sidecar.get_performance_metrics()["error_count"] == 2
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["Connection handler failed: no such state", "Message processing failed: no such book"]


async def test_a_sidecar_that_is_not_read_any_more_is_a_problem_and_not_a_silence(parent: Parent) -> None:
    parent.raises = {3: asyncio.CancelledError()}
    sidecar = await parent.start("well")
    await parent.until(lambda: parent.states[-1:] == [ConnectionState.ERROR])
    assert "not read any more" in (sidecar.problem or "")
    assert not sidecar.is_connected()


async def test_a_connection_handler_that_raises_keeps_no_dead_stack_from_being_shed(parent: Parent) -> None:
    parent.raises = {ConnectionState.ERROR: ValueError("no such state")}
    leg = parent.leg("builds nothing")
    await leg.start([BTC], None)
    await parent.until(lambda: ConnectionState.ERROR in parent.states)
    assert not leg.is_running
    assert "no such stack today" in (leg.problem or "")


async def test_a_late_answer_does_not_settle_the_next_call(parent: Parent, tmp_path: Path) -> None:
    sidecar = await parent.start("well")
    await parent.until(lambda: len(parent.messages) == 500)
    released = tmp_path / "released"
    given_up = asyncio.create_task(sidecar.send_message({"until": str(released)}))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait({given_up})
    second = asyncio.create_task(sidecar.send_message({"refused": "no such order"}))
    await asyncio.sleep(0)
    released.touch()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(ExchangeRestError, match=r"\[400\] no such order"):
            await second


async def test_no_answer_in_time_is_not_told_as_offline(parent: Parent, tmp_path: Path) -> None:
    sidecar = await parent.start("well", replace(WELL, answer_s=0.1))
    with pytest.raises(ExchangeRestError, match=r"503.* unknown whether it was sent") as told:
        await sidecar.send_message({"until": str(tmp_path / "released")})
    assert "not connected" not in str(told.value)
    (tmp_path / "released").touch()
    await sidecar.close()
    with pytest.raises(ExchangeRestError, match=r"503.* not connected$"):
        await sidecar.send_message({})


@pytest.mark.parametrize("end", ["dies", "is closed"])
async def test_a_call_in_a_sidecar_that_ends_is_told_so_and_not_cancelled(
    parent: Parent, tmp_path: Path, end: str
) -> None:
    sidecar = await parent.start("well", replace(WELL, close_s=0.1, answer_s=WAIT_S))
    await parent.until(lambda: len(parent.messages) == 500)
    call = asyncio.create_task(sidecar.send_message({"until": str(tmp_path / "never")}))
    await asyncio.sleep(0)
    if end == "dies":
        assert sidecar.pid is not None
        os.kill(sidecar.pid, signal.SIGKILL)
        await parent.until(lambda: parent.states[-1:] == [ConnectionState.ERROR])
    await sidecar.close()
    says = "ended with code -9" if end == "dies" else "is closed"
    async with asyncio.timeout(WAIT_S / 2):
        with pytest.raises(ExchangeRestError, match=f"503.*{says}; unknown whether it was sent"):
            await call


async def test_what_was_subscribed_offline_is_asked_for_once_and_holds_nothing_up(parent: Parent) -> None:
    leg = parent.leg("confirms", replace(WELL, answer_s=2 * WAIT_S))
    await leg.try_subscribe([ETH])
    await leg.start([BTC], None)
    await parent.until(lambda: {"asked": ["ETH"]} in [message.data for message in parent.messages])
    await parent.until(lambda: len(parent.messages) == 501)
    assert leg.stack is not None
    await leg.stack.send_message({"reconnect": True})
    await parent.until(lambda: parent.states.count(ConnectionState.CONNECTED) == 2)
    await leg.stack.send_message({"method": "PING"})
    await parent.until(lambda: parent.messages[-1].data == {"method": "PING"})
    assert [message.data for message in parent.messages].count({"asked": ["ETH"]}) == 1
    assert leg.errors == 0


async def test_a_leg_that_is_closed_asks_for_nothing_any_more(parent: Parent) -> None:
    others = asyncio.all_tasks()
    leg = parent.leg("never confirms", replace(WELL, answer_s=2 * WAIT_S, close_s=0.1))
    await leg.try_subscribe([ETH])
    await leg.start([BTC], None)
    await parent.until(lambda: len(parent.messages) == 500)
    await leg.shed(None)
    assert asyncio.all_tasks() == others
    assert leg.errors == 0


async def test_a_close_waits_for_the_callback_that_it_finds_suspended(parent: Parent) -> None:
    async def outlive_the_process() -> None:
        assert sidecar._process is not None
        await sidecar._process.wait()
        await asyncio.sleep(0.05)

    parent.holds = {17: outlive_the_process}
    sidecar = await parent.start("well")
    await parent.until(lambda: len(parent.messages) == 17)
    await sidecar.close()
    assert parent.finished == parent.messages
    assert len(parent.finished) == 501


async def test_the_death_of_a_sidecar_lets_the_callback_end_and_begins_no_other_one(parent: Parent) -> None:
    async def outlive_the_shedding() -> None:
        await parent.until(lambda: ConnectionState.ERROR in parent.states)
        await asyncio.sleep(0.05)

    parent.holds = {20: outlive_the_shedding}
    leg = parent.leg("well")
    await leg.start([BTC], None)
    await parent.until(lambda: len(parent.messages) == 20)
    assert leg.pid is not None
    os.kill(leg.pid, signal.SIGKILL)
    await parent.ended()
    assert "ended with code -9" in (leg.problem or "")
    assert [message.data.last_update_id for message in parent.finished] == list(range(1, 21))
    assert len(parent.messages) == 20


async def test_a_callback_that_does_not_return_is_waited_for_no_longer_than_a_change_of_sides_is(
    parent: Parent,
) -> None:
    parent.holds = {17: asyncio.Event().wait}
    sidecar = await parent.start("well", replace(WELL, in_flight_s=0.1))
    await parent.until(lambda: len(parent.messages) == 17)
    async with asyncio.timeout(WAIT_S):
        await sidecar.close()
    assert len(parent.messages) == 501
    assert parent.finished == parent.messages[:16] + parent.messages[17:]


def test_an_unknown_placement_is_refused() -> None:
    async def nobody(message: ParsedMessage) -> None: ...

    config = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
    with pytest.raises(ConfigurationError, match="unknown placement 'cloud'; known: sidecar, inline"):
        create_websocket_manager(config, False, nobody, placement="cloud")


def test_options_that_cannot_go_to_a_process_are_said_with_the_way_out() -> None:
    async def nobody(_: Any) -> None: ...

    config = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
    with pytest.raises(ConfigurationError, match=r"cannot go to another process: .*nobody.*; .* placement='inline'"):
        Sidecar(StackSpec("new", config, False, {"hook": nobody}), nobody, nobody)
