"""What an account has asked for by REST, against the venue's personas, which check signatures as the exchanges do."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from exchanges.structs import ExchangeRestError, Fill, Symbol
from shadow.venue.account_events import FillState, PositionState
from tests.src.exchanges.integrations.loopback_rest import SIDES, START_MS, Exchange

Ask = Callable[[Exchange, Any], Awaitable[Any]]


async def balances(_: Exchange, calls: Any) -> Any:
    return await calls.balances()


async def positions(_: Exchange, calls: Any) -> Any:
    return await calls.positions()


async def fills(exchange: Exchange, calls: Any) -> Any:
    return await calls.fills(exchange.symbols, START_MS)


KINDS: dict[str, Ask] = {"balances": balances, "positions": positions, "fills": fills}


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Ask:
    """A call."""
    return KINDS[request.param]


CALLS = [(name, kind) for name in SIDES for kind in KINDS if kind != "positions" or name == "gateio.futures"]
each_call = pytest.mark.parametrize(("exchange", "ask"), CALLS, indirect=True)
on_futures = pytest.mark.parametrize("exchange", ["gateio.futures"], indirect=True)


async def test_balances_are_as_the_account_has_them_and_timed_by_the_exchange(exchange: Exchange) -> None:
    calls, before_s = exchange.calls(), int(time.time())
    found = await calls.balances()
    locked, real = {one.asset: one.locked for one in found}, exchange.account.balances()
    assert {one.asset: one.free for one in found} == {asset: float(free) for asset, free, _ in real}
    if exchange.is_futures:
        assert locked == {"USDT": None}
    else:
        assert locked == {asset: float(amount) for asset, _, amount in real}
        assert any(locked.values())
    assert all(before_s * 1000 <= one.timestamp <= time.time() * 1000 for one in found)
    assert all(one.timestamp % 1000 == 0 for one in found)
    await calls.close()


@on_futures
async def test_positions_are_as_the_account_has_them_and_timed_by_their_last_change(exchange: Exchange) -> None:
    calls, real = exchange.calls(), exchange.account.told_positions()
    found = {one.symbol: one for one in await calls.positions()}
    assert len(found) == len(real) == 2
    for state in real:
        one = found[Symbol(*state.symbol.split("_"), True)]
        assert (one.size, one.mode, one.leverage) == (float(state.size), "single", float(state.leverage))
        assert (one.entry_price, one.margin) == (float(state.entry_price), float(state.margin))
        assert (one.realised_pnl, one.timestamp) == (float(state.realised_pnl), state.ts_ms // 1000 * 1000)
    await calls.close()


class Many:
    """An account with a position in so many contracts."""

    def __init__(self, exchange: Exchange, number: int) -> None:
        one = exchange.account.told_positions()[0]
        self._positions = [msgspec.structs.replace(one, symbol=f"C{n}_USDT") for n in range(number)]

    def told_positions(self) -> list[PositionState]:
        return self._positions


@on_futures
@pytest.mark.parametrize("number", [0, 100, 205])
async def test_positions_are_all_read_however_many_there_are(exchange: Exchange, number: int) -> None:
    exchange.persona.account = Many(exchange, number)
    calls = exchange.calls()
    found = await calls.positions()
    assert [one.symbol.base for one in found] == [f"C{n}" for n in range(number)]
    assert len(exchange.asked) == number // 100 + 1
    await calls.close()


@on_futures
async def test_positions_that_cannot_be_read_to_their_end_are_an_error_of_the_call(exchange: Exchange) -> None:
    exchange.persona.account = Many(exchange, 202)
    exchange.is_first_page_all = True
    calls = exchange.calls()
    with pytest.raises(ExchangeRestError, match="page 2 tells no more") as caught:
        await calls.positions()
    assert caught.value.code == 400
    await calls.close()


@on_futures
@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"offset": "-1"}])
async def test_the_persona_refuses_a_part_that_there_is_not(exchange: Exchange, asked: dict[str, str]) -> None:
    calls = exchange.calls()
    with pytest.raises(ExchangeRestError) as caught:
        await calls._get(calls.POSITIONS, asked, list[Any])
    assert caught.value.code == 400
    open_ones = await calls._get(calls.POSITIONS, {"holding": "true"}, list[Any])
    assert [one["contract"] for one in open_ones] == [
        one.symbol for one in exchange.account.told_positions() if one.size
    ]
    await calls.close()


def told(fill: Fill) -> tuple[Any, ...]:
    return (
        fill.id,
        fill.order_id,
        fill.symbol,
        fill.side,
        fill.role,
        fill.price,
        fill.quantity,
        fill.fee,
        fill.timestamp,
    )


def known(exchange: Exchange, state: FillState) -> tuple[Any, ...]:
    symbol = Symbol(*state.symbol.split("_"), exchange.is_futures)
    head = exchange.spell_fill(state.id), exchange.spell(state.order_id), symbol, state.side, state.role
    return *head, float(state.price), float(state.quantity), float(state.fee), state.time_us // 1000


async def test_fills_are_as_the_account_has_them_from_a_moment_on(exchange: Exchange) -> None:
    calls, real = exchange.calls(), exchange.account.fills()
    found = await calls.fills(exchange.symbols, START_MS)
    assert sorted(map(told, found)) == sorted(known(exchange, state) for state in real)
    assert {one.fee_asset for one in found} == ({None} if exchange.is_futures else {"USDT"})
    middle_ms = real[len(real) // 2].time_us // 1000
    later = {one.id for one in await calls.fills(exchange.symbols, middle_ms) if one.timestamp >= middle_ms}
    assert later == {exchange.spell_fill(one.id) for one in real if one.time_us // 1000 >= middle_ms}
    assert await calls.fills(exchange.symbols, START_MS + 3_600_000) == []
    await calls.close()


async def test_a_fill_is_the_same_whether_it_is_pushed_or_asked_for(exchange: Exchange) -> None:
    """By the readers of the stack: whoever has it twice must be able to tell."""
    pushed: list[Any] = []
    for state in exchange.account.fills():
        push = exchange.persona.encode(state, exchange.persona.default_variant("fill", ""))
        pushed += exchange.read_fills(push.payload)
    calls = exchange.calls()
    found = await calls.fills(exchange.symbols, START_MS)
    assert sorted(found, key=lambda one: one.id) == sorted(pushed, key=lambda one: one.id)
    await calls.close()


class Fills:
    """An account with so many fills, of two symbols by turns, `apart_us` from each other."""

    def __init__(self, exchange: Exchange, number: int, apart_us: int = 700) -> None:
        one, begin_us = exchange.account.fills()[0], START_MS * 1000
        symbols = ("BTC_USDT", "ETH_USDT")
        self._fills = [
            msgspec.structs.replace(one, id=n + 1, symbol=symbols[n % 2], time_us=begin_us + n * apart_us)
            for n in range(number)
        ]

    def fills(self) -> list[FillState]:
        return self._fills


@pytest.mark.parametrize("number", [0, 100, 101, 905])
async def test_fills_are_all_read_however_many_there_are(exchange: Exchange, number: int) -> None:
    exchange.persona.account = Fills(exchange, number)
    calls = exchange.calls()
    found = await calls.fills(exchange.symbols, START_MS)
    assert sorted(one.id for one in found) == sorted(exchange.spell_fill(n + 1) for n in range(number))
    await calls.close()


async def test_fills_that_cannot_be_read_to_their_end_are_an_error_of_the_call(exchange: Exchange) -> None:
    """A page that comes again, or at MEXC a millisecond that holds more than an answer."""
    is_paged = exchange.prefix != ""
    exchange.persona.account = Fills(exchange, 402, 700 if is_paged else 1)
    exchange.is_first_page_all = is_paged
    calls = exchange.calls()
    with pytest.raises(ExchangeRestError, match="page 2 tells no more" if is_paged else "in one millisecond") as caught:
        await calls.fills(exchange.symbols, START_MS)
    assert caught.value.code == 400
    await calls.close()


@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}])
async def test_the_persona_refuses_a_page_of_fills_that_there_is_not(exchange: Exchange, asked: dict[str, str]) -> None:
    calls = exchange.calls()
    path = calls.FILLS if exchange.prefix else "/api/v3/myTrades"
    with pytest.raises(ExchangeRestError) as caught:
        await calls._get(path, {"symbol": "BTCUSDT", **asked}, list[Any])
    assert caught.value.code == 400
    await calls.close()


async def test_the_exchanges_own_second_counts_and_without_one_nobody_knows_how_old_an_answer_is(
    exchange: Exchange,
) -> None:
    calls = exchange.calls()
    exchange.answer = web.Response(body=b"{}", headers={"Date": "Fri, 27 Nov 2026 08:09:10 GMT"})
    assert await calls._get_dated("/any", {}, dict[str, Any]) == ({}, 1_795_766_950_000)
    exchange.answer = web.Response(body=b"{}", headers={"Date": "some day"})
    assert await calls._get("/any", {}, dict[str, Any]) == {}
    exchange.answer = web.Response(body=b"{}", headers={"Date": "some day"})
    with pytest.raises(ExchangeRestError, match="without a date") as caught:
        await calls._get_dated("/any", {}, dict[str, Any])
    assert caught.value.code == 400
    await calls.close()


@each_call
async def test_refused_credentials_are_told_without_a_secret(exchange: Exchange, ask: Ask) -> None:
    calls = exchange.calls("another-secret")
    with pytest.raises(ExchangeRestError) as caught:
        await ask(exchange, calls)
    assert caught.value.code in (400, 401)
    exchange.answer = web.Response(
        status=403, text=json.dumps({"code": 1, "msg": "the-key, another-secret" + "x" * 300})
    )
    with pytest.raises(ExchangeRestError) as repeated:
        await ask(exchange, calls)
    for error in (caught.value, repeated.value):
        assert "another" not in str(error)
        assert "the-key" not in str(error)
    await calls.close()


BODIES = (
    *("", "{", "7", '{"id":1}', "[7]", '[{"currency":7}]', '[{"currency":"USDT","available":"x"}]'),
    *('[{"contract":"BTC_USDT","size":"x","mode":"single","update_time":1}]', '[{"contract":"BTC_USDT"}]'),
    *('[{"contract":"BTC","size":1,"mode":"single","update_time":1}]', '[{"contract":"A_B","update_time":null}]'),
    *('[{"id":"7","trade_id":"7","order_id":"8","orderId":"8","currency_pair":"A","contract":"A"}]', "[{}]"),
    *('{"currency":"USDT","total":"NaN"}', '{"balances":[{"asset":"USDT","free":"1e999","locked":"0"}]}'),
)


@each_call
@pytest.mark.parametrize("body", BODIES)
async def test_an_answer_of_another_kind_is_an_error_of_the_call(exchange: Exchange, ask: Ask, body: str) -> None:
    calls = exchange.calls()
    exchange.answer = web.Response(text=body)
    with pytest.raises(ExchangeRestError) as caught:
        await ask(exchange, calls)
    assert caught.value.code == 400
    await calls.close()


@each_call
async def test_nobody_there_is_an_error_of_the_call(exchange: Exchange, ask: Ask) -> None:
    exchange.url = "http://127.0.0.1:9"
    calls = exchange.calls()
    with pytest.raises(ExchangeRestError) as caught:
        await ask(exchange, calls)
    assert caught.value.code == 503
    await calls.close()
