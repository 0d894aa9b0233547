"""Expected and delivered events as keys and 64-bit digests, so that a database can say which ones are equal.

Equal digests of one shape mean that `shadow.diff.canonical.differing` finds nothing. The reverse need not hold: an
event that is equal but spelt in another way has another digest, and the ordinary diff looks at its stream.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from shadow.diff.canonical import FIELDS, OPTIONAL, is_levels
from shadow.diff.keys import KEYS
from shadow.diff.kinds import Kind, bool_kind, int_kind, number_kind, side_kind, text_kind, time_kind
from shadow.reference.events import Book, Event

__all__ = ["Shape", "delivered_digest", "delivered_key", "lacks", "wanted_digest", "wanted_key"]

EXACT_INT: Final = 2**53
"""Whole numbers up to here are float64 without loss."""
PLAIN: Final[dict[Kind, type]] = {bool_kind: bool, int_kind: int, time_kind: int, text_kind: str, side_kind: str}


class Shape(NamedTuple):
    """Which fields a delivered event has, and whether its numbers are decimal texts."""

    names: tuple[str, ...]
    is_text: bool


def delivered_digest(event_type: str, body: dict[str, Any]) -> tuple[Shape, int] | None:
    """Shape and digest of a delivered event; None where only the ordinary diff can tell what it stands for."""
    names: list[str] = []
    values: list[Any] = []
    styles: set[type] = set()
    for name, kind in FIELDS[event_type]:
        value = body.get(name)
        if value is None:
            continue
        if kind is number_kind:
            value = as_number(value, styles)
        elif type(value) is not PLAIN.get(kind):
            return None
        names.append(name)
        values.append(value)
    if event_type == "book":
        values += [as_side(body.get(side), styles) for side in ("bids", "asks")]
    if len(styles) > 1 or not styles <= {float, str}:
        return None
    return Shape(tuple(names), str in styles), digest_of(values)


def wanted_digest(event: Event, shape: Shape) -> int | None:
    """Digest that a delivered event of this shape has when it is equal; None where the wire holds no number."""
    kinds = dict(FIELDS[event.type])
    try:
        values: list[Any] = [
            wire_number(getattr(event, name), shape.is_text) if kinds[name] is number_kind else getattr(event, name)
            for name in shape.names
        ]
        if isinstance(event, Book):
            sides = (event.bids, event.asks) if shape.is_text else event.numbers()
            values += [in_price_order(side) for side in sides]
    except (ValueError, OverflowError):
        return None
    return digest_of(values)


def lacks(event_type: str, shape: Shape, held: set[str]) -> bool:
    """Whether a field is null that a stack has to have, or that this one has elsewhere."""
    absent = {name for name, _ in FIELDS[event_type]} - set(shape.names)
    return not absent <= OPTIONAL[event_type] - held


def delivered_key(event_type: str, body: dict[str, Any]) -> int | None:
    """The exact key of a delivered event; None where it has none."""
    need, _, of_body = KEYS[event_type][0]
    return None if body.get(need) is None else digest_of(of_body(body))


def wanted_key(event: Event) -> int | None:
    """The exact key of an expected event; None where the exchange gives none."""
    need, of_event, _ = KEYS[event.type][0]
    return None if getattr(event, need) is None else digest_of(of_event(event))


def digest_of(value: Any) -> int:
    """64 bits of the value's JSON, signed; the same in every process."""
    try:
        text = orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a text that is no Unicode
        text = repr(value).encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True)


def as_number(value: Any, styles: set[type]) -> Any:
    """A delivered number as it is compared; `styles` learns whether it came as number or as text."""
    kind = type(value)
    if kind is int and -EXACT_INT <= value <= EXACT_INT:
        value, kind = float(value), float
    styles.add(kind)
    return value


def as_side(levels: Any, styles: set[type]) -> Any:
    """A delivered side of a book in order of price; `styles` learns of anything that is no list of levels."""
    if not is_levels(levels):
        styles.add(type(None))
        return None
    read = [[as_number(price, styles), as_number(quantity, styles)] for price, quantity in levels]
    try:
        return in_price_order(read)
    except (ValueError, TypeError):
        styles.add(type(None))
        return None


def in_price_order(levels: list[Any]) -> list[Any]:
    return sorted(levels, key=lambda level: float(level[0]))


def wire_number(wire: str | None, is_text: bool) -> str | float | None:
    return wire if is_text or wire is None else float(wire)
