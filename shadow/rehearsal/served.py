"""What one stream owed the consumer, and what it got: lost, doubled, reordered, altered, invented.

Both arrive over pipes of their own, so that a delivered event may be known before it is owed: it waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shadow.diff.canonical import body_key, content_key, differing
from shadow.reference.events import Event

__all__ = ["WAIT_NS", "Counts", "Stream"]

WAIT_NS: Final = 1_000_000_000
"""How much later than a delivery the ledger has to be known for an event that is not in it never to have been sent."""
VERSION: Final = {"book": "last", "trade": "id", "book_ticker": "seq"}

Found = Literal["doubled", "reordered", "altered", "invented"]


@dataclass
class Counts:
    """Events of a stream: owed and delivered, and what was wrong; `first` says the first thing of each kind."""

    owed: int = 0
    delivered: int = 0
    doubled: int = 0
    reordered: int = 0
    altered: int = 0
    invented: int = 0
    first: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """What cannot be undone by waiting."""
        return self.doubled + self.reordered + self.altered + self.invented


class Stream:
    """Events of one connection, type and symbol; `is_versioned` from its first owed event on.

    Without versions events are told apart by content, and no order is asked for.
    """

    def __init__(self, event_type: str) -> None:
        self.type = event_type
        self.is_versioned = False
        self.counts = Counts()
        self._owed: dict[Hashable, deque[tuple[int, Event, int]]] = {}
        self._done: set[Hashable] = set()
        self._last = -1
        self._written_off = 0
        self._waiting: deque[tuple[int, Hashable, dict[str, Any]]] = deque()

    def owe(self, event: Event, t_sent: int) -> None:
        """The venue sent it; times in ns."""
        if not self.counts.owed:
            self.is_versioned = has_version(event)
        key = owed_key(event) if self.is_versioned else content_key(event)
        self._owed.setdefault(key, deque()).append((self.counts.owed, event, t_sent))
        self.counts.owed += 1
        self._catch_up(t_sent)

    def give(self, body: dict[str, Any], t: int) -> None:
        """The consumer delivered it."""
        self._waiting.append((t, self._given_key(body), body))
        self._catch_up(t)

    def lost(self) -> int:
        """Owed and not delivered so far."""
        return self._written_off + sum(map(len, self._owed.values()))

    def write_off(self) -> None:
        """What is missing now stays lost, and is missed no more."""
        self._written_off = self.lost()
        self._done.update(self._owed)
        self._owed.clear()

    def overdue_ns(self, now: int) -> int:
        """For how long the longest missing event has been, as of `now`; 0 where none is."""
        oldest = next(iter(self._owed.values()), None)
        return 0 if oldest is None else now - oldest[0][2]

    def hole_ns(self, now: int) -> int:
        """The same of an event behind which later ones were delivered; 0 where that is not so."""
        oldest = next(iter(self._owed.values()), None)
        return 0 if oldest is None or oldest[0][0] > self._last else now - oldest[0][2]

    def is_settled(self, ledger_ns: int) -> bool:
        """Whether nothing is missing, and nothing waits for its place in the ledger, known up to then."""
        self._catch_up(ledger_ns)
        return not self._owed and not self._waiting

    def _given_key(self, body: dict[str, Any]) -> Hashable:
        if self.counts.owed and not self.is_versioned:
            return body_key(body, self.type)
        return str(body.get(VERSION.get(self.type, "")))

    def _catch_up(self, now: int) -> None:
        """Take what is owed by now, in the order of delivery; what is not owed well before then never was."""
        ahead: deque[tuple[int, Hashable, dict[str, Any]]] = deque()
        while self._waiting:
            since, key, body = self._waiting.popleft()
            key = key if self.is_versioned else self._given_key(body)
            if key in self._owed:
                self._take(key, body)
            elif key in self._done and self.is_versioned:
                if not self._is_whole_book(body):
                    self._find("doubled", body, key)
            elif now - since < WAIT_NS:
                ahead.append((since, key, body))
                if self.is_versioned:
                    break
            elif not self._is_whole_book(body):
                self._find("doubled" if key in self._done else "invented", body, key)
        self._waiting.extendleft(reversed(ahead))

    def _is_whole_book(self, body: dict[str, Any]) -> bool:
        """A book that a stack rebuilt, behind a break for example: it says again how things stand, at any version."""
        return self.type == "book" and body.get("snapshot") is True

    def _take(self, key: Hashable, body: dict[str, Any]) -> None:
        place, event, _ = self._owed[key].popleft()
        if not self._owed[key]:
            del self._owed[key]
        self._done.add(key)
        self.counts.delivered += 1
        if place < self._last and self.is_versioned:
            self._find("reordered", body, key)
        self._last = max(self._last, place)
        path = differing(event, body)
        if path is not None:
            self._find("altered", body, f"{key} {path}")

    def _find(self, kind: Found, body: dict[str, Any], what: Hashable) -> None:
        setattr(self.counts, kind, getattr(self.counts, kind) + 1)
        self.counts.first.setdefault(kind, f"{body.get('c')} {self.type} {body.get('symbol')}: {what}"[:200])


def has_version(event: Event) -> bool:
    """Whether the exchange numbers such events; ids of trades count where they ascend as numbers."""
    version = getattr(event, VERSION.get(event.type, ""), None)
    return version is not None and str(version).isdecimal()


def owed_key(event: Event) -> Hashable:
    """The version as text, as delivered ids come."""
    return str(getattr(event, VERSION[event.type]))
