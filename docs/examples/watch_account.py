"""Prints twelve events of an account, then what is held: python watch_account.py gateio.spot venue.json"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from exchanges.interfaces.composite import Held, PrivateExchange
from exchanges.structs import Balance, ExchangeConfig, ExchangeCredentials, Fill, Order, Position, Symbol

NAMES = {"gateio.spot": "GATEIO_SPOT", "gateio.futures": "GATEIO_FUTURES", "mexc.spot": "MEXC_SPOT"}


def words(event: Order | Fill | Balance | Position) -> str:
    if isinstance(event, Order):
        return f"order {event.id} {event.status}: {event.side} {event.filled} of {event.quantity}"
    if isinstance(event, Fill):
        return f"fill of order {event.order_id}: {event.side} {event.quantity} at {event.price}"
    if isinstance(event, Balance):
        return f"balance {event.asset}: {event.free} free"
    return f"position {event.symbol.base}: {event.size}"


async def main(market: str, ready: dict[str, Any]) -> None:
    exchange_name = market.partition(".")[0]
    given = ready["credentials"][exchange_name]
    config = ExchangeConfig(
        NAMES[market],
        ExchangeCredentials(given["key"], given["secret"]),
        base_url=ready["rest"][exchange_name],
        websocket_url=ready["ws"][f"{market}.private"],
    )
    shown, done = 0, asyncio.Event()
    async with PrivateExchange(config) as exchange:
        exchange.on_state(lambda state: sys.stderr.write(f"{state.value}\n"))
        exchange.on_fault(lambda fault: sys.stderr.write(f"{fault}\n"))

        def show(event: Order | Fill | Balance | Position) -> None:
            nonlocal shown
            if not done.is_set():
                sys.stdout.write(f"{words(event)}\n")
            shown += 1
            if shown == 12:
                done.set()

        for register in (exchange.on_order, exchange.on_fill, exchange.on_balance, exchange.on_position):
            register(show)
        await exchange.start([Symbol("BTC", "USDT"), Symbol("ETH", "USDT")])
        await done.wait()
        held: dict[str, Held[Any]] = {**exchange.balances(), **exchange.open_orders()}
        stale = sum(one.is_stale for one in held.values())
        sys.stdout.write(f"held: {len(exchange.open_orders())} open orders, {len(exchange.balances())} balances, ")
        sys.stdout.write(f"{stale} of them stale\n")


asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
