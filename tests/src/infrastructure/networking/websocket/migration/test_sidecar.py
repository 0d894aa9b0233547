"""A stack in a process of its own: what it may do to itself, and what is said of it then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
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
from infrastructure.networking.websocket.migration.sidecar import Sidecar, StackSpec
from infrastructure.networking.websocket.migration.vitals import SidecarLimits
from infrastructure.networking.websocket.utils import create_websocket_manager

BTC = Symbol("BTC", "USDT")
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

    async def unsubscribe(self, symbols):
        raise ExchangeRestError(503, "WebSocket not connected")

    async def send_message(self, message):
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
        self._changed = asyncio.Event()
        self.sidecar: Sidecar | None = None

    async def on_message(self, message: ParsedMessage) -> None:
        self.messages.append(message)
        assert self.sidecar is not None
        self.stamps.append((self.sidecar.recv_ns, self.sidecar.t_ns))
        self._changed.set()

    async def on_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def start(self, mode: str) -> Sidecar:
        config = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
        builders = {("legacy", "gateio"): "odd_stack:build"}
        spec = StackSpec("legacy", config, False, {"mode": mode}, builders)
        self.sidecar = Sidecar(spec, self.on_message, self.on_state, LIMITS.get(mode, WELL))
        await self.sidecar.initialize([BTC], None)
        return self.sidecar


@pytest.fixture
async def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Parent]:
    """The odd stack is importable, in sidecars too."""
    (tmp_path / "odd_stack.py").write_text(STACK)
    monkeypatch.syspath_prepend(tmp_path)
    one = Parent()
    yield one
    if one.sidecar is not None:
        await one.sidecar.close()


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
        assert task.cancelled() or isinstance(task.exception(), (ExchangeRestError, type(None)))


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
