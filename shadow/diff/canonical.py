"""Expected against delivered, field by field, by value and not by spelling.

Prices and quantities may come as decimal strings (exact) or JSON numbers (equal to the float64 nearest to the wire
value). A mismatch is named `path:kind`, kind one of value, precision, unit, sign, side, type, null, time source.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from shadow.diff.kinds import (
    EXACT_DIGITS,
    Kind,
    asset_kind,
    bool_kind,
    int_kind,
    number_kind,
    side_kind,
    text_kind,
    time_kind,
)
from shadow.reference.events import Book, Event, Levels

__all__ = ["FIELDS", "OPTIONAL", "body_key", "content_key", "differing", "is_rounded", "same_levels"]

FIELDS: Final[dict[str, tuple[tuple[str, Kind], ...]]] = {
    "book": (("first", int_kind), ("last", int_kind), ("snapshot", bool_kind), ("ts", time_kind)),
    "trade": (
        ("side", side_kind),
        ("price", number_kind),
        ("quantity", number_kind),
        ("id", text_kind),
        ("ts", time_kind),
    ),
    "book_ticker": (
        ("bid", number_kind),
        ("bid_quantity", number_kind),
        ("ask", number_kind),
        ("ask_quantity", number_kind),
        ("seq", int_kind),
        ("ts", time_kind),
    ),
    "ticker": (
        ("last", number_kind),
        ("bid", number_kind),
        ("ask", number_kind),
        ("base_volume", number_kind),
        ("quote_volume", number_kind),
        ("high", number_kind),
        ("low", number_kind),
        ("ts", time_kind),
    ),
    "order": (
        ("status", text_kind),
        ("side", side_kind),
        ("kind", text_kind),
        ("price", number_kind),
        ("quantity", number_kind),
        ("filled", number_kind),
        ("average_price", number_kind),
        ("id", text_kind),
        ("client_id", text_kind),
        ("ts", time_kind),
    ),
    "fill": (
        ("side", side_kind),
        ("price", number_kind),
        ("quantity", number_kind),
        ("fee", number_kind),
        ("fee_asset", asset_kind),
        ("role", text_kind),
        ("id", text_kind),
        ("order_id", text_kind),
        ("ts", time_kind),
    ),
    "balance": (("asset", asset_kind), ("free", number_kind), ("locked", number_kind), ("ts", time_kind)),
    "position": (
        ("size", number_kind),
        ("entry_price", number_kind),
        ("mode", text_kind),
        ("leverage", number_kind),
        ("margin", number_kind),
        ("realised_pnl", number_kind),
        ("ts", time_kind),
    ),
}
"""Per type the fields compared one by one; a book's levels are compared by `same_levels` and `levels_path`."""

OPTIONAL: Final[dict[str, frozenset[str]]] = {
    "book": frozenset({"first", "last", "snapshot", "ts"}),
    "trade": frozenset({"id", "ts"}),
    "book_ticker": frozenset({"seq", "ts"}),
    "ticker": frozenset({"bid", "ask", "base_volume", "quote_volume", "high", "low", "ts"}),
    "order": frozenset({"client_id", "kind", "average_price", "ts"}),
    "fill": frozenset({"fee", "fee_asset", "role", "ts"}),
    "balance": frozenset({"locked", "ts"}),
    "position": frozenset({"mode", "leverage", "margin", "realised_pnl", "ts"}),
}
"""Fields that a stack need not have; null there is no mismatch, unless the stack is known to have them."""


def differing(event: Event, body: dict[str, Any], held: frozenset[str] | set[str] = frozenset()) -> str | None:
    """The first mismatch as `path:kind`, None when equal. `held` are optional fields that may not be null."""
    if isinstance(event, Book) and not same_levels(event, body):
        return levels_path(event, body)
    optional = OPTIONAL[event.type]
    for name, kind_of in FIELDS[event.type]:
        wire, given = getattr(event, name), body.get(name)
        if given is None:
            if wire is not None and (name not in optional or name in held):
                return f"{name}:null"
        elif wire is None:
            return f"{name}:null"
        elif given is not wire and (kind := kind_of(wire, given)):
            if name == "ts" and kind != "type" and given in event.times:
                kind = "time source"
            return f"{name}:{kind}"
    return None


