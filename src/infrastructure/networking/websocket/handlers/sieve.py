"""Exactly once while one connection takes over from another: the second's copies of what the first delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar

from exchanges.structs.events import BookTickerEvent, BookUpdate, TickerEvent

__all__ = ["BALANCE", "FILL", "ORDER", "POSITION", "TRADE", "Key", "Sieve"]

T = TypeVar("T")
LastValue = TypeVar("LastValue", BookTickerEvent, TickerEvent)
Key = Callable[[Any], Any]

# An order's state without its time, which is when it was sent: either connection has its own.
ORDER: Final[Key] = attrgetter("symbol", "id", "status", "price", "quantity", "filled", "average_price")
FILL: Final[Key] = attrgetter("symbol", "id", "order_id")
BALANCE: Final[Key] = attrgetter("asset", "symbol", "free", "locked", "timestamp")
POSITION: Final[Key] = attrgetter("symbol", "mode", "size", "entry_price", "leverage", "timestamp")
TRADE: Final[Key] = attrgetter("symbol", "trade_id", "timestamp", "price", "quantity", "side")

_BEST = attrgetter("bid_price", "bid_quantity", "ask_price", "ask_quantity")
_FIGURES = attrgetter("last", "base_volume", "quote_volume", "high", "low")


class Sieve:
    """Stands in front of the consumer's callbacks: first it notes what passes, with `is_sifting` it keeps copies back.

    It has to stand there before the second connection asks for anything. Then all that the two have in common was
    noted, if the first delivered it; whatever else the second brings is new.
    """

    # Two gateways send one push at times that differ by less than this, and no two of one channel come as fast.
    SKEW_MS = 100

    def __init__(self) -> None:
        self.is_sifting = False
        self.copies = 0
        self._versions: dict[str, int] = {}
        self._newest: dict[tuple[type, str], list[Any]] = {}
        self._noted: dict[Key, Counter[Any]] = {}

    def books(self, call_back: Callable[[BookUpdate], None]) -> Callable[[BookUpdate], None]:
        """Updates by version: those that end above the last one noted pass. Whole books always do."""
        versions = self._versions

        def take(update: BookUpdate) -> None:
            last = update.last
            if last is not None and not update.is_snapshot:
                noted = versions.get(update.symbol, -1)
                if not self.is_sifting:
                    versions[update.symbol] = max(noted, last)
                elif last <= noted:
                    self.copies += 1
                    return
            call_back(update)

        return take

    def last_values(self, call_back: Callable[[LastValue], None]) -> Callable[[LastValue], None]:
        """What holds until the next one: nothing from before the newest one noted, and that one not again."""

        def take(event: LastValue) -> None:
            if not self.is_sifting:
                self._note(event)
            elif self._is_old(event):
                self.copies += 1
                return
            call_back(event)

        return take

    def lists(self, key: Key, call_back: Callable[[list[T]], None]) -> Callable[[list[T]], None]:
        """Each event as often as it was noted is a copy."""
        noted = self._noted.setdefault(key, Counter())

        def is_copy(event: T) -> bool:
            name = key(event)
            if not noted[name]:
                return False
            noted[name] -= 1
            self.copies += 1
            return True

        def take(events: list[T]) -> None:
            if not self.is_sifting:
                noted.update(map(key, events))
            elif not (events := [event for event in events if not is_copy(event)]):
                return
            call_back(events)

        return take

    def _note(self, event: LastValue) -> None:
        """Keep the newest event of a symbol, with those that are just as new."""
        name = type(event), event.symbol
        noted = self._newest.get(name)
        if noted is None or (ahead := _ahead(event, noted[0])) > 0:
            self._newest[name] = [event]
        elif ahead == 0:
            noted.append(event)

    def _is_old(self, event: LastValue) -> bool:
        noted = self._newest.get((type(event), event.symbol))
        if noted is None:
            return False
        ahead = _ahead(event, noted[0])
        if ahead < 0:
            return True
        # Versions are the same on every connection, times are not.
        within = 0 if _version(event) is not None else self.SKEW_MS
        return ahead <= within and any(_content(event) == _content(one) for one in noted)


def _ahead(event: LastValue, other: LastValue) -> int:
    """How much later an event is than another: in versions where both have one, else in milliseconds."""
    version, before = _version(event), _version(other)
    if version is not None and before is not None:
        return version - before
    return (event.timestamp or 0) - (other.timestamp or 0)


def _version(event: BookTickerEvent | TickerEvent) -> int | None:
    return event.update_id if isinstance(event, BookTickerEvent) else None


def _content(event: BookTickerEvent | TickerEvent) -> Any:
    return _BEST(event) if isinstance(event, BookTickerEvent) else _FIGURES(event)
