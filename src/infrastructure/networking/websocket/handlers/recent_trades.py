"""Exactly once: the ids of the last trades of each symbol, so that an exchange's repetition is delivered once."""

from __future__ import annotations

from collections import deque

from exchanges.structs.events import TradeEvent

__all__ = ["RecentTrades"]


class _Seen:
    """The highest id of a symbol and its last ones."""

    __slots__ = ("highest", "ids", "note")

    def __init__(self, kept: int) -> None:
        self.highest = ""
        self.ids: deque[str] = deque(maxlen=kept)
        self.note = self.ids.append


class RecentTrades:
    """Trade ids seen lately. An id above the highest so far is new without a search; trades without an id pass."""

    # A repetition comes right behind its frame or after a resubscription; both are far within this many trades.
    KEPT = 512

    __slots__ = ("_by_symbol", "repeated")

    def __init__(self) -> None:
        self.repeated = 0
        self._by_symbol: dict[str, _Seen] = {}

    def fresh(self, trades: list[TradeEvent]) -> list[TradeEvent]:
        """The trades, all of one symbol, that were not delivered before, in order."""
        symbol = trades[0].symbol
        seen = self._by_symbol.get(symbol)
        if seen is None:
            seen = self._by_symbol[symbol] = _Seen(self.KEPT)
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
