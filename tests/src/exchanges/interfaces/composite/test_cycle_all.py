"""One application with an object for each market and account, all at once, on both architectures."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from exchanges.interfaces.composite import PrivateExchange, PublicExchange
from exchanges.structs import ConnectionState, Symbol

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
NAMES = ("GATEIO_SPOT", "GATEIO_FUTURES", "MEXC_SPOT")

pytestmark = pytest.mark.no_cover


def unit(name: str) -> str:
    return name.lower().replace("_", ".")


@pytest.mark.checklist("4.2.1", "5.2.7")
async def test_each_object_hears_its_own_exchange_and_outlives_the_others(
    architecture: str, every_street: Any, signal: Any
) -> None:
    heard: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        held: dict[str, PublicExchange | PrivateExchange] = {}
        for name in NAMES:
            for kind in (PublicExchange, PrivateExchange):
                scope = "private" if kind is PrivateExchange else "public"
                config = every_street.config(name, f"{unit(name)}.{scope}")
                exchange = await stack.enter_async_context(kind(config))
                held[exchange.name] = exchange
        assert list(held) == [f"{unit(name)}.{scope}" for name in NAMES for scope in ("public", "private")]

        def count(name: str) -> Any:
            return lambda _: (heard.update([name]), signal.changed())

        for name, exchange in held.items():
            register = exchange.on_order if isinstance(exchange, PrivateExchange) else exchange.on_trade
            register(count(name))
            await exchange.start([BTC, ETH])
        await signal.until(lambda: len(heard) == len(held) and min(heard.values()) >= 5)
        first, *others = held.values()
        await first.close()
        before = heard.copy()
        await signal.until(lambda: all(heard[other.name] > before[other.name] for other in others))
        assert first.state is ConnectionState.CLOSED
        assert [other.metrics()["faults"] for other in others] == 5 * [{}]
        assert heard[first.name] == before[first.name]
        futures = held["gateio.futures.public"]
        assert isinstance(futures, PublicExchange)
        assert {trade.symbol.is_futures for trade in futures.trades(BTC)} == {True}
