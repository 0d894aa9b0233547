"""Which delivered event is which expected one: exact keys where the exchange gives them, values where it does not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

from shadow.diff.canonical import body_key, content_key, differing, number_key
from shadow.diff.forms import Form, InStep
from shadow.reference.events import Event

__all__ = ["KeyIndex"]

Key = Any
OfEvent = Callable[[Any], Key]
OfBody = Callable[[dict[str, Any]], Key]
LOOKS: Final = 16
"""How many events of one key are looked at for one that is free."""


def trade_values(event: Any) -> Key:
    return event.ts, number_key(event.price), number_key(event.quantity), event.side


def trade_body(body: dict[str, Any]) -> Key:
    names = ("price", "quantity")
    return (whole(body.get("ts")), *(number_key(body.get(name)) for name in names), whole(body.get("side")))


def whole(number: Any) -> Key:
    """A version, a time or a word as a key; a list or the like becomes text."""
    return number if number is None or isinstance(number, (int, float, str)) else str(number)


def content_of(event_type: str) -> OfBody:
    return lambda body: body_key(body, event_type)


KEYS: Final[dict[str, tuple[tuple[str, OfEvent, OfBody], ...]]] = {
    "book": (
        ("last", lambda e: (e.last, e.snapshot), lambda b: (whole(b["last"]), b.get("snapshot") is True)),
        ("", content_key, content_of("book")),
    ),
    "trade": (
        ("id", lambda e: e.id, lambda b: str(b["id"])),
        ("ts", trade_values, trade_body),
        ("", lambda e: trade_values(e)[1:], lambda b: trade_body(b)[1:]),
    ),
    "book_ticker": (
        ("seq", lambda e: e.seq, lambda b: whole(b["seq"])),
        ("ts", lambda e: (e.ts, content_key(e)), lambda b: (whole(b["ts"]), body_key(b, "book_ticker"))),
        ("", content_key, content_of("book_ticker")),
    ),
    "ticker": (
        (
            "base_volume",
            lambda e: (number_key(e.last), number_key(e.base_volume)),
            lambda b: (number_key(b.get("last")), number_key(b["base_volume"])),
        ),
        ("", lambda e: number_key(e.last), lambda b: number_key(b.get("last"))),
    ),
}
"""Per type, best first: the field that must be there on both sides (`""` none), key of an expected, of a delivered."""


class KeyIndex:
    """The expected events of one stream by key, each handed out once; indexes are built when first asked.

    `used` marks those that are taken from the begin.
    """

    def __init__(
        self, event_type: str, events: Sequence[Event], forms: Sequence[Form | None], used: bytearray | None = None
    ) -> None:
        self.events = events
        self.kinds = KEYS[event_type]
        self.used = bytearray(len(events)) if used is None else used
        self.in_step = InStep(event_type, forms, self.used)
        self.indexes: dict[int, dict[Key, deque[int]]] = {}

    def take(self, body: dict[str, Any]) -> tuple[int, int]:
        """(index of the expected event, -1) for a delivered one; (-1, index of its taken twin) for a repeated one.

        (-1, -1) when nothing like it was expected.
        """
        expected = self.in_step.take(body)
        if expected >= 0:
            return expected, -1
        for place, (need, _, of_body) in enumerate(self.kinds):
            if need and body.get(need) is None:
                continue
            waiting = self.index(place).get(of_body(body))
            if waiting is None:
                if need and self.keyed(place):
                    return -1, -1
                continue
            return self.pick(waiting, body)
        return -1, -1

    def keyed(self, place: int) -> bool:
        """Whether the exchange gave this key on the stream at all."""
        need = self.kinds[place][0]
        return any(getattr(event, need, None) is not None for event in self.events[:8])

    def pick(self, waiting: deque[int], body: dict[str, Any]) -> tuple[int, int]:
        """Among events of one key the first free one, preferring one that is equal in all fields."""
        while len(waiting) > 1 and self.used[waiting[0]]:
            waiting.popleft()
        free = [i for i in islice(waiting, LOOKS) if not self.used[i]]
        if not free:
            return -1, waiting[0]
        best = free[0]
        if len(free) > 1:
            best = next((i for i in free if differing(self.events[i], body) is None), best)
        if self.wrong_range(best, body):
            return -1, -1
        self.used[best] = 1
        return best, -1

    def wrong_range(self, i: int, body: dict[str, Any]) -> bool:
        """Whether a book update names another first version: then the key (first, last) is another."""
        given, event = body.get("first"), self.events[i]
        first = getattr(event, "first", None)
        return given is not None and first is not None and given != first

    def index(self, place: int) -> dict[Key, deque[int]]:
        """Key to expected events in order, for one kind of key."""
        if place not in self.indexes:
            need, of_event, _ = self.kinds[place]
            found: dict[Key, deque[int]] = {}
            for i, event in enumerate(self.events):
                if not need or getattr(event, need) is not None:
                    found.setdefault(of_event(event), deque()).append(i)
            self.indexes[place] = found
        return self.indexes[place]
