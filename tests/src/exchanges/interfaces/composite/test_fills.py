"""Fills come once, whoever tells them, and a hole stays open until all of them were told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from exchanges.interfaces.composite import PrivateExchange
from exchanges.interfaces.composite.fills import Fills, FillStep
from exchanges.structs import ExchangeConfig, ExchangeRestError, Fill, MessageType, Symbol

BTC = Symbol("BTC", "USDT")
SPOT = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
START_MS = 1_790_000_000_000


def fill(number: int, timestamp: int = START_MS) -> Fill:
    return Fill(BTC, str(number), "7", "buy", 10.0, 1.0, 0.1, "USDT", "maker", timestamp)


class Clock:
    """Our clock, in seconds; moved by hand."""

    def __init__(self) -> None:
        self.now_s = START_MS / 1000

    def __call__(self) -> float:
        return self.now_s


def lost(kept: int = 10, clock: Clock | None = None) -> Fills:
    """Connected at START_MS, a fill 100 s later, then lost."""
    fills = Fills(kept, is_asked_for=True, now=clock or Clock())
    fills.begin()
    fills.take(fill(1, START_MS + 100_000))
    fills.lose()
    return fills


def test_nothing_is_asked_for_before_anything_was_missed() -> None:
    fills = Fills(10, is_asked_for=True, now=Clock())
    fills.lose()
    fills.begin()
    assert (fills.ask(), fills.gap_since_ms) == (None, None)


def test_a_gap_begins_at_the_newest_push_and_what_is_asked_overlaps_it() -> None:
    fills = lost()
    assert fills.gap_since_ms == START_MS + 100_000
    assert fills.ask() == START_MS + 40_000


def test_what_was_before_the_first_connection_is_not_asked_for() -> None:
    fills = Fills(10, is_asked_for=True, now=Clock())
    fills.begin()
    fills.lose()
    assert fills.ask() == START_MS - Fills.SLACK_MS


def test_a_gap_stays_where_it_began_whatever_is_pushed_until_all_was_told() -> None:
    fills = lost()
    fills.begin()
    assert fills.take(fill(2, START_MS + 500_000))
    fills.lose()
    assert fills.gap_since_ms == START_MS + 100_000
    assert fills.close_gap(START_MS + 510_000) == 0
    assert fills.gap_since_ms is None
    assert fills.ask() == START_MS + 450_000
    assert fills.gap_since_ms == START_MS + 510_000


def test_a_fill_counts_once_whoever_tells_it_first() -> None:
    fills = lost()
    assert fills.take_answer(fill(2))
    assert not fills.take(fill(2))
    assert not fills.take_answer(fill(1))
    assert fills.take(fill(3))
    assert not fills.take_answer(fill(3))
    assert fills.metrics() == {"kept": 3, "repeated": 3}


def test_what_may_be_told_again_is_remembered_longer_than_it_is_shown() -> None:
    fills = lost(kept=2)
    for number in range(2, 50):
        assert fills.take(fill(number, START_MS + 100_000 + number))
    assert [one.id for one in fills.all()] == ["48", "49"]
    assert fills.metrics()["kept"] == 2
    assert not any(fills.take_answer(fill(number, START_MS + 100_000 + number)) for number in range(2, 50))
    fills.close_gap(START_MS + 300_000)
    fills.take(fill(50, START_MS + 300_001))
    fills.take(fill(51, START_MS + 300_002))
    assert fills.take(fill(2, START_MS + 100_002))


def test_without_anybody_to_ask_no_more_is_remembered_than_is_shown() -> None:
    fills = Fills(2, is_asked_for=False, now=Clock())
    fills.begin()
    fills.lose()
    assert all(fills.take(fill(number)) for number in range(5))
    assert fills.take(fill(0))
    assert fills.gap_since_ms == START_MS


def test_of_what_was_forgotten_no_answer_is_taken_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fills, "REMEMBERED_MOST", 5)
    fills = lost(kept=2)
    for number in range(2, 10):
        fills.take(fill(number, START_MS + 100_000 + number))
    assert not fills.take_answer(fill(2, START_MS + 100_002))
    assert not fills.take_answer(fill(77, START_MS + 100_001))
    assert fills.take_answer(fill(78, START_MS + 100_008))
    assert fills.close_gap(START_MS + 200_000) == 2
    assert fills.close_gap(START_MS + 200_000) == 0


def test_the_last_ones_are_shown_oldest_first_whenever_they_were_told() -> None:
    fills = lost()
    fills.take(fill(3, START_MS + 130_000))
    fills.take_answer(fill(2, START_MS + 120_000))
    assert [one.id for one in fills.all()] == ["1", "2", "3"]
    assert fills.all("8") == []


async def test_a_step_takes_the_answer_oldest_first_and_nothing_that_is_older_than_it_asked_for() -> None:
    fills, taken = lost(), []
    answer = [fill(5, START_MS + 50_000), fill(4, START_MS + 40_000), fill(3, START_MS + 39_999)]

    class Fetch:
        async def fills(self, symbols: Sequence[Symbol], since_ms: int) -> list[Fill]:
            assert (list(symbols), since_ms) == ([BTC], START_MS + 40_000)
            return answer

    async def take(one: Fill) -> None:
        taken.append(one.id)

    await FillStep(Fetch(), fills, take).take_all([BTC], lambda: False)
    assert taken == ["4", "5"]
    assert fills.gap_since_ms is None


class Rest:
    """Answers with what it is given, once `let` is set."""

    def __init__(self) -> None:
        self.answer: list[Fill] = []
        self.error: Exception | None = None
        self.since: list[int] = []
        self.let = asyncio.Event()
        self.let.set()

    async def fills(self, symbols: Sequence[Symbol], since_ms: int) -> list[Fill]:
        self.since.append(since_ms)
        answer = list(self.answer)
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return answer


async def settled() -> None:
    """Every task that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def holding(factory: Any, rest: Rest, *pushed: Fill) -> tuple[PrivateExchange, list[Fill]]:
    """Started and connected, these fills told, then the connection lost."""
    exchange = PrivateExchange(SPOT, create_manager=factory, fetch_fills=rest)
    told: list[Fill] = []
    exchange.on_fill(told.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await settled()
    assert rest.since == []
    await factory.manager.tell(MessageType.TRADE, list(pushed))
    await factory.manager.lose()
    return exchange, told


def now(number: int) -> Fill:
    """A fill of this moment."""
    return fill(number, int(time.time() * 1000) + number)


async def test_fills_of_the_hole_are_told_and_those_that_were_pushed_are_not_told_again(factory: Any) -> None:
    rest, pushed = Rest(), now(1)
    exchange, told = await holding(factory, rest, pushed)
    assert exchange.fills_missing_since() is not None
    rest.answer = [now(3), now(2), pushed]
    await factory.manager.connect()
    await settled()
    assert [one.id for one in told] == ["1", "2", "3"]
    assert exchange.fills_missing_since() is None
    await factory.manager.tell(MessageType.TRADE, [rest.answer[0], now(4)])
    assert [one.id for one in told] == ["1", "2", "3", "4"]
    assert exchange.metrics()["fills"] == {"kept": 4, "repeated": 2, "looks": 2}


async def test_pushes_go_on_while_it_is_asked_and_come_once(factory: Any) -> None:
    rest, pushed = Rest(), now(1)
    exchange, told = await holding(factory, rest, pushed)
    rest.answer = [now(2), now(3)]
    rest.let.clear()
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.TRADE, [rest.answer[1], now(4)])
    assert [one.id for one in told] == ["1", "3", "4"]
    assert exchange.fills_missing_since() is not None
    rest.let.set()
    await settled()
    assert [one.id for one in told] == ["1", "3", "4", "2"]
    assert exchange.fills_missing_since() is None


