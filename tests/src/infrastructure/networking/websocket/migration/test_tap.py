"""The tap: lines of both stacks on a real socket, bounded, told where they are not whole, and without secrets."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from openfeature import api

from exchanges.structs import (
    BookTicker,
    ConfigurationError,
    ConnectionState,
    MessageType,
    OrderBook,
    OrderBookEntry,
    ParsedMessage,
    Symbol,
    Trade,
)
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stamps import StampClock
from infrastructure.networking.websocket.migration.tap import MOST_NOTES, SLICE, Source, Tap
from infrastructure.networking.websocket.migration.tap_socket import READER_BYTES, Reader, TapSocket
from infrastructure.networking.websocket.migration.unit import Unit

from .taps import WAIT_S, Attach, until

BTC = Symbol("BTC", "USDT")
NAME = "gateio.spot.public"


class Elsewhere:
    """A stack that took its stamps itself."""

    recv_ns: int | None = None
    t_ns = 0

    def __init__(self, recv_ns: int | None, t_ns: int) -> None:
        self.recv_ns, self.t_ns = recv_ns, t_ns


async def deliver(source: Source, side: Side, message: ParsedMessage, recv_ns: int | None, t_ns: int) -> None:
    """A side's message goes past the tap to its consumer, who gets the very same."""
    clock, got = StampClock(), []
    clock.set(Elsewhere(recv_ns, t_ns))

    async def consume(passed: ParsedMessage) -> None:
        got.append(passed)

    await source.past(side, clock, consume)(message)
    assert got == [message]


def trade(number: int) -> ParsedMessage:
    item = Trade(BTC, 2.5, 1.0, "sell", number, str(number))
    return ParsedMessage(MessageType.TRADES, BTC, "trades", [item], number, {"secret": "s3cret"})


def book(number: int) -> ParsedMessage:
    data = OrderBook(BTC, [OrderBookEntry(9.5, 1.25)], [], number, number + 1)
    return ParsedMessage(MessageType.ORDERBOOK, BTC, "book", data, number, {"result": {"U": number, "key": "s3cret"}})


async def test_both_sides_lines_come_in_order_with_their_stamps(tap: Tap, attach: Attach) -> None:
    source = tap.source(NAME, dict)
    judge = await attach(tap)
    source.note_state(Side.LEGACY, ConnectionState.CONNECTED)
    await deliver(source, Side.LEGACY, book(7), 5, 6)
    await deliver(source, Side.NEW, trade(8), None, 9)
    await deliver(source, Side.NEW, ParsedMessage(MessageType.SUBSCRIPTION_CONFIRM), 1, 2)
    await tap.close()
    common = {"c": NAME, "symbol": "BTC_USDT"}
    book_fields = {"first": 7, "last": 8, "snapshot": None, "bids": [[9.5, 1.25]], "asks": [], "ts": 7}
    trade_fields = {"id": "8", "price": 2.5, "quantity": 1.0, "side": "sell", "ts": 8}
    state, first, second, bye = await judge.rest()
    assert state == {"k": "state", "c": NAME, "t": state["t"], "state": "connected", "by": "legacy", "recv": None}
    assert first == {"k": "event", "type": "book", "t": 6, "recv": 5, "by": "legacy"} | common | book_fields
    assert second == {"k": "event", "type": "trade", "t": 9, "recv": None, "by": "new"} | common | trade_fields
    assert bye["k"] == "bye"


async def test_a_beat_tells_of_each_connection(tap: Tap, attach: Attach) -> None:
    tap.source(NAME, lambda: {"new": {"connected": True, "pid": 1}})
    judge = await attach(tap)
    assert (await judge.line("beat"))["sources"] == {NAME: {"new": {"connected": True, "pid": 1}}}


async def test_a_beat_does_not_wait_until_nothing_more_comes(tap: Tap, attach: Attach) -> None:
    """An application whose every turn delivers something beats; what was delivered before a beat stands before it."""
    source = tap.source(NAME, dict)
    judge = await attach(tap)

    async def go_on() -> None:
        while True:
            await deliver(source, Side.NEW, trade(1), None, perf_counter_ns())
            await asyncio.sleep(0)

    going = asyncio.create_task(go_on())
    try:
        before = [await judge.line("event")]
        while (line := await judge.line())["k"] != "beat":
            before.append(line)
        behind = await judge.line("event")
    finally:
        going.cancel()
    assert max(one["t"] for one in before) < line["t"] <= behind["t"]


async def test_two_managers_of_one_connection_are_told_apart(tap: Tap, attach: Attach) -> None:
    first, second, third = (tap.source(NAME, partial(dict, n=number)) for number in range(3))
    judge = await attach(tap)
    assert (await judge.line("beat"))["sources"] == {NAME: {"n": 0}, f"{NAME}#2": {"n": 1}, f"{NAME}#3": {"n": 2}}
    await deliver(second, Side.NEW, trade(1), None, 1)
    assert (await judge.line("event"))["c"] == f"{NAME}#2"
    first.leave()
    again = tap.source(NAME, lambda: {"n": 3})
    first.leave()
    assert tap.sources == {NAME: again, f"{NAME}#2": second, f"{NAME}#3": third}


async def test_nothing_is_noted_while_nobody_reads(tap: Tap, attach: Attach) -> None:
    source = tap.source(NAME, dict)
    await deliver(source, Side.NEW, trade(1), None, 1)
    assert not tap.notes
    judge = await attach(tap)
    await deliver(source, Side.NEW, trade(2), None, 2)
    assert (await judge.line("event"))["id"] == "2"
    judge.writer.close()
    await judge.writer.wait_closed()
    await until(lambda: not tap.socket.readers)
    await deliver(source, Side.NEW, trade(3), None, 3)
    assert not tap.notes


