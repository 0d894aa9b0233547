"""Exactly once: the ids of the last trades of each symbol, so that an exchange's repetition is delivered once."""

from __future__ import annotations

from collections import deque

from exchanges.structs.events import TradeEvent

__all__ = ["RecentTrades"]


class _Seen:
    """The highest id of a symbol and its last ones."""

    __slots__ = ("highest", "ids")

    def __init__(self, kept: int) -> None:
        self.highest = ""
        self.ids: deque[str] = deque(maxlen=kept)


class RecentTrades:
    """Trade ids seen lately. An id above the highest so far is new without a search; trades without an id pass."""

    # A repetition comes right behind its frame or after a resubscription; both are far within this many trades.
    KEPT = 512

    __slots__ = ("_by_symbol", "repeated")

    def __init__(self) -> None:
        self.repeated = 0
        self._by_symbol: dict[str, _Seen] = {}

    def fresh(self, trades: list[TradeEvent]) -> list[TradeEvent]:
        """The trades that were not delivered before, in order."""
        by_symbol = self._by_symbol
        repeated: list[int] = []
        for place, trade in enumerate(trades):
            trade_id = trade.trade_id
            if trade_id is None:
                continue
            seen = by_symbol.get(trade.symbol)
            if seen is None:
                seen = by_symbol[trade.symbol] = _Seen(self.KEPT)
            # As text, ids of one length order like numbers; a longer one is higher whatever its digits.
            last = seen.highest
            if (trade_id > last) if len(trade_id) == len(last) else len(trade_id) > len(last):
                seen.highest = trade_id
            elif trade_id in seen.ids:
                repeated.append(place)
                continue
            seen.ids.append(trade_id)
        if not repeated:
            return trades
        self.repeated += len(repeated)
        return [trade for place, trade in enumerate(trades) if place not in repeated]

    def forget(self) -> None:
        """Take every trade for new."""
        self._by_symbol.clear()
