"""Balances asked for by REST when a connection stands again: what is taken, and what never goes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from exchanges.interfaces.composite import Held, PrivateExchange
from exchanges.interfaces.composite.answered import AnsweredTable
from exchanges.structs import Balance, ExchangeConfig, ExchangeRestError, MessageType, Position, Symbol

BTC = Symbol("BTC", "USDT")
CONTRACT = Symbol("BTC", "USDT", True)
SPOT = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
FUTURES = ExchangeConfig("GATEIO_FUTURES", websocket_url="ws://127.0.0.1:1/")
BEFORE = Balance("USDT", 90.0, 10.0, 5_400)
ANSWER = Balance("USDT", 70.0, 0.0, 9_000)
PUSHED = Balance("USDT", 60.0, 5.0, 9_700)
COIN = Balance("BTC", 2.0, 0.0, 9_000)


class Rest:
    """Answers with what it is given, once `let` is set."""

    def __init__(self) -> None:
        self.answer: list[Balance] = []
        self.error: Exception | None = None
        self.asked = 0
        self.let = asyncio.Event()
        self.let.set()

    async def balances(self) -> list[Balance]:
        self.asked += 1
        answer = list(self.answer)
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return answer


async def holding(factory: Any, rest: Rest, *balances: Balance) -> tuple[PrivateExchange, list[Balance]]:
    """Started and connected, these balances told, then the connection lost."""
    exchange = PrivateExchange(SPOT, create_manager=factory, fetch_balances=rest)
    told: list[Balance] = []
    exchange.on_balance(told.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.BALANCE, list(balances))
    told.clear()
    rest.asked = 0
    await factory.manager.lose()
    return exchange, told


async def settled() -> None:
    """Every task that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_changed_in_the_hole_is_told_and_certain_and_what_did_not_is_certain(factory: Any) -> None:
    rest = Rest()
    same, gone = replace(BEFORE, asset="ETH"), replace(BEFORE, asset="GONE")
    exchange, told = await holding(factory, rest, BEFORE, same, gone)
    rest.answer = [ANSWER, replace(same, timestamp=9_000), COIN]
    await factory.manager.connect()
    await settled()
    assert told == [ANSWER, COIN]
    assert exchange.balances() == {
        "USDT": Held(ANSWER, False),
        "ETH": Held(same, False),
        "GONE": Held(gone, True),
        "BTC": Held(COIN, False),
    }
    assert exchange.metrics()["balances"] == {"held": 4, "stale": 1, "late": 0, "looks": 2}


async def test_a_push_that_came_while_it_was_asked_wins_and_waits_for_nothing(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, BEFORE)
    rest.answer = [ANSWER, COIN]
    rest.let.clear()
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.BALANCE, [PUSHED])
    assert told == [PUSHED]
    rest.let.set()
    await settled()
    assert told == [PUSHED, COIN]
    assert exchange.balance("USDT") == Held(PUSHED, False)
    assert exchange.metrics()["balances"]["late"] == 1


async def test_a_push_that_is_older_than_the_answer_does_not_go_back_and_a_newer_one_counts(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, BEFORE)
    rest.answer = [ANSWER]
    await factory.manager.connect()
    await settled()
    older, newer = replace(BEFORE, free=80.0, timestamp=7_000), replace(PUSHED, timestamp=9_001)
    await factory.manager.tell(MessageType.BALANCE, [older])
    assert exchange.balance("USDT") == Held(ANSWER, False)
    await factory.manager.tell(MessageType.BALANCE, [newer, PUSHED])
    assert told == [ANSWER, newer, PUSHED]
    assert exchange.balance("USDT") == Held(PUSHED, False)
    assert exchange.metrics()["balances"]["late"] == 1


async def test_an_answer_out_of_an_earlier_second_than_what_is_held_changes_nothing(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, BEFORE)
    rest.answer = [replace(ANSWER, timestamp=4_000)]
    await factory.manager.connect()
    await settled()
    assert told == []
    assert exchange.balance("USDT") == Held(BEFORE, True)
    rest.answer = [replace(ANSWER, timestamp=5_000)]
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await settled()
    assert told == rest.answer
    assert exchange.balance("USDT") == Held(rest.answer[0], False)


@pytest.mark.parametrize("error", [ExchangeRestError(503, "no answer"), RuntimeError("the application's own")])
async def test_a_call_that_fails_is_a_fault_and_leaves_balances_stale_until_the_next_one(
    factory: Any, error: Exception
) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, BEFORE)
    faults: list[Any] = []
    exchange.on_fault(faults.append)
    rest.error = error
    await factory.manager.connect()
    await settled()
    assert [(fault.kind, fault.error) for fault in faults] == [("balances", error)]
    assert exchange.balance("USDT") == Held(BEFORE, True)
    assert exchange.metrics()["balances"]["stale"] == 1
    rest.error, rest.answer = None, [ANSWER]
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await settled()
    assert told == [ANSWER]


