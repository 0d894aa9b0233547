"""The private side of the relay: signatures that the exchange accepts, and one listen key of our own."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from shadow.network.budget import Budget, BudgetSpent
from shadow.upstream import read_upstream
from shadow.venue.market import market_for
from shadow.venue.personas.registry import PRIVATE
from shadow.venue.relay.dialect import Answer, Data
from shadow.venue.relay.pool import dialect_of, tls_of
from shadow.venue.relay.private import ListenKey, NoListenKey

ACCOUNT = {"key": "k", "secret": "s", "uid": "7"}


@pytest.mark.parametrize(
    ("connection", "key"),
    [
        ("gateio.spot.private", "spot.orders|!all"),
        ("gateio.spot.private", "spot.balances|"),
        ("gateio.futures.private", "futures.positions|BTC_USDT"),
        ("gateio.futures.private", "futures.balances|"),
    ],
)
@pytest.mark.parametrize(("secret", "kind"), [("s", "ack"), ("another", "refused")])
def test_a_subscription_is_signed_so_that_the_exchange_accepts_it(
    connection: str, key: str, secret: str, kind: str
) -> None:
    dialect = dialect_of(connection, {"gateio": {**ACCOUNT, "secret": secret}})
    persona = PRIVATE[connection](market_for("gateio", connection.split(".")[1], ("BTC_USDT",), 1, 0), 1.0, ACCOUNT)
    session = persona.open(persona.ws_path, {}, time.time())
    (reply,) = session.on_message(dialect.subscribe(9, key), time.time())
    assert reply.kind == kind
    if kind == "ack":
        assert reply.variants == (key,)
    answer = dialect.read(reply.payload.decode())
    assert isinstance(answer, Answer)
    assert (answer.request_id, answer.is_accepted) == (9, kind == "ack")


def test_a_push_is_known_by_its_channel_whatever_symbols_it_holds() -> None:
    dialect = dialect_of("gateio.spot.private", {"gateio": ACCOUNT})
    items = [{"currency_pair": "BTC_USDT"}, {"currency_pair": "ETH_USDT"}]
    data = dialect.read(json.dumps({"channel": "spot.orders", "event": "update", "result": items}))
    assert data == Data(dialect.address("spot.orders|!all"), 2)


async def listed(base: str, account: dict[str, str], tls: Any) -> list[str]:
    """The keys that the exchange has."""
    text = urlencode({"timestamp": str(int(time.time() * 1000))})
    sign = hmac.new(account["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    url = f"{base}/api/v3/userDataStream?{text}&signature={sign}"
    async with aiohttp.ClientSession(headers={"X-MEXC-APIKEY": account["key"]}) as session:
        async with session.get(url, ssl=tls) as response:
            keys: list[str] = (await response.json())["listenKey"]
            return keys


async def test_one_key_is_made_kept_and_closed_and_a_foreign_one_left_alone(upstream: Any) -> None:
    exchange = await upstream(connections=["mexc.spot.private"], rate=20)
    where = read_upstream()
    tls, base, account = tls_of(where), where.rest["mexc"], exchange.credentials["mexc"]
    budget = Budget().at("mexc")
    foreign, ours = (ListenKey(base, account, one, tls) for one in (Budget().at("mexc"), budget))
    await foreign.url("ws")
    before = await listed(base, account, tls)
    url = await ours.url("wss://x/ws")
    assert await ours.url("wss://x/ws") == url
    (made,) = set(await listed(base, account, tls)) - set(before)
    assert url == f"wss://x/ws?listenKey={made}"
    assert budget.used.listen_keys == 1
    await ours.close()
    assert await listed(base, account, tls) == before
    assert budget.used.listen_keys == 0
    await foreign.close()


async def test_a_key_that_has_ended_is_replaced(upstream: Any) -> None:
    exchange = await upstream(connections=["mexc.spot.private"], rate=20)
    where = read_upstream()
    tls, base, account = tls_of(where), where.rest["mexc"], exchange.credentials["mexc"]
    ours = ListenKey(base, account, Budget().at("mexc"), tls)
    first = await ours.url("ws")
    await ours._ask("DELETE", first.partition("=")[2])
    second = await ours.url("ws")
    assert second != first
    assert await listed(base, account, tls) == [second.partition("=")[2]]
    await ours.close()


async def test_no_key_is_no_address_and_costs_nothing(upstream: Any) -> None:
    await upstream(connections=["mexc.spot.private"], rate=20)
    where, budget = read_upstream(), Budget().at("mexc")
    wrong = ListenKey(where.rest["mexc"], {"key": "no", "secret": "no"}, budget, tls_of(where))
    with pytest.raises(NoListenKey):
        await wrong.url("ws")
    assert budget.used.listen_keys == 0
    for _ in range(budget.caps.listen_keys):
        budget.take_listen_key()
    with pytest.raises(BudgetSpent):
        await wrong.url("ws")
    await wrong.close()
