"""Prints five trades of a market with its local book: python watch_market.py gateio.spot venue.json"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchanges.integrations.gateio.rest import GateioFuturesRest, GateioRest
from exchanges.integrations.mexc.rest import MexcRest
from exchanges.interfaces.composite import PublicExchange
from exchanges.structs import ExchangeConfig, Symbol, Trade
from exchanges.structs.symbols import to_gateio, to_mexc
from infrastructure.networking.websocket.book_keeper import BookSource

# By market: the name in an ExchangeConfig, where snapshots come from, how symbols are spelt there.
MARKETS: dict[str, tuple[str, Callable[[str], BookSource], Callable[[Symbol], str]]] = {
    "gateio.spot": ("GATEIO_SPOT", GateioRest, to_gateio),
    "gateio.futures": ("GATEIO_FUTURES", GateioFuturesRest, to_gateio),
    "mexc.spot": ("MEXC_SPOT", MexcRest, to_mexc),
}
BTC = Symbol("BTC", "USDT")


async def main(market: str, ready: dict[str, Any]) -> None:
    name, source, spell = MARKETS[market]
    rest_url = ready["rest"][market.partition(".")[0]]
    rest = source(rest_url)
    config = ExchangeConfig(name, websocket_url=ready["ws"][market], base_url=rest_url)
    shown, done = 0, asyncio.Event()
    async with PublicExchange(config, fetch_book=lambda symbol: rest.fetch_book(spell(symbol))) as exchange:
        exchange.on_state(lambda state: sys.stderr.write(f"{state.value}\n"))
        exchange.on_fault(lambda fault: sys.stderr.write(f"{fault}\n"))

        @exchange.on_trade
        def show(trade: Trade) -> None:
            nonlocal shown
            book = exchange.book(BTC, depth=1)
            if book is None or done.is_set():
                return
            best = f"{book.bids[0].price} / {book.asks[0].price}"
            sys.stdout.write(f"{trade.side} {trade.quantity} at {trade.price}, book {best} ")
            sys.stdout.write(f"({exchange.book_state(BTC).value})\n")
            shown += 1
            if shown == 5:
                done.set()

        await exchange.start([BTC])
        await done.wait()
    await rest.close()


asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
