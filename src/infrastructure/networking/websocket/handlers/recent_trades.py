"""Exactly once: the ids of the last trades of each symbol, so that an exchange's repetition is delivered once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from exchanges.structs.events import TradeEvent

__all__ = ["NumberedTrades", "RecentTrades"]

IdT = TypeVar("IdT", str, int)


class Seen(Generic[IdT]):
    """The highest id of a symbol and its last ones."""

    __slots__ = ("highest", "ids", "note")

    def __init__(self, below_all: IdT, kept: int) -> None:
        self.highest: IdT = below_all
        self.ids: deque[IdT] = deque(maxlen=kept)
        self.note: Callable[[IdT], None] = self.ids.append


class RecentTrades:
    """Trade ids seen lately. An id above the highest so far is new without a search; trades without an id pass."""

    # A repetition comes right behind its frame or after a resubscription; both are far within this many trades.
    KEPT = 512

    __slots__ = ("_by_symbol", "repeated")

    def __init__(self) -> None:
        self.repeated = 0
        self._by_symbol: dict[str, Seen[str]] = {}

    def fresh(self, trades: list[TradeEvent]) -> list[TradeEvent]:
        """The trades, all of one symbol, that were not delivered before, in order."""
        symbol = trades[0].symbol
        seen = self._by_symbol.get(symbol)
        if seen is None:
            seen = self._by_symbol[symbol] = Seen("", self.KEPT)
        last, ids, note = seen.highest, seen.ids, seen.note
        repeated: list[TradeEvent] = []
        for trade in trades:
            trade_id = trade.trade_id
            if trade_id is None:
                continue
            # As text, ids of one length order like numbers; a longer one is higher whatever its digits.
            if (trade_id > last) if len(trade_id) == len(last) else len(trade_id) > len(last):
                last = trade_id
            elif trade_id in ids:
                repeated.append(trade)
                continue
            note(trade_id)
        seen.highest = last
        if not repeated:
            return trades
        self.repeated += len(repeated)
        return [trade for trade in trades if not any(trade is one for one in repeated)]

    def forget(self) -> None:
        """Take every trade for new."""
        self._by_symbol.clear()


class NumberedTrades(RecentTrades):
    """The same for ids that are numbers on the wire, which may be asked for before an event is made.

    `numbers` holds what was seen by symbol: a number above `highest` there is new without asking, and is to be noted.
    """

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, Seen[int]] = {}

    def is_new(self, symbol: str, number: int) -> bool:
        """Whether this trade was not seen before; from now on it was."""
        seen = self.numbers.get(symbol) or self.start(symbol)
        if number > seen.highest:
            seen.highest = number
        elif number in seen.ids:
            self.repeated += 1
            return False
        seen.note(number)
        return True

    def start(self, symbol: str) -> Seen[int]:
        """Remember a symbol's trades from now on."""
        seen = self.numbers[symbol] = Seen(-1, self.KEPT)
        return seen

    def fresh(self, trades: list[TradeEvent]) -> list[TradeEvent]:
        """As for text, of any symbols."""
        return [trade for trade in trades if trade.trade_id is None or self.is_new(trade.symbol, int(trade.trade_id))]

    def forget(self) -> None:
        """Take every trade for new."""
        self.numbers.clear()
