"""The synthetic market of one exchange: a seeded book, trades and figures for each symbol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from random import Random

from shadow.venue.symbol_market import SymbolMarket
from shadow.venue.wire import Level, MarketEvent

__all__ = ["Market", "market_for"]

FIRST_VERSION = 82_164_153_436
FIRST_FUTURES_VERSION = 31_904_226_718


class Market:
    """All symbols of one (exchange, market); implements `wire.MarketView`. The same seed gives the same events.

    `symbols` in the Gate.io spelling; a trade step holds one to `max_trades` trades; `padded` writes book levels
    with all their decimals while tickers and trades cut trailing zeros, as MEXC does. Trade ids ascend over all
    symbols and begin at a number made from `start_ms`, so that two sessions do not repeat each other's.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        seed: int,
        start_ms: int,
        first_version: int = FIRST_VERSION,
        *,
        max_trades: int = 1,
        padded: bool = False,
        market: str = "spot",
    ) -> None:
        self.symbols: Sequence[str] = tuple(symbols)
        self._max_trades = max_trades
        self._random = Random(f"market/{seed}")
        self._trade_ids = count(start_ms // 100 + 1)
        self._by_symbol = {
            symbol: SymbolMarket(symbol, seed, first_version + 1_000_003 * place, padded=padded, market=market)
            for place, symbol in enumerate(self.symbols)
        }

    def step(self, type: str, symbol: str, ts_ms: int) -> MarketEvent:
        """One step of `type` (book, trade, book_ticker or ticker) at exchange time `ts_ms`; KeyError if not listed."""
        one = self._by_symbol[symbol]
        if type == "book":
            return one.book_event(ts_ms)
        if type == "book_ticker":
            return one.book_ticker_event(ts_ms)
        if type == "trade":
            trades = 1 if self._max_trades == 1 else 1 + int(self._random.random() * self._max_trades)
            return one.trade_event(ts_ms, self._trade_ids, trades)
        if type == "ticker":
            return one.ticker_event(ts_ms)
        raise ValueError(f"a public market has no step of type {type!r}")

    def book(self, symbol: str) -> tuple[int, Sequence[Level], Sequence[Level]]:
        """Version, bids and asks (best first) as last pushed."""
        return self._by_symbol[symbol].pushed_book()

    def live_top(self, symbol: str) -> tuple[int, Level, Level]:
        """Version, best bid and best ask with all that happened since the last push."""
        one = self._by_symbol[symbol]
        return one.state.version, *one.top()

    def figures(self, symbol: str) -> Mapping[str, str]:
        """The 24-hour figures."""
        return self._by_symbol[symbol].figures()


def market_for(exchange: str, market: str, symbols: Iterable[str], seed: int, start_ms: int) -> Market:
    """The market behind the personas of (exchange, market): padded levels at MEXC only, several trades a frame there
    and on Gate.io's futures.

    Markets of different exchanges, and spot and futures, differ although the seed is the same.
    """
    is_mexc, is_futures = exchange == "mexc", market == "futures"
    own_seed = Random(f"{exchange}.{market}/{seed}").getrandbits(48)
    first_version = FIRST_FUTURES_VERSION if is_futures else FIRST_VERSION
    most = 3 if is_mexc else 2 if is_futures else 1
    return Market(symbols, own_seed, start_ms, first_version, max_trades=most, padded=is_mexc, market=market)