@pytest.mark.parametrize("error", [ExchangeRestError(503, "no answer"), RuntimeError("the application's own")])
async def test_a_call_that_fails_is_a_fault_and_the_hole_stays_open_from_where_it_began(
    factory: Any, error: Exception
) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, now(1))
    faults: list[Any] = []
    exchange.on_fault(faults.append)
    since = exchange.fills_missing_since()
    rest.error = error
    await factory.manager.connect()
    await settled()
    assert [(fault.kind, fault.error) for fault in faults] == [("fills", error)]
    await factory.manager.tell(MessageType.TRADE, [replace(now(9), timestamp=int(time.time() * 1000) + 900_000)])
    assert exchange.fills_missing_since() == since
    await factory.manager.lose()
    rest.error, rest.answer = None, [now(2)]
    await factory.manager.connect()
    await settled()
    assert rest.since[0] == rest.since[1]
    assert [one.id for one in told] == ["1", "9", "2"]
    assert exchange.fills_missing_since() is None


async def test_a_connection_that_is_lost_again_while_asking_asks_anew_from_the_same_moment(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, now(1))
    rest.answer = [now(2)]
    rest.let.clear()
    await factory.manager.connect()
    await settled()
    await factory.manager.lose()
    rest.let.set()
    await settled()
    assert [one.id for one in told] == ["1"]
    assert exchange.fills_missing_since() is not None
    rest.answer = [now(2), now(3)]
    await factory.manager.connect()
    await settled()
    assert rest.since[0] == rest.since[1]
    assert [one.id for one in told] == ["1", "2", "3"]


async def test_each_confirmation_asks_anew_since_fills_may_be_confirmed_last(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, now(1))
    await factory.manager.connect()
    await settled()
    assert exchange.fills_missing_since() is None
    rest.answer = [now(2)]
    rest.let.clear()
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await settled()
    assert exchange.fills_missing_since() is not None
    rest.let.set()
    await settled()
    assert [one.id for one in told] == ["1", "2"]
    assert exchange.fills_missing_since() is None


async def test_fills_that_nobody_can_know_of_are_a_fault(factory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fills, "REMEMBERED_MOST", 3)
    rest = Rest()
    exchange = PrivateExchange(SPOT, create_manager=factory, fetch_fills=rest, fills_kept=3)
    faults: list[Any] = []
    exchange.on_fault(faults.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await factory.manager.lose()
    first = now(0)
    later = [replace(first, id=str(number), timestamp=first.timestamp + number) for number in range(10)]
    await factory.manager.tell(MessageType.TRADE, later)
    rest.answer = [replace(first, id="missed")]
    await factory.manager.connect()
    await settled()
    assert [(fault.kind, fault.error.code) for fault in faults] == [("fills", 400)]
    assert "1 fills are too old" in str(faults[0].error)


async def test_a_callback_may_close_the_exchange_and_the_hole_stays_open(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, now(1))
    rest.answer = [now(2), now(3)]

    @exchange.on_fill
    async def close(_: Fill) -> None:
        await exchange.close()

    await factory.manager.connect()
    await settled()
    assert [one.id for one in told] == ["1", "2"]
    assert factory.manager.closed == 1
    assert exchange.fills_missing_since() is not None
