"""What an account has asked for by REST, against the venue's personas, which check signatures as the exchanges do."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from exchanges.structs import ExchangeRestError
from tests.src.exchanges.integrations.loopback_rest import Exchange

Ask = Callable[[Exchange, Any], Awaitable[Any]]


async def balances(_: Exchange, calls: Any) -> Any:
    return await calls.balances()


KINDS: dict[str, Ask] = {"balances": balances}


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest) -> Ask:
    """A call."""
    return KINDS[request.param]


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
    *('{"currency":"USDT","total":"NaN"}', '{"balances":[{"asset":"USDT","free":"1e999","locked":"0"}]}'),
)


@pytest.mark.parametrize("body", BODIES)
async def test_an_answer_of_another_kind_is_an_error_of_the_call(exchange: Exchange, ask: Ask, body: str) -> None:
    calls = exchange.calls()
    exchange.answer = web.Response(text=body)
    with pytest.raises(ExchangeRestError) as caught:
        await ask(exchange, calls)
    assert caught.value.code == 400
    await calls.close()


async def test_nobody_there_is_an_error_of_the_call(exchange: Exchange, ask: Ask) -> None:
    exchange.url = "http://127.0.0.1:9"
    calls = exchange.calls()
    with pytest.raises(ExchangeRestError) as caught:
        await ask(exchange, calls)
    assert caught.value.code == 503
    await calls.close()
