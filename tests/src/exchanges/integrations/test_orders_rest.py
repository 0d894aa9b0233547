"""Orders asked for by REST, against the venue's personas, which check signatures as the exchanges do."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from aiohttp import web

from exchanges.structs import ExchangeRestError, Symbol
from shadow.venue.account_events import OrderState
from tests.src.exchanges.integrations.loopback_rest import Exchange


def symbol_of(exchange: Exchange, state: OrderState) -> Symbol:
    base, quote = state.symbol.split("_")
    return Symbol(base, quote, exchange.is_futures)


def told(order: Any) -> tuple[Any, ...]:
    return order.id, order.symbol, order.status, order.side, order.kind, order.filled, order.timestamp


def known(exchange: Exchange, state: OrderState) -> tuple[Any, ...]:
    head = exchange.spell(state.id), symbol_of(exchange, state)
    return *head, state.status, state.side, state.kind, float(state.filled), state.ts_ms


async def test_open_orders_and_each_by_its_id_are_as_the_account_has_them(exchange: Exchange) -> None:
    orders, states = exchange.orders(), exchange.account.orders()
    still_open = [state for state in states if state.is_open]
    symbols = [Symbol("BTC", "USDT", exchange.is_futures), Symbol("ETH", "USDT", exchange.is_futures)]
    found = await orders.open_orders(symbols)
    assert sorted(map(told, found)) == sorted(known(exchange, state) for state in still_open)
    assert found
    latest = {state.status: state for state in states}
    assert {"filled", "cancelled"} <= latest.keys()
    for state in latest.values():
        one = await orders.order(symbol_of(exchange, state), exchange.spell(state.id))
        assert told(one) == known(exchange, state)
        assert one.average_price == pytest.approx(float(state.average_price))
    await orders.close()


class Many:
    """An account with so many open orders, of two symbols by turns."""

    def __init__(self, exchange: Exchange, number: int) -> None:
        one = next(state for state in exchange.account.orders() if state.is_open)
        symbols = ("BTC_USDT", "ETH_USDT")
        self._states = [msgspec.structs.replace(one, id=n + 1, symbol=symbols[n % 2]) for n in range(number)]

    def orders(self) -> list[OrderState]:
        return self._states


@pytest.mark.parametrize("number", [0, 100, 101, 405])
async def test_open_orders_are_all_read_however_many_there_are(exchange: Exchange, number: int) -> None:
    exchange.persona.account = Many(exchange, number)
    orders = exchange.orders()
    symbols = [Symbol("BTC", "USDT", exchange.is_futures), Symbol("ETH", "USDT", exchange.is_futures)]
    found = await orders.open_orders(symbols)
    assert sorted(order.id for order in found) == sorted(exchange.spell(n + 1) for n in range(number))
    await orders.close()


@pytest.mark.parametrize("exchange", ["gateio.spot", "gateio.futures"], indirect=True)
async def test_a_list_that_cannot_be_read_to_its_end_is_an_error_of_the_call(exchange: Exchange) -> None:
    exchange.persona.account = Many(exchange, 202)
    exchange.is_first_page_all = True
    orders = exchange.orders()
    with pytest.raises(ExchangeRestError, match="page 2 tells no more") as caught:
        await orders.open_orders([])
    assert caught.value.code == 400
    await orders.close()


@pytest.mark.parametrize("exchange", ["gateio.spot", "gateio.futures"], indirect=True)
@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"page": "0", "offset": "-1"}])
async def test_the_persona_refuses_a_part_that_there_is_not(exchange: Exchange, asked: dict[str, str]) -> None:
    orders = exchange.orders()
    with pytest.raises(ExchangeRestError) as caught:
        await orders._get(orders.OPEN, {"status": "open", **asked}, list[Any])
    assert caught.value.code == 400
    await orders.close()


async def test_an_order_that_nobody_knows_is_none(exchange: Exchange) -> None:
    orders = exchange.orders()
    assert await orders.order(Symbol("BTC", "USDT", exchange.is_futures), "77") is None
    await orders.close()


async def test_refused_credentials_are_told_without_a_secret(exchange: Exchange) -> None:
    orders = exchange.orders("another-secret")
    with pytest.raises(ExchangeRestError) as caught:
        await orders.open_orders([Symbol("BTC", "USDT", exchange.is_futures)])
    assert caught.value.code in (400, 401)
    exchange.answer = web.Response(status=403, text='{"code":1,"msg":"you sent the-key and another-secret"}')
    with pytest.raises(ExchangeRestError) as repeated:
        await orders.open_orders([Symbol("BTC", "USDT", exchange.is_futures)])
    assert "***" in str(repeated.value)
    exchange.answer = web.Response(status=403, text=json.dumps({"code": 1, "msg": "x" * 170 + "another-secret" * 3}))
    with pytest.raises(ExchangeRestError) as long:
        await orders.open_orders([Symbol("BTC", "USDT", exchange.is_futures)])
    for error in (caught.value, repeated.value, long.value):
        assert "another" not in str(error)
        assert "the-key" not in str(error)
        assert "another-secret" not in str(error)
    await orders.close()


@pytest.mark.parametrize("body", ["", "{", "[]", '{"id":1}', '[{"orders":[{"id":7}]}]', '{"status":"open","left":"x"}'])
async def test_an_answer_of_another_kind_is_an_error_of_the_call(exchange: Exchange, body: str) -> None:
    orders = exchange.orders()
    exchange.answer = web.Response(text=body)
    with pytest.raises(ExchangeRestError) as caught:
        await orders.order(Symbol("BTC", "USDT", exchange.is_futures), "77")
    assert caught.value.code == 400
    await orders.close()
