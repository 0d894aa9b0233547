"""The seeded market of one symbol: its book moves, trades eat it, the 24-hour figures follow the trades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random
from typing import NamedTuple

from shadow.venue.book_state import BookState, Side, decimal_text
from shadow.venue.wire import Level, MarketEvent, TradeItem

__all__ = ["Listing", "SymbolMarket", "contract_size", "listing"]

_LEVELS_LOW, _LEVELS_START, _LEVELS_HIGH = 62, 78, 96
_REACH_TICKS = 260
# Volumes carry this many more decimals than quantities, so that the sliding window shows in every ticker.
_WINDOW_DECIMALS = 4
_QUOTE_DECIMALS = 6


class Listing(NamedTuple):
    """How a symbol is quoted: a middle price in ticks, decimals of price and quantity, a usual quantity in lots."""

    price_ticks: int
    price_decimals: int
    quantity_decimals: int
    usual_lots: int


_KNOWN = {
    "BTC": Listing(8427001, 2, 6, 40_000),
    "ETH": Listing(274315, 2, 5, 120_000),
    "SOL": Listing(18342, 2, 4, 90_000),
    "XRP": Listing(24817, 4, 2, 150_000),
    "DOGE": Listing(21463, 5, 2, 900_000),
}

_FUTURES = {
    "BTC": Listing(842_700, 1, 0, 4_000),
    "ETH": Listing(274_315, 2, 0, 1_200),
    "SOL": Listing(18_342, 2, 0, 900),
    "XRP": Listing(24_817, 4, 0, 1_500),
    "DOGE": Listing(21_463, 5, 0, 900),
}
_CONTRACT_SIZES = {"BTC": "0.0001", "ETH": "0.01", "SOL": "1", "XRP": "10", "DOGE": "10"}

KNOWN_SYMBOLS = tuple(f"{base}_USDT" for base in _KNOWN)
"""What a session may ask of the synthetic market."""


def listing(symbol: str, market: str = "spot") -> Listing:
    """The listing of a known base asset, or one worked out from the name alone; futures trade whole contracts."""
    base = symbol.partition("_")[0]
    known = _FUTURES if market == "futures" else _KNOWN
    if base in known:
        return known[base]
    spread = sum(ord(letter) * 31**place for place, letter in enumerate(symbol)) % 40_000
    return Listing(10_000 + spread, 4, 0 if market == "futures" else 3, 60_000)


def contract_size(symbol: str) -> Decimal:
    """Base amount of one futures contract (`quanto_multiplier`)."""
    return Decimal(_CONTRACT_SIZES.get(symbol.partition("_")[0], "1"))


def _scaled(units: int, places: int) -> int:
    """A whole number with `places` digits cut off its end, or that many zeros put behind it."""
    return units // 10**places if places >= 0 else units * int(10**-places)


class SymbolMarket:
    """One symbol. Each `*_event` method is one step and returns what it did.

    Book tickers and trades change the live book at once and take a version of their own inside the range of the
    next book update, which names the levels they touched. So every book ticker has a version that no other has.
    """

    def __init__(
        self, symbol: str, seed: int, first_version: int, *, padded: bool = False, market: str = "spot"
    ) -> None:
        self.symbol = symbol
        self.listing = listing(symbol, market)
        self._padded = padded
        self._random = Random(f"{symbol}/{seed}")
        self._anchor = float(self.listing.price_ticks)
        self.state = BookState(first_version)
        for side in (self.state.bids, self.state.asks):
            self._fill(side)
        self.state.version = self.state.pushed_version = first_version
        self.state.bids.changed.clear()
        self.state.asks.changed.clear()
        self._cached: tuple[int, list[Level], list[Level]] | None = None
        self._last_trade_us = 0
        self._begin_figures()

    # Steps

    def book_event(self, ts_ms: int) -> MarketEvent:
        """Change about three to ten levels and push them with what trades and tickers changed before."""
        goal = 3 + int(self._random.random() * 6)
        bids, asks = self.state.bids, self.state.asks
        self._anchor *= 1 + (self._random.random() - 0.5) * 2e-5
        for _ in range(goal):
            self._move(self._pick_side())
        while not (bids.differs or asks.differs):
            self._move(self._pick_side())
        first, last, changed_bids, changed_asks = self.state.take()
        return MarketEvent(
            "book", self.symbol, ts_ms, first, last, self._levels(changed_bids), self._levels(changed_asks)
        )

    def book_ticker_event(self, ts_ms: int) -> MarketEvent:
        """Change the best level of one side and tell both."""
        side = self._pick_side()
        key = side.keys[0]
        if self._random.random() < 0.15 and len(side) > _LEVELS_LOW:
            self.state.set(side, key, 0)
        else:
            self.state.set(side, key, self._other_lots(side.levels[key]))
        bid, ask = self.top()
        return MarketEvent("book_ticker", self.symbol, ts_ms, None, self.state.version, bid=bid, ask=ask)

    def trade_event(self, ts_ms: int, ids: Iterator[int], count: int) -> MarketEvent:
        """`count` trades made just before `ts_ms`, each eating from the best level of the side that it hits."""
        trades = tuple([self._trade(ts_ms, next(ids)) for _ in range(count)])
        return MarketEvent("trade", self.symbol, ts_ms, trades=trades)

    def ticker_event(self, ts_ms: int) -> MarketEvent:
        """The 24-hour figures; at each call a little of the oldest volume has left the window."""
        self._base_units -= 1
        self._quote_units -= self._last_ticks
        return MarketEvent("ticker", self.symbol, ts_ms, figures=self.figures())

    # Views

    def top(self) -> tuple[Level, Level]:
        """Best bid and best ask of the live book."""
        bids, asks = self.state.bids, self.state.asks
        return self._plain_level(bids.best, bids.levels[bids.keys[0]]), self._plain_level(
            asks.best, asks.levels[asks.keys[0]]
        )

    def pushed_book(self) -> tuple[int, list[Level], list[Level]]:
        """Version, bids and asks, best first, as of the last book update."""
        version = self.state.pushed_version
        if self._cached is None or self._cached[0] != version:
            bids, asks = self.state.bids.pushed(), self.state.asks.pushed()
            self._cached = version, list(self._levels(bids)), list(self._levels(asks))
        return self._cached

    def figures(self) -> Mapping[str, str]:
        """Texts of last, bid, ask, base_volume, quote_volume, high, low and change (percent of the opening price)."""
        prices, quantities = self.listing.price_decimals, self.listing.quantity_decimals
        bid, ask = self.top()
        finer = prices + quantities + _WINDOW_DECIMALS - _QUOTE_DECIMALS
        change = round((self._last_ticks - self._open_ticks) * 1_000_000 / self._open_ticks)
        return {
            "last": decimal_text(self._last_ticks, prices),
            "bid": bid[0],
            "ask": ask[0],
            "base_volume": decimal_text(self._base_units, quantities + _WINDOW_DECIMALS),
            "quote_volume": decimal_text(_scaled(self._quote_units, finer), _QUOTE_DECIMALS),
            "high": decimal_text(self._high_ticks, prices),
            "low": decimal_text(self._low_ticks, prices),
            "change": decimal_text(change, 4),
        }

    # Inside

    def _begin_figures(self) -> None:
        middle = self.listing.price_ticks
        self._open_ticks = int(middle * (0.97 + 0.06 * self._random.random()))
        self._last_ticks = self.state.bids.best
        self._high_ticks = max(int(middle * 1.031), self._open_ticks)
        self._low_ticks = min(int(middle * 0.968), self._open_ticks)
        self._base_units = (50_000 + int(self._random.random() * 9e4)) * self.listing.usual_lots * 10**_WINDOW_DECIMALS
        self._quote_units = self._base_units * middle

    def _fill(self, side: Side) -> None:
        key = side.sign * int(self._anchor) + (1 if side.sign < 0 else 2)
        for _ in range(_LEVELS_START):
            self.state.set(side, key, self._lots())
            key += 1 + int(self._random.expovariate(0.45))

    def _pick_side(self) -> Side:
        return self.state.bids if self._random.random() < 0.5 else self.state.asks

    def _lots(self) -> int:
        return 1000 + int(self._random.expovariate(1 / self.listing.usual_lots))

    def _other_lots(self, lots: int) -> int:
        fresh = self._lots()
        return fresh if fresh != lots else fresh + 1

    def _move(self, side: Side) -> None:
        """Change, remove or add one level, keeping the book deep enough, near the anchor and never crossed."""
        draw = self._random.random()
        if len(side) >= _LEVELS_HIGH or (draw < 0.22 and len(side) > _LEVELS_LOW):
            place = -1 if draw < 0.5 else self._place(side)
            self.state.set(side, side.keys[place], 0)
        elif draw < 0.55 and len(side) > _LEVELS_LOW:
            key = side.keys[self._place(side)]
            self.state.set(side, key, self._other_lots(side.levels[key]))
        else:
            key = self._new_key(side)
            self.state.set(side, key, self._other_lots(side.levels.get(key, 0)))

    def _place(self, side: Side) -> int:
        return min(int(self._random.expovariate(0.15)), len(side) - 1)

    def _new_key(self, side: Side) -> int:
        """Inside the spread when the anchor lies beyond the best price, else somewhere behind it."""
        best, floor = side.keys[0], self.state.floor(side)
        room = best - floor - 1
        wanted = best - side.sign * self._anchor
        if room > 0 and wanted > 0 and self._random.random() < 0.6:
            return best - 1 - int(self._random.random() * min(room, wanted + 1, 40))
        return best + 1 + int(self._random.random() ** 2 * _REACH_TICKS)

    def _trade(self, ts_ms: int, number: int) -> TradeItem:
        hit = self._pick_side()
        key = hit.keys[0]
        price, lots = hit.best, hit.levels[key]
        if self._random.random() < 0.2 and len(hit) > _LEVELS_LOW:
            eaten = lots
        elif lots > 1:
            eaten = 1 + int(self._random.random() ** 2 * (lots - 1))
        else:
            # A last lot in a thin book is refilled first, so that a long run of trades never empties a side.
            self.state.set(hit, key, self._lots())
            eaten = lots
        self.state.set(hit, key, hit.levels[key] - eaten)
        self._count(price, eaten)
        self._last_trade_us = max((ts_ms - 4) * 1000 + int(self._random.random() * 400), self._last_trade_us + 1)
        side = "buy" if hit is self.state.asks else "sell"
        listed = self.listing
        return TradeItem(
            number,
            decimal_text(price, listed.price_decimals),
            decimal_text(eaten, listed.quantity_decimals),
            side,
            self._last_trade_us,
        )

    def _count(self, price: int, lots: int) -> None:
        self._last_ticks = price
        self._high_ticks = max(self._high_ticks, price)
        self._low_ticks = min(self._low_ticks, price)
        self._base_units += lots * 10**_WINDOW_DECIMALS
        self._quote_units += lots * price * 10**_WINDOW_DECIMALS

    def _plain_level(self, ticks: int, lots: int) -> Level:
        return decimal_text(ticks, self.listing.price_decimals), decimal_text(lots, self.listing.quantity_decimals)

    def _levels(self, levels: list[tuple[int, int]]) -> tuple[Level, ...]:
        prices, quantities, padded = self.listing.price_decimals, self.listing.quantity_decimals, self._padded
        return tuple(
            [
                (
                    decimal_text(ticks, prices, padded=padded),
                    decimal_text(lots, quantities, padded=padded) if lots else "0",
                )
                for ticks, lots in levels
            ]
        )
