"""The arbiter of streams without versions: what one side delivered is matched with its copy from the other.

Each item has a key. Where keys are unique (an order's update, a fill) matching is exact within its window. Where they
are the content itself (tickers) equal content is told apart by number alone: the residual risk of a flip, counted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from infrastructure.networking.websocket.migration.event import Event, Limits, Side
from infrastructure.networking.websocket.migration.move import Mover

__all__ = ["MatchingArbiter", "MatchingCounts"]

MAX_STATES = 10_000
MAX_SEEN = 50_000


@dataclass(slots=True)
class MatchingCounts:
    """`at_risk`: items at a flip whose key stood more than once in the window, so that a wrong copy may have matched.

    `only_standby`: items that the standby alone delivered and that no flip came to use. `unmatched`: items of the
    serving side without a copy within the window. `outdated`: states older than one delivered already.
    """

    suppressed: int = 0
    only_standby: int = 0
    unmatched: int = 0
    at_risk: int = 0
    outdated: int = 0


@dataclass(slots=True, eq=False)
class Waiting:
    """An event in a ring, with the indexes of its items that have no copy yet."""

    arrived: float
    event: Event
    live: dict[int, None]


@dataclass(slots=True)
class SideBook:
    """One side: its ring with an index by key, and what the consumer has that this side still has to deliver."""

    ring: deque[Waiting] = field(default_factory=deque)
    by_key: dict[Hashable, deque[tuple[Waiting, int]]] = field(default_factory=dict)
    owes: dict[Hashable, deque[float]] = field(default_factory=dict)
    owed_order: deque[tuple[float, Hashable]] = field(default_factory=deque)
    size: int = 0

    def push(self, entry: Waiting) -> None:
        """Append an event whose live items have no copy yet."""
        self.ring.append(entry)
        self.size += entry.event.size
        for index in entry.live:
            self.by_key.setdefault(entry.event.parts[index], deque()).append((entry, index))

    def shift(self) -> Waiting:
        """Take the oldest event out."""
        entry = self.ring.popleft()
        self.size -= entry.event.size
        for index in entry.live:
            self._forget(entry.event.parts[index])
        return entry

    def _forget(self, key: Hashable) -> tuple[Waiting, int]:
        found = self.by_key[key]
        oldest = found.popleft()
        if not found:
            del self.by_key[key]
        return oldest

    def match(self, key: Hashable) -> bool:
        """Strike the oldest item with this key; False when there is none."""
        if key not in self.by_key:
            return False
        entry, index = self._forget(key)
        del entry.live[index]
        return True

    def owe(self, key: Hashable, now: float) -> None:
        """The consumer has it; this side's copy is to be dropped."""
        self.owes.setdefault(key, deque()).append(now)
        self.owed_order.append((now, key))

    def pay(self, key: Hashable) -> bool:
        """Whether a copy was expected, which it is no longer."""
        due = self.owes.get(key)
        if not due:
            return False
        due.popleft()
        if not due:
            del self.owes[key]
        return True

    def expire_owed(self, before: float) -> int:
        """Expect no copy of what was delivered earlier than this; how many never came."""
        expired = 0
        while self.owed_order and self.owed_order[0][0] < before:
            at, key = self.owed_order.popleft()
            due = self.owes.get(key)
            if due and due[0] <= at:
                expired += self.pay(key)
        return expired


class MatchingArbiter(Mover):
    """One stream without versions; keys and ranks of the items come with the events.

    `is_unique`: a key never comes twice by right, so that whatever was delivered once is never delivered again.
    """

    def __init__(self, serving: Side, *, is_unique: bool = False, limits: Limits | None = None) -> None:
        super().__init__(serving, limits or Limits())
        self.is_unique = is_unique
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self.counts = MatchingCounts()
        self._books = {side: SideBook() for side in Side}
        self._last_taken: float | None = None
        self._states: OrderedDict[Hashable, Any] = OrderedDict()

    def offer(self, side: Side, event: Event, now: float) -> None:
        """A side delivered an event; items whose copy the consumer has are dropped."""
        self._expire(now)
        event.side = side
        book = self._books[side]
        live = {index: None for index, key in enumerate(event.parts) if not self._is_copy(book, event, index, key)}
        self.counts.suppressed += (len(event.parts) - len(live)) * (side is self.serving)
        if live:
            book.push(Waiting(now, event, live))
        if side is not self.serving:
            while book.size > self.limits.ring_bytes and len(book.ring) > 1:
                self.counts.only_standby += len(book.shift().live)

    def _is_copy(self, book: SideBook, event: Event, index: int, key: Hashable) -> bool:
        is_paid = book.pay(key)
        if self.is_unique:
            return is_paid or key in self._seen or key in book.by_key or key in event.parts[:index]
        return is_paid

    @property
    def backlog(self) -> int:
        """How many events of the serving side wait for the consumer."""
        return len(self._books[self.serving].ring)

    @property
    def is_settled(self) -> bool:
        """Whether the serving side's next event would go out at once and alone."""
        mine = self._books[self.serving]
        # What the other side gave the consumer may still come from this one, to be dropped.
        return not (self.is_in_flight or self._move or mine.ring or mine.owes)

    @property
    def is_starved(self) -> bool:
        """Whether the other side has items without a copy, and the serving one has nothing to give."""
        mine, other = self._books[self.serving], self._books[self.serving.other]
        return not (self.is_in_flight or mine.ring) and any(entry.live for entry in other.ring)

    def _expire(self, now: float) -> None:
        expected_since = now - self.limits.window_s
        self.counts.unmatched += sum(book.expire_owed(expected_since) for book in self._books.values())
        # While the serving side is silent nothing says that it lost what the other one has.
        before = now - self.limits.spare_s
        if not self.is_unique and self._last_taken is not None:
            before = max(before, self._last_taken - self.limits.window_s)
        standby = self._books[self.serving.other]
        while standby.ring and (standby.ring[0].arrived < before or not standby.ring[0].live):
            self.counts.only_standby += len(standby.shift().live)

    def _choose(self, now: float) -> Event | None:
        mine, other = self._books[self.serving], self._books[self.serving.other]
        while mine.ring:
            entry = mine.shift()
            for index in entry.live:
                self._note_delivered(other, entry.event.parts[index], now)
            wanted = [index for index in entry.live if self._is_newest(entry.event, index)]
            if wanted:
                self._last_taken = now
                whole = len(wanted) == len(entry.event.parts)
                return entry.event if whole else entry.event.keep(wanted)
        return None

    def _note_delivered(self, other: SideBook, key: Hashable, now: float) -> None:
        is_matched = other.match(key)
        if self.is_unique:
            self._seen[key] = None
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
        if not is_matched:
            other.owe(key, now)

    def _is_newest(self, event: Event, index: int) -> bool:
        """Whether the item is no older state of a thing than the consumer has."""
        if not event.ranks:
            return True
        thing, rank = event.ranks[index]
        known = self._states.get(thing)
        if known is not None and rank < known:
            self.counts.outdated += 1
            return False
        self._states[thing] = rank
        self._states.move_to_end(thing)
        if len(self._states) > MAX_STATES:
            self._states.popitem(last=False)
        return True

    def _unready(self, to: Side) -> str | None:
        return None

    def _on_cut(self) -> None:
        for book in self._books.values():
            self.counts.at_risk += sum(len(due) for due in book.owes.values() if len(due) > 1)
            self.counts.at_risk += sum(len(found) for found in book.by_key.values() if len(found) > 1)
