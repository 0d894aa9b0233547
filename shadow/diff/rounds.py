"""Pairs of account events: an order, a balance or a position is named by its whole state, so keys come in rounds.

The first round pairs what is equal in the whole key, the later ones what is left and alike in fewer fields: a wrong
status is a wrong field of that update, not an update lost and another one invented.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from shadow.diff.canonical import differing, number_key
from shadow.diff.forms import Form, InStep
from shadow.reference.events import Event

__all__ = ["ROUNDS", "pair_in_rounds"]

Names = tuple[str, ...]
LOOKS: Final = 16
"""How many events of one key are looked at for the one that is equal in all fields."""

ROUNDS: Final[dict[str, tuple[Names, ...]]] = {
    "order": (("id", "status", "filled", "ts"), ("id", "ts"), ("id", "status", "filled")),
    "fill": (("id",), ("order_id", "price", "quantity", "side", "ts")),
    "balance": (("asset", "free", "locked", "ts"), ("asset", "ts"), ("asset", "free")),
    "position": (("size", "entry_price", "ts"), ("ts",), ("size", "entry_price")),
}
"""Per type the keys, best first; the first field of a key must be there."""

NUMBERS: Final = frozenset({"filled", "price", "quantity", "free", "locked", "size", "entry_price"})


def pair_in_rounds(
    event_type: str,
    events: Sequence[Event],
    forms: Sequence[Form | None],
    bodies: Sequence[dict[str, Any]],
    used: bytearray,
) -> list[tuple[int, int]]:
    """Per delivered body (index of its expected event, -1), or (-1, index of its taken twin) for a repeated one.

    (-1, -1) when nothing like it was expected. Each expected event is handed out once, in order; `used` marks those
    that are taken from the begin.
    """
    found = [(-1, -1)] * len(bodies)
    in_step = InStep(event_type, forms, used)
    left = list(range(len(bodies)))
    for number, names in enumerate(ROUNDS[event_type]):
        index: dict[tuple[Any, ...], deque[int]] | None = None
        waiting = []
        for j in left:
            body = bodies[j]
            is_named = body.get(names[0]) is not None
            if number == 0 and is_named and (expected := in_step.take(body)) >= 0:
                found[j] = expected, -1
                continue
            if index is None:
                index = index_of(names, events)
            alike = index.get(key_of(names, body.get)) if is_named else None
            place, twin = pick(alike, used, events, body, is_exact=number == 0) if alike else (-1, -1)
            if place >= 0:
                used[place] = 1
            if place >= 0 or twin >= 0:
                found[j] = place, twin
            elif not is_settled(event_type, body):
                waiting.append(j)
        left = waiting
    return found


def pick(
    alike: deque[int], used: bytearray, events: Sequence[Event], body: dict[str, Any], *, is_exact: bool
) -> tuple[int, int]:
    """Among events of one key the first free one, preferring an equal one; else a taken one that it repeats."""
    while len(alike) > 1 and used[alike[0]]:
        alike.popleft()
    near = list(islice(alike, LOOKS))
    free = [i for i in near if not used[i]]
    if free:
        return next((i for i in free if len(free) > 1 and differing(events[i], body) is None), free[0]), -1
    return -1, next((i for i in near if is_exact or differing(events[i], body) is None), -1)


def is_settled(event_type: str, body: dict[str, Any]) -> bool:
    """Whether no later round may pair it: a fill's id alone says which fill it is."""
    return event_type == "fill" and body.get("id") is not None


def index_of(names: Names, events: Sequence[Event]) -> dict[tuple[Any, ...], deque[int]]:
    """Key to expected events in order."""
    found: dict[tuple[Any, ...], deque[int]] = {}
    for i, event in enumerate(events):
        found.setdefault(key_of(names, partial(getattr, event)), deque()).append(i)
    return found


def key_of(names: Names, read: Callable[[str], Any]) -> tuple[Any, ...]:
    """Some fields as one key: numbers by value, ids and words as text, assets in any case."""
    return tuple(part(name, read(name)) for name in names)


def part(name: str, value: Any) -> Any:
    if name in NUMBERS:
        return number_key(value)
    if name == "ts":
        return value if isinstance(value, (int, float)) else str(value)
    return str(value).upper() if name == "asset" else str(value)
