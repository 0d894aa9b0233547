"""The canonical form of an expected event, worked out once for all sides that it was sent to.

A delivered event whose fields are that form stands for the expected one. Only where they are not, for another spelling
or a mismatch, the fields are compared one by one (`canonical.differing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from shadow.diff.canonical import FIELDS, number_key
from shadow.diff.kinds import EXACT_DIGITS, number_kind
from shadow.reference.events import Book, Event, Levels

__all__ = ["Form", "InStep", "form_of", "is_form"]

BESIDE: Final = ("first", "snapshot")
"""Fields of a book that no stack is held to: null stands for either."""
NAMES: Final = {
    event_type: tuple(name for name, _ in fields if name not in BESIDE) for event_type, fields in FIELDS.items()
}
"""Per type the fields whose values make the form; a book's levels and what is BESIDE are looked at besides."""
NUMBERS: Final = {
    event_type: frozenset(name for name, kind in fields if kind is number_kind) for event_type, fields in FIELDS.items()
}
FLAGS: Final = frozenset({bool})
"""Python takes true for 1; a mismatch of type is what it is."""


class Form(msgspec.Struct, gc=False, frozen=True):
    """`values` in the order of NAMES, numbers as the nearest float64; `is_long` where one may not be exact as such."""

    values: tuple[Any, ...]
    is_long: bool
    book: Book | None = None


def form_of(event: Event) -> Form:
    """An event's form."""
    numbers = NUMBERS[event.type]
    values: list[Any] = []
    is_long = False
    for name in NAMES[event.type]:
        value = getattr(event, name)
        if name in numbers and value is not None:
            is_long = is_long or len(value) > EXACT_DIGITS
            value = number_key(value)
        values.append(value)
    if isinstance(event, Book):
        return Form(tuple(values), has_long(event.bids) or has_long(event.asks), event)
    return Form(tuple(values), is_long)


def has_long(levels: Levels) -> bool:
    return any(len(price) > EXACT_DIGITS or len(quantity) > EXACT_DIGITS for price, quantity in levels)


def is_form(form: Form, event_type: str, body: dict[str, Any]) -> bool:
    """Whether a delivered body is the form; False says only that it has to be looked at more closely."""
    read = body.get
    given = tuple(map(read, NAMES[event_type]))
    if given != form.values or not FLAGS.isdisjoint(map(type, given)):
        return False
    book = form.book
    if book is None:
        return True
    return is_book(book, read)


def is_book(book: Book, read: Callable[[str], Any]) -> bool:
    """Whether what stands beside a book's form is the book's: its first version, its kind, all levels in order."""
    first, is_whole = read("first"), read("snapshot")
    if first is not None and (first != book.first or isinstance(first, bool)):
        return False
    if is_whole is not book.snapshot and (is_whole is not None or book.snapshot):
        return False
    bids, asks = book.numbers()
    return bool(read("bids") == bids and read("asks") == asks)


class InStep:
    """Takes the first expected event that is free, if a delivered one is its form: what came in order needs no key.

    No key could lead to another one: events before it are taken, and of equal ones the first that is free comes first.
    `used` marks what is taken and is shared with whoever looks for the others; `forms` of all events or of none.
    """

    def __init__(self, event_type: str, forms: Sequence[Form | None], used: bytearray) -> None:
        self.event_type, self.forms, self.used = event_type, forms, used
        self.first = 0

    def take(self, body: dict[str, Any]) -> int:
        """The event's index, or -1 where it has to be looked for."""
        first, used = self.first, self.used
        while first < len(used) and used[first]:
            first += 1
        self.first = first
        if first < len(used):
            form = self.forms[first]
            if form is not None and is_form(form, self.event_type, body):
                used[first] = 1
                return first
        return -1