def same_levels(event: Book, body: dict[str, Any]) -> bool:
    """Whether bids and asks hold the same levels in any order."""
    nearest = event.numbers()
    pairs = zip((event.bids, event.asks), nearest, (body.get("bids"), body.get("asks")), strict=True)
    return all(given == numbers or same_side(wire, given) for wire, numbers, given in pairs)


def same_side(wire: Levels, given: Any) -> bool:
    """Slow way for one side: texts, mixed spellings, another order."""
    if given == wire:
        return True
    if not is_levels(given) or len(given) != len(wire):
        return False
    try:
        ours, theirs = (sorted(side, key=lambda level: float(level[0])) for side in (wire, given))
    except (ValueError, TypeError):
        return False
    return all(
        number_kind(mine[0], yours[0]) is None and number_kind(mine[1], yours[1]) is None
        for mine, yours in zip(ours, theirs, strict=True)
    )


def levels_path(event: Book, body: dict[str, Any]) -> str:
    """Names how unequal levels differ: sides exchanged, levels missing or extra, one price, one quantity."""
    bids: Any = body.get("bids")
    asks: Any = body.get("asks")
    for name, given in (("bids", bids), ("asks", asks)):
        if not is_levels(given):
            return f"{name}:{'null' if given is None else 'type'}"
    if same_side(event.bids, asks) and same_side(event.asks, bids):
        return "bids/asks:side"
    name, wire, given = ("asks", event.asks, asks) if same_side(event.bids, bids) else ("bids", event.bids, bids)
    try:
        theirs = {float(price): quantity for price, quantity in given}
    except (ValueError, TypeError):
        return f"{name}:type"
    ours = {float(price): (price, quantity) for price, quantity in wire}
    lost = [price for price in ours if price not in theirs]
    added = [price for price in theirs if price not in ours]
    if len(lost) == len(added) == 1:
        return f"{name}.price:{number_kind(ours[lost[0]][0], added[0]) or 'value'}"
    if lost or added or len(given) != len(wire):
        return f"{name}.levels:value"
    kinds = (number_kind(quantity, theirs[price]) for price, (_, quantity) in ours.items())
    return f"{name}.quantity:{next((kind for kind in kinds if kind), 'value')}"


def is_levels(given: Any) -> bool:
    """Whether it has the shape of a list of pairs."""
    return isinstance(given, list) and all(isinstance(level, list) and len(level) == 2 for level in given)


def is_rounded(event: Event, body: dict[str, Any]) -> bool:
    """Whether an equal event holds a JSON number that is not exactly its wire value."""
    if isinstance(event, Book):
        for wire, name in ((event.bids, "bids"), (event.asks, "asks")):
            if any(len(price) > EXACT_DIGITS or len(quantity) > EXACT_DIGITS for price, quantity in wire):
                given = {float(price): quantity for price, quantity in body[name]}
                if any(inexact(q, given[float(p)]) or inexact(p, float(p)) for p, q in wire):
                    return True
        return False
    return any(
        kind is number_kind and inexact(getattr(event, name), body.get(name)) for name, kind in FIELDS[event.type]
    )


def inexact(wire: str | None, given: object) -> bool:
    if wire is None or len(wire) <= EXACT_DIGITS or not isinstance(given, float):
        return False
    return Decimal(repr(given)) != Decimal(wire)


def number_key(value: Any) -> Any:
    """A number's key: the nearest float64, or the thing itself (as text) where it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def content_key(event: Event) -> tuple[Any, ...]:
    """All values of an expected event but ids and times, as a key for alignment without an exact key."""
    if isinstance(event, Book):
        bids, asks = event.numbers()
        return levels_key(bids), levels_key(asks)
    names = [name for name, kind in FIELDS[event.type] if kind in (number_kind, side_kind)]
    return tuple(number_key(getattr(event, name)) for name in names if getattr(event, name) is not None)


def body_key(body: dict[str, Any], event_type: str) -> tuple[Any, ...]:
    """The same key of a delivered event."""
    if event_type == "book":
        return levels_key(body.get("bids")), levels_key(body.get("asks"))
    names = [name for name, kind in FIELDS[event_type] if kind in (number_kind, side_kind)]
    return tuple(number_key(body[name]) for name in names if body.get(name) is not None)


def levels_key(levels: Any) -> Any:
    if not is_levels(levels):
        return str(levels)
    return tuple(sorted(((number_key(price), number_key(quantity)) for price, quantity in levels), key=str))