async def test_neither_frames_nor_the_words_of_errors_leave(tap: Tap, attach: Attach) -> None:
    source = tap.source(NAME, dict)
    judge = await attach(tap)
    refused = ParsedMessage(MessageType.SUBSCRIPTION_ERROR, None, None, "listenKey s3cret is unknown", 1, "s3cret")
    for item in (trade(1), book(2), refused, ParsedMessage(MessageType.TRADES, BTC, "trades", ["s3cret"])):
        await deliver(source, Side.NEW, item, None, 1)
    await tap.close()
    said = await judge.rest()
    kinds = [(line["k"], line.get("kind")) for line in said]
    assert kinds == [("event", None), ("event", None), ("error", "subscribe"), ("error", "decode"), ("bye", None)]
    assert b"s3cret" not in orjson.dumps(said)


async def test_a_slow_reader_is_told_what_it_did_not_get_and_others_get_all(tmp_path: Path) -> None:
    """The slow one takes nothing while more than its bound is sent; each line it has or lacks is accounted for."""
    tap = TapSocket(tmp_path / "taps" / "desk")
    tap.greeting = b'{"k":"tap"}\n'
    tap.open()
    slow, quick = (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2))
    for end in (slow, quick):
        end.settimeout(WAIT_S)
        end.connect(str(tap.path))
    await until(lambda: len(tap.readers) == 2)
    slow_reader, quick_reader = tap.readers
    lines, block = 300, orjson.dumps({"k": "block", "fill": "x" * 65_536}) + b"\n"

    got = {slow_reader: bytearray(), quick_reader: bytearray()}

    def take(end: socket.socket, reader: Reader) -> int:
        """How many more lines ended."""
        part = end.recv(1 << 20)
        got[reader] += part
        reader._flush()
        return part.count(b"\n")

    ended = take(quick, quick_reader)
    for number in range(lines):
        tap.send(block, 1)
        while ended < number + 2:
            ended += take(quick, quick_reader)
    assert got[quick_reader] == tap.greeting + lines * block
    assert len(slow_reader._buffer) <= READER_BYTES
    assert 0 < slow_reader.dropped < lines
    ended = take(slow, slow_reader)
    while ended - 1 + slow_reader.dropped < lines:
        ended += take(slow, slow_reader)
    tap.send(block, 1)
    wanted = ended + 2
    while ended < wanted:
        ended += take(slow, slow_reader)
    tap.close()
    slow.close()
    quick.close()
    said = [orjson.loads(line) for line in got[slow_reader].splitlines()]
    (told,) = [line["count"] for line in said if line["k"] == "dropped"]
    assert told + sum(line["k"] == "block" for line in said) == lines + 1
    assert [line["k"] for line in said][-2:] == ["dropped", "block"]


async def test_what_is_noted_faster_than_written_is_counted_and_told(tap: Tap, attach: Attach) -> None:
    source = tap.source(NAME, dict)
    judge = await attach(tap)
    message = trade(1)
    for _ in range(MOST_NOTES + 5):
        await deliver(source, Side.NEW, message, None, 1)
    source.note_state(Side.NEW, ConnectionState.CONNECTED)
    assert len(tap.notes) == MOST_NOTES
    assert (await judge.line("dropped"))["count"] == 6


@pytest.mark.parametrize("at_the_end", [False, True])
async def test_a_burst_is_handed_out_in_slices(
    at_the_end: bool, tap: Tap, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much waits, no piece is larger than what one slice of notes makes."""
    source = tap.source(NAME, dict)
    await attach(tap)
    pieces: list[int] = []
    monkeypatch.setattr(tap.socket, "send", lambda lines, count: pieces.append(count))
    notes = 10 * SLICE
    for _ in range(notes):
        await deliver(source, Side.NEW, trade(1), None, 1)
    assert len(tap.notes) == notes
    if at_the_end:
        await tap.close()
    await until(lambda: sum(pieces) >= notes)
    assert max(pieces) <= SLICE + 2


async def test_a_manager_that_could_not_be_made_is_at_no_tap(tap: Tap) -> None:
    def build(on_message: Any, on_state: Any) -> Any:
        raise ConfigurationError("no such exchange")

    with pytest.raises(ConfigurationError, match="no such exchange"):
        DualRunManager(Unit("gateio", "spot"), dict.fromkeys(Side, build), consume_nothing, tap=tap)
    assert tap.sources == {}


async def consume_nothing(message: ParsedMessage) -> None:
    """Nobody's messages."""


async def test_a_manager_shows_both_stacks_and_its_consumer_gets_the_same(
    tap: Tap, attach: Attach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    ways: dict[Side, Any] = {}
    got: list[ParsedMessage] = []

    async def consume(message: ParsedMessage) -> None:
        got.append(message)

    def build(side: Side) -> Any:
        def built(on_message: Any, on_state: Any) -> Any:
            ways[side] = on_message
            return SimpleNamespace(is_connected=lambda: True)

        return built

    judge = await attach(tap)
    manager = DualRunManager(Unit("gateio", "spot"), {side: build(side) for side in Side}, consume, tap=tap)
    manager._legs[Side.NEW].build()
    best = BookTicker(BTC, 9.0, 1.0, 11.0, 2.0, 5, 6)
    message = ParsedMessage(MessageType.BOOK_TICKER, BTC, "book_ticker", best, 5)
    for side in Side:
        await ways[side](message)
    lines = [await judge.line("event") for _ in Side]
    assert [(line["by"], line["seq"], line["c"]) for line in lines] == [("legacy", 6, NAME), ("new", 6, NAME)]
    assert got == [message]
    api.clear_providers()
