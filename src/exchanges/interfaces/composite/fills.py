"""The fills of an account, each once whoever told it, and since when some may be missing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Protocol

from exchanges.structs.errors import ExchangeRestError
from exchanges.structs.types import Fill, Symbol

__all__ = ["FetchFills", "FillStep", "Fills"]


class FetchFills(Protocol):
    """The REST side of an account."""

    async def fills(self, symbols: Sequence[Symbol], since_ms: int) -> list[Fill]:
        """The fills from `since_ms` on (exchange time), of these symbols at least; ExchangeRestError."""


class Fills:
    """By symbol and id. The last `kept` can be looked at; those that may be told again are remembered beyond that.

    All is known up to some moment: the first confirmation, the newest push while nothing is missing, the last question
    that was answered. A lost connection opens a gap from there on, and only a whole answer closes it.
    """

    # Fills of different symbols overtake each other, and our clock and the exchange's differ by a minute at most.
    MARGIN_MS = 60_000
    # A push and an answer may differ in how they cut a fill's time; and what was made in the second before the first
    # connection may be told.
    SLACK_MS = 1000
    # Remembered while nobody answers; of what is forgotten no answer is taken any more.
    REMEMBERED_MOST = 100_000

    def __init__(self, kept: int, *, is_asked_for: bool, now: Callable[[], float] = time.time) -> None:
        """`is_asked_for` where REST may tell a fill again; `now` gives seconds since the epoch."""
        self.repeated = 0
        self.gap_since_ms: int | None = None
        """Since when fills may be missing, in ms of exchange time; None where none may."""
        self._kept = kept
        self._is_asked_for = is_asked_for
        self._now = now
        self._fills: dict[tuple[Symbol, str], Fill] = {}
        self._first_ms: int | None = None
        self._whole_to_ms = 0
        self._had_gap = False
        self._forgotten_ms = 0
        self._untellable = 0

    def take(self, fill: Fill) -> bool:
        """Take what was pushed; False for a repetition."""
        if self.gap_since_ms is None:
            self._whole_to_ms = max(self._whole_to_ms, fill.timestamp)
        return self._take(fill)

    def take_answer(self, fill: Fill) -> bool:
        """Take what REST said; False for a repetition, and for what is too old to know whether it is one."""
        if fill.timestamp <= self._forgotten_ms and (fill.symbol, fill.id) not in self._fills:
            self._untellable += 1
            return False
        return self._take(fill)

    def begin(self) -> None:
        """A connection stands. What was before the first one is nobody's hole."""
        if self._first_ms is None:
            self._first_ms = self._whole_to_ms = self.now_ms()

    def lose(self) -> None:
        """The connection is lost: from now on fills may be missing."""
        if self._first_ms is not None:
            self._had_gap = True
            self._open_gap()

    def ask(self) -> int | None:
        """From when on to ask; None where nothing was ever missed.

        The gap stays open until the answer came. Each confirmation asks anew, since no channel tells what was before
        its own.
        """
        if not self._had_gap or self._first_ms is None:
            return None
        return max(self._open_gap() - self.MARGIN_MS, self._first_ms - self.SLACK_MS)

    def close_gap(self, asked_ms: int) -> int:
        """All fills up to the question have been told, but for so many that nobody can know of."""
        self.gap_since_ms = None
        self._whole_to_ms = max(self._whole_to_ms, asked_ms)
        untellable, self._untellable = self._untellable, 0
        return untellable

    def now_ms(self) -> int:
        """The time by our clock."""
        return int(self._now() * 1000)

    def all(self, order_id: str | None = None) -> list[Fill]:
        """The last ones, of one order or of all, oldest first."""
        last = list(self._fills.values())[max(0, len(self._fills) - self._kept) :]
        return sorted((one for one in last if order_id in (None, one.order_id)), key=attrgetter("timestamp"))

    def metrics(self) -> dict[str, int]:
        """Fills that can be looked at, and repetitions."""
        return {"kept": min(len(self._fills), self._kept), "repeated": self.repeated}

    def _take(self, fill: Fill) -> bool:
        key = fill.symbol, fill.id
        if key in self._fills:
            self.repeated += 1
            return False
        self._fills[key] = fill
        self._forget()
        return True

    def _forget(self) -> None:
        """What nobody can look at any more, and REST will not tell again."""
        known_ms = self._whole_to_ms if self.gap_since_ms is None else self.gap_since_ms
        while len(self._fills) > self._kept:
            oldest = next(iter(self._fills))
            told_ms = self._fills[oldest].timestamp
            if self._is_asked_for and told_ms >= known_ms - self.MARGIN_MS - self.SLACK_MS:
                if len(self._fills) <= max(self._kept, self.REMEMBERED_MOST):
                    return
                self._forgotten_ms = max(self._forgotten_ms, told_ms)
            del self._fills[oldest]

    def _open_gap(self) -> int:
        if self.gap_since_ms is None:
            self.gap_since_ms = self._whole_to_ms
        return self.gap_since_ms


class FillStep:
    """The part of a look that asks for the fills of a gap."""

    kind = "fills"

    def __init__(self, fetch: FetchFills, fills: Fills, take: Callable[[Fill], Awaitable[None]]) -> None:
        """`take` takes an answer and calls back."""
        self.looks = 0
        self._fetch = fetch
        self._fills = fills
        self._take = take

    async def take_all(self, symbols: Sequence[Symbol], is_over: Callable[[], bool]) -> None:
        """Oldest first; the gap is closed when all were taken."""
        asked_ms, since_ms = self._fills.now_ms(), self._fills.ask()
        if since_ms is None:
            return
        answer = await self._fetch.fills(symbols, since_ms)
        for fill in sorted(answer, key=attrgetter("timestamp")):
            if fill.timestamp >= since_ms:
                await self._take(fill)
            if is_over():
                return
        if untellable := self._fills.close_gap(asked_ms):
            raise ExchangeRestError(400, f"{untellable} fills are too old to know whether they were told before")

    def metrics(self) -> dict[str, int]:
        """Looks."""
        return {"looks": self.looks}
