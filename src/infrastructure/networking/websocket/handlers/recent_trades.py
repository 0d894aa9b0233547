"""Exactly once: the ids of the last trades of each symbol, so that an exchange's repetition is delivered once."""

from __future__ import annotations

from collections import deque

from exchanges.structs.events import TradeEvent

__all__ = ["RecentTrades"]


class RecentTrades:
    """Trade ids seen lately. An id above the highest so far is new without a search; trades without an id pass."""

    # A repetition comes right behind its frame or after a resubscription; both are far within this many trades.
    KEPT = 512

    __slots__ = ("_by_symbol", "repeated")

    def __init__(self) -> None:
        self.repeated = 0
        self._by_symbol: dict[str, tuple[list[str], deque[str]]] = {}

    def fresh(self, trades: list[TradeEvent]) -> list[TradeEvent]:
        """The trades that were not delivered before, in order."""
        kept = [trade for trade in trades if self._is_fresh(trade)]
        self.repeated += len(trades) - len(kept)
        return kept

    def _is_fresh(self, trade: TradeEvent) -> bool:
        trade_id = trade.trade_id
        if trade_id is None:
            return True
        try:
            highest, ids = self._by_symbol[trade.symbol]
        except KeyError:
            highest, ids = self._by_symbol[trade.symbol] = [""], deque(maxlen=self.KEPT)
        # As text, ids of one length order like numbers; a longer one is higher whatever its digits.
        last = highest[0]
        if (trade_id > last) if len(trade_id) == len(last) else len(trade_id) > len(last):
            highest[0] = trade_id
        elif trade_id in ids:
            return False
        ids.append(trade_id)
        return True
