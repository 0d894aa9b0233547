"""A subject's lines as delivered events, states and errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import orjson

from shadow.diff.canonical import FIELDS, OPTIONAL
from shadow.diff.codes import PRIVATE_TYPES

__all__ = ["Delivered", "Held", "Spoken", "Tallies", "held_fields", "held_of", "read_lines", "tallies"]

Stream = tuple[str, str, str]
"""Connection, event type, symbol."""
Tallies = dict[tuple[str, str], dict[str, int]]
"""By (connection, type) how many events had each optional field, and under "" all."""
Held = dict[tuple[str, str], set[str]]
"""By (connection, type) the optional fields that a side has."""


class Delivered(msgspec.Struct, gc=False):
    """One event line; `n` is its place among the side's lines, `t` None when it is no integer of 64 bits."""

    n: int
    t_read: int
    t: int | None
    connection: str
    type: str
    symbol: str
    body: dict[str, Any]
    code: str = ""
    owed: Any = None


class Spoken(msgspec.Struct):
    """All that a side said: events in line order, and state and error lines."""

    events: list[Delivered]
    states: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    unread: int = 0


INT64: Final = 2**63


def read_lines(lines: Iterable[tuple[int, bytes]], cap: int) -> Spoken:
    """Read (t_read, line) pairs; what is no protocol line is log and left out.

    Events beyond `cap` are only counted, in `unread`.
    """
    spoken = Spoken([], [], [])
    events = spoken.events
    for n, (t_read, line) in enumerate(lines):
        try:
            body = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(body, dict):
            continue
        kind = body.get("k")
        if kind == "event":
            if len(events) < cap:
                events.append(event_of(n, t_read, body))
            else:
                spoken.unread += 1
        elif kind == "state":
            spoken.states.append(body)
        elif kind == "error":
            spoken.errors.append(body)
    return spoken


def event_of(n: int, t_read: int, body: dict[str, Any]) -> Delivered:
    """The event of one line; parts that are no text become text, so that a strange line is a phantom, not a crash.

    A symbol of null, as balances have, is the empty one.
    """
    t, connection, event_type, symbol = body.get("t"), body.get("c"), body.get("type"), body.get("symbol")
    return Delivered(
        n,
        t_read,
        t if type(t) is int and -INT64 <= t < INT64 else None,
        connection if type(connection) is str else str(connection),
        event_type if type(event_type) is str else str(event_type),
        symbol if type(symbol) is str else "" if symbol is None else str(symbol),
        body,
    )


def held_fields(events: Iterable[Delivered]) -> Held:
    """The optional fields that a side has been seen to have, per connection and type, in these events.

    A field counts as held when at least half of the events have it: a stack either has a field or has it not.
    `first` and `snapshot` come with some events only and are never held; those of account events come with some only
    too (a client id, a fee), so there two are enough.
    """
    return held_of(tallies(events, {}))


def held_of(counts: Tallies) -> Held:
    """What such counts say of the fields that a side has."""
    return {
        key: {
            name
            for name, n in tally.items()
            if name not in ("", "first", "snapshot") and (2 * n >= tally[""] or (n > 1 and key[1] in PRIVATE_TYPES))
        }
        for key, tally in counts.items()
        if key[1] in FIELDS
    }


def tallies(events: Iterable[Delivered], before: Tallies) -> Tallies:
    """How often each optional field is there, and under the empty name all, in these events and in `before`."""
    counts = {key: dict(tally) for key, tally in before.items()}
    for event in events:
        tally = counts.setdefault((event.connection, event.type), {})
        tally[""] = tally.get("", 0) + 1
        body = event.body
        for name in OPTIONAL.get(event.type, ()):
            if body.get(name) is not None:
                tally[name] = tally.get(name, 0) + 1
    return counts
