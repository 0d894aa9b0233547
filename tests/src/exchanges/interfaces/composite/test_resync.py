"""Orders asked for by REST when a connection stands again: what is taken, what pushes win over, what failures leave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from exchanges.interfaces.composite import Held, PrivateExchange
from exchanges.structs import ConnectionState, ExchangeConfig, ExchangeRestError, MessageType, Order, Symbol

BTC = Symbol("BTC", "USDT")
SPOT = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
OPEN = Order(BTC, "7", None, "open", "buy", "limit", 10.0, 2.0, 0.0, 0.0, 1)
PARTIAL = replace(OPEN, status="partial", filled=1.0, timestamp=2)
FILLED = replace(OPEN, status="filled", filled=2.0, timestamp=3)
OTHER = replace(OPEN, id="8")


class Rest:
    """Answers with what it is given, once `let` is set."""

    def __init__(self) -> None:
        self.open: list[Order] = []
        self.known: dict[str, Order] = {}
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.let = asyncio.Event()
        self.let.set()

    async def open_orders(self, symbols: Sequence[Symbol]) -> list[Order]:
        assert list(symbols) == [BTC]
        self.asked.append("open")
        answer = list(self.open)
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return answer

    async def order(self, symbol: Symbol, order_id: str) -> Order | None:
        assert symbol == BTC
        self.asked.append(order_id)
        return self.known.get(order_id)


async def holding(factory: Any, rest: Rest, *orders: Order) -> tuple[PrivateExchange, list[Order]]:
    """Started and connected, these orders told, then the connection lost and back again."""
    exchange = PrivateExchange(SPOT, create_manager=factory, fetch_orders=rest)
    told: list[Order] = []
    exchange.on_order(told.append)
    await exchange.start([BTC])
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.ORDER, list(orders))
    told.clear()
    rest.asked.clear()
    await factory.manager.lose()
    return exchange, told


async def settled() -> None:
    """Every task that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_open_and_what_ended_in_the_hole_is_certain_again(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, OPEN, OTHER)
    assert all(held.is_stale for held in exchange.open_orders().values())
    new = replace(OPEN, id="9")
    rest.open, rest.known = [replace(OTHER, timestamp=5), new], {"7": FILLED}
    await factory.manager.connect()
    await settled()
    assert rest.asked == ["open", "7"]
    assert exchange.open_orders() == {"8": Held(OTHER, False), "9": Held(new, False)}
    assert exchange.order("7") == Held(FILLED, False)
    assert told == [new, FILLED]
    assert exchange.metrics()["orders"]["looks"] == 2


async def test_a_push_that_came_meanwhile_is_newer_than_the_answer(factory: Any) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, OPEN)
    rest.open = [PARTIAL]
    rest.let.clear()
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.ORDER, [FILLED])
    rest.let.set()
    await settled()
    assert exchange.order("7") == Held(FILLED, False)
    assert told == [FILLED]


async def test_an_answer_older_than_a_push_does_not_undo_what_was_amended_meanwhile(factory: Any) -> None:
    rest = Rest()
    first, amended = replace(OPEN, price=1.0, timestamp=10), replace(OPEN, price=3.0, timestamp=20)
    exchange, told = await holding(factory, rest, replace(OPEN, timestamp=5))
    rest.open = [first]
    rest.let.clear()
    await factory.manager.connect()
    await settled()
    await factory.manager.tell(MessageType.ORDER, [amended])
    rest.let.set()
    await settled()
    assert exchange.order("7") == Held(amended, False)
    assert told == [amended]
    assert exchange.metrics()["orders"]["late"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        replace(OPEN, price=1.0, timestamp=20),
        replace(PARTIAL, timestamp=5),
        replace(OPEN, status="cancelled", timestamp=5),
    ],
    ids=["as new", "filled further", "over"],
)
async def test_an_answer_that_goes_further_than_the_newest_push_is_news_whatever_its_time(
    factory: Any, answer: Order
) -> None:
    rest = Rest()
    exchange, told = await holding(factory, rest, replace(OPEN, timestamp=20))
    rest.open = [answer]
    await factory.manager.connect()
    await settled()
    assert exchange.order("7") == Held(answer, False)
    assert told == [answer]


async def test_an_order_that_the_exchange_forgot_stays_stale_and_is_counted(factory: Any) -> None:
    rest = Rest()
    exchange, _ = await holding(factory, rest, OPEN)
    await factory.manager.connect()
    await settled()
    assert exchange.open_orders() == {"7": Held(OPEN, True)}
    assert exchange.metrics()["orders"]["unknown"] == 1


async def test_a_call_that_fails_is_a_fault_and_leaves_orders_stale_until_the_next_one(factory: Any) -> None:
    rest = Rest()
    exchange, _ = await holding(factory, rest, OPEN)
    faults: list[Any] = []
    exchange.on_fault(faults.append)
    for error in (ExchangeRestError(503, "no answer"), RuntimeError("the application's own")):
        rest.error = error
        await factory.manager.connect()
        await settled()
        assert (faults[-1].kind, faults[-1].error) == ("orders", error)
        assert exchange.open_orders() == {"7": Held(OPEN, True)}
    rest.error, rest.open = None, [OPEN]
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await settled()
    assert exchange.open_orders() == {"7": Held(OPEN, False)}


async def test_an_answer_to_a_connection_that_is_lost_again_or_closed_is_not_taken(factory: Any) -> None:
    for end in ("lose", "close"):
        rest = Rest()
        exchange, told = await holding(factory, rest, OPEN)
        rest.open = [PARTIAL]
        rest.let.clear()
        await factory.manager.connect()
        await settled()
        await (exchange.close() if end == "close" else factory.manager.lose())
        rest.let.set()
        await settled()
        assert told == []
        assert exchange.open_orders() == {"7": Held(OPEN, True)}


async def test_each_confirmation_looks_anew_so_that_the_last_one_covers_all_channels(factory: Any) -> None:
    rest = Rest()
    exchange, _ = await holding(factory, rest, OPEN)
    rest.let.clear()
    rest.open = [OPEN]
    await factory.manager.connect()
    await settled()
    rest.open = [PARTIAL]
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    rest.let.set()
    await settled()
    assert rest.asked == ["open", "open"]
    assert exchange.open_orders() == {"7": Held(PARTIAL, False)}


@pytest.mark.parametrize("answered", ["order", "open", "error"])
async def test_a_callback_of_a_look_may_close_the_exchange_and_nothing_more_is_asked(
    factory: Any, answered: str
) -> None:
    rest, returned = Rest(), []
    exchange, _ = await holding(factory, rest, OPEN, OTHER)
    if answered == "error":
        rest.error = ExchangeRestError(503, "no answer")
    rest.known = {"7": FILLED, "8": replace(FILLED, id="8")}
    rest.open = [] if answered == "order" else [PARTIAL, replace(PARTIAL, id="8")]

    async def close(_: object) -> None:
        await exchange.close()
        returned.append(exchange.state)

    (exchange.on_fault if answered == "error" else exchange.on_order)(close)
    await factory.manager.connect()
    await settled()
    assert returned == [ConnectionState.CLOSED]
    assert factory.manager.closed == 1
    assert rest.asked == (["open", "7"] if answered == "order" else ["open"])
    assert exchange.metrics()["orders"]["looks"] == 1
    assert exchange.order("8") == Held(OTHER, True)
