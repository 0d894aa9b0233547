"""What a PrivateExchange holds of an account, what becomes stale, and what it calls back with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from exchanges.interfaces.composite import Held, PrivateExchange
from exchanges.structs import (
    Balance,
    ConnectionState,
    ExchangeConfig,
    Fill,
    MessageType,
    Order,
    Position,
    PrivateWebsocketChannelType,
    Symbol,
)

BTC = Symbol("BTC", "USDT")
CONTRACT = Symbol("BTC", "USDT", True)
SPOT = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
FUTURES = ExchangeConfig("GATEIO_FUTURES", websocket_url="ws://127.0.0.1:1/")
OPEN = Order(BTC, "7", None, "open", "buy", "limit", 10.0, 2.0, 0.0, None, 1)
FILLED = replace(OPEN, status="filled", filled=2.0)
BALANCE = Balance("USDT", 90.0, 10.0, 1)
LONG = Position(CONTRACT, 3.0, 10.0, "long", 0.0, 1.0, 0.0, 1)


def fill(number: int, order_id: str = "7") -> Fill:
    return Fill(BTC, str(number), order_id, "buy", 10.0, 1.0, 0.1, "USDT", "maker", number)


async def running(factory: Any, config: ExchangeConfig = SPOT, **options: Any) -> PrivateExchange:
    exchange = PrivateExchange(config, create_manager=factory, **options)
    await exchange.start([BTC])
    await factory.manager.connect()
    return exchange


async def tell_all(factory: Any) -> None:
    for kind, data in (
        (MessageType.ORDER, [OPEN, replace(OPEN, id="8")]),
        (MessageType.TRADE, [fill(1), fill(2)]),
        (MessageType.BALANCE, [BALANCE]),
        (MessageType.POSITION, [LONG, replace(LONG, mode="short", size=-1.0)]),
    ):
        await factory.manager.tell(kind, data)


async def test_channels_go_to_the_manager(factory: Any) -> None:
    exchange = PrivateExchange(SPOT, create_manager=factory)
    await exchange.start([BTC], [PrivateWebsocketChannelType.ORDER])
    assert factory.manager.started == ([BTC], [PrivateWebsocketChannelType.ORDER])


async def test_each_message_is_held_before_its_callback_is_called(factory: Any) -> None:
    exchange = await running(factory, FUTURES)
    seen: list[Any] = []
    exchange.on_order(lambda order: seen.append((order, exchange.order(order.id))))
    exchange.on_fill(lambda one: seen.append((one, exchange.fills()[-1])))
    exchange.on_balance(lambda balance: seen.append((balance, exchange.balance("USDT"))))
    exchange.on_position(lambda one: seen.append((one, exchange.position(BTC, one.mode))))
    await tell_all(factory)
    other, short = replace(OPEN, id="8"), replace(LONG, mode="short", size=-1.0)
    states = [OPEN, other, BALANCE, LONG, short]
    assert [pair for pair in seen if not isinstance(pair[0], Fill)] == [(one, Held(one, False)) for one in states]
    assert [pair for pair in seen if isinstance(pair[0], Fill)] == [(fill(1), fill(1)), (fill(2), fill(2))]
    assert exchange.open_orders() == {"7": Held(OPEN, False), "8": Held(other, False)}
    assert exchange.balances() == {"USDT": Held(BALANCE, False)}
    assert exchange.positions() == [Held(LONG, False), Held(short, False)]
    assert exchange.position(BTC) is None


async def test_a_finished_order_is_not_open_and_still_known(factory: Any) -> None:
    exchange = await running(factory)
    await factory.manager.tell(MessageType.ORDER, [OPEN])
    await factory.manager.tell(MessageType.ORDER, [FILLED])
    assert exchange.open_orders() == {}
    assert exchange.order("7") == Held(FILLED, False)
    assert exchange.order_life("7") == [OPEN, FILLED]


async def test_what_tells_nothing_new_is_counted_and_not_called_back_with(factory: Any) -> None:
    exchange = await running(factory)
    seen: list[Any] = []
    exchange.on_order(seen.append)
    exchange.on_fill(seen.append)
    for order in (FILLED, OPEN, FILLED):
        await factory.manager.tell(MessageType.ORDER, [order])
    await factory.manager.tell(MessageType.TRADE, [fill(1), fill(1)])
    assert seen == [FILLED, fill(1)]
    assert exchange.fills() == [fill(1)]
    metrics = exchange.metrics()
    assert metrics["orders"]["late"] == 2
    assert metrics["fills"] == {"kept": 1, "repeated": 1}


async def test_a_lost_connection_makes_states_stale_and_fills_stay(factory: Any) -> None:
    exchange = await running(factory, FUTURES)
    await tell_all(factory)
    await factory.manager.lose()
    assert all(held.is_stale for held in exchange.open_orders().values())
    assert exchange.balance("USDT") == Held(BALANCE, True)
    assert all(held.is_stale for held in exchange.positions())
    assert exchange.fills() == [fill(1), fill(2)]
    await factory.manager.connect()
    assert exchange.balance("USDT") == Held(BALANCE, True)
    newer = replace(BALANCE, free=80.0)
    await factory.manager.tell(MessageType.BALANCE, [newer])
    assert exchange.balance("USDT") == Held(newer, False)
    assert exchange.position(BTC, "long") == Held(LONG, True)


async def test_what_still_waited_behind_a_lost_connection_is_held_as_stale(factory: Any) -> None:
    exchange = await running(factory, FUTURES)
    await factory.manager.lose()
    await factory.manager.on_state(ConnectionState.CONNECTED)
    await tell_all(factory)
    held = [exchange.order("7"), exchange.balance("USDT"), *exchange.positions()]
    assert [one.is_stale for one in held if one] == 4 * [True]
    await factory.manager.tell(MessageType.SUBSCRIPTION_CONFIRM, [])
    await tell_all(factory)
    held = [exchange.order("7"), exchange.balance("USDT"), *exchange.positions()]
    assert [one.is_stale for one in held if one] == 4 * [False]


async def test_an_application_that_asked_the_exchange_forgets_what_is_stale(factory: Any) -> None:
    exchange = await running(factory, FUTURES)
    await tell_all(factory)
    await factory.manager.lose()
    await factory.manager.connect()
    await factory.manager.tell(MessageType.ORDER, [replace(OPEN, filled=1.0, status="partial")])
    assert exchange.forget_stale() == 4
    assert list(exchange.open_orders()) == ["7"]
    assert exchange.balances() == {}
    assert exchange.positions() == []


async def test_fills_are_told_by_order_and_so_many_are_kept(factory: Any) -> None:
    exchange = await running(factory, fills_kept=3)
    await factory.manager.tell(MessageType.TRADE, [fill(number, str(number % 2)) for number in range(5)])
    assert exchange.fills() == [fill(2, "0"), fill(3, "1"), fill(4, "0")]
    assert exchange.fills("0") == [fill(2, "0"), fill(4, "0")]
    assert exchange.fills("none") == []
