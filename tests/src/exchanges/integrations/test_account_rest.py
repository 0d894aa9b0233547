"""What an account has asked for by REST, against the venue's personas, which check signatures as the exchanges do."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from exchanges.structs import ExchangeRestError, Symbol
from shadow.venue.account_events import PositionState
from tests.src.exchanges.integrations.loopback_rest import SIDES, Exchange

Ask = Callable[[Exchange, Any], Awaitable[Any]]


async def balances(_: Exchange, calls: Any) -> Any:
    return await calls.balances()


async def positions(_: Exchange, calls: Any) -> Any:
    return await calls.positions()


KINDS: dict[str, Ask] = {"balances": balances, "positions": positions}


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