async def test_a_connection_that_is_lost_again_while_asking_asks_anew(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, BEFORE)
    rest.answer = [ANSWER]
    rest.let.clear()
    await factory.manager.connect()
    await settled()
    await factory.manager.lose()
    rest.let.set()
    await settled()
    assert told == []
    assert exchange.balance("USDT") == Held(BEFORE, True)
    rest.answer = [replace(ANSWER, free=71.0)]
    await factory.manager.connect()
    await settled()
    assert rest.asked == 2
    assert told == rest.answer


async def test_a_failure_about_orders_keeps_nobody_from_asking_for_balances(factory: Any) -> None:
    class Broken:
        async def open_orders(self, _: Any) -> Any:
            raise ExchangeRestError(503, "no answer")

    rest = Rest()
    rest.answer = [ANSWER]
    broken: Any = Broken()
    exchange = PrivateExchange(SPOT, create_manager=factory, fetch_orders=broken, fetch_balances=rest)
    faults: list[Any] = []
    exchange.on_fault(faults.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await settled()
    assert [fault.kind for fault in faults] == ["orders"]
    assert exchange.balance("USDT") == Held(ANSWER, False)
    assert (exchange.metrics()["orders"]["looks"], exchange.metrics()["balances"]["looks"]) == (0, 1)


async def test_a_callback_may_close_the_exchange_and_nothing_more_is_taken(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, BEFORE)
    rest.answer = [ANSWER, COIN]

    @exchange.on_balance
    async def close(_: Balance) -> None:
        await exchange.close()

    await factory.manager.connect()
    await settled()
    assert told == [ANSWER]
    assert factory.manager.closed == 1
    assert exchange.metrics()["balances"]["looks"] == 1


def test_the_time_that_a_call_took_is_in_favour_of_the_push(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.5])
    monkeypatch.setattr("exchanges.interfaces.composite.answered.monotonic", lambda: next(clock))
    table: AnsweredTable[str, Balance] = AnsweredTable()
    table.ask()
    table.hear()
    assert table.put_answer("USDT", ANSWER, is_stale=False)
    assert not table.put_push("USDT", replace(PUSHED, timestamp=7_499), is_stale=False)
    assert table.put_push("USDT", replace(PUSHED, timestamp=7_500), is_stale=False)
    assert table.put_push("USDT", replace(PUSHED, timestamp=7_400), is_stale=False)


class Positions:
    """Answers with what it is given."""

    def __init__(self) -> None:
        self.answer: list[Position] = []
        self.error: Exception | None = None

    async def positions(self) -> list[Position]:
        if self.error is not None:
            raise self.error
        return self.answer


async def test_positions_are_told_by_contract_and_mode_and_do_not_go_back(factory: Any) -> None:
    rest = Positions()
    long = Position(CONTRACT, 3.0, 10.0, "long", 0.0, 1.0, 0.0, 5_400)
    short, changed = replace(long, mode="short", size=-1.0), replace(long, size=2.0, timestamp=8_000)
    exchange = PrivateExchange(FUTURES, create_manager=factory, fetch_positions=rest)
    told: list[Position] = []
    exchange.on_position(told.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.POSITION, [long, short])
    told.clear()
    await factory.manager.lose()
    rest.answer = [changed, replace(short, timestamp=5_000)]
    await factory.manager.connect()
    await settled()
    assert told == [changed]
    assert exchange.positions() == [Held(changed, False), Held(short, False)]
    await factory.manager.tell(MessageType.POSITION, [replace(long, size=2.5, timestamp=7_000)])
    assert told == [changed]
    assert exchange.position(BTC, "long") == Held(changed, False)
    await factory.manager.tell(MessageType.POSITION, [replace(long, size=0.0, timestamp=8_400)])
    assert exchange.position(BTC, "long") == Held(told[-1], False)
    assert told[-1].size == 0.0
    assert exchange.metrics()["positions"] == {"held": 2, "stale": 0, "late": 1, "looks": 2}


async def test_a_failure_about_positions_is_a_fault_and_leaves_them_stale(factory: Any) -> None:
    rest = Positions()
    long = Position(CONTRACT, 3.0, 10.0, "long", 0.0, 1.0, 0.0, 5_400)
    exchange = PrivateExchange(FUTURES, create_manager=factory, fetch_positions=rest)
    faults: list[Any] = []
    exchange.on_fault(faults.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.POSITION, [long])
    await factory.manager.lose()
    rest.error = ExchangeRestError(503, "no answer")
    await factory.manager.connect()
    await settled()
    assert [(fault.kind, fault.error) for fault in faults] == [("positions", rest.error)]
    assert exchange.positions() == [Held(long, True)]
