"""What a saboteur is told to do: `KIND@CONNECTION[:key=value,...]`, as faults of the venue are told."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from shadow.errors import UsageError
from shadow.venue.faults import CONNECTIONS, TYPES

__all__ = ["EVERY", "KINDS", "Damage", "parse_damage"]

EVERY: Final = "*"
"""In the place of a connection: each of them; what hits the process starts with the first event of any."""
PUBLIC: Final[tuple[str, ...]] = ("trade", "book", "book_ticker", "ticker")
PRIVATE: Final[tuple[str, ...]] = ("fill", "order", "balance", "position")
KINDS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("drop", "alter", "swap", "twice", "invent", "clock", "raise"), frozenset({"at", "count", "type"})),
    "unsettle": frozenset({"at"}),
    "mute": frozenset({"at"}),
    "conflate": frozenset(),
    "away": frozenset({"at", "for"}),
    "die": frozenset({"at"}),
    "hang": frozenset({"at"}),
    "leak": frozenset({"at", "rate"}),
}
"""Kind to the keys that it takes."""
_SPEC: Final = re.compile(r"(?P<kind>[a-z]+)@(?P<connection>\*|[a-z.]+)(?::(?P<keys>.+))?", re.ASCII)
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?", re.ASCII)


class Damage(msgspec.Struct, frozen=True):
    """One planned damage. `at_s` counts from the connection's first event, `for_s` is how long a side stays away,
    `count` how many events are hit (None: all from then on), `rate` bytes a second that are never given back."""

    kind: str
    connection: str
    at_s: float = 2.0
    for_s: float = 0.5
    count: int = 1
    type: str = ""
    rate: int = 4 << 20

    def hits(self, connection: str) -> bool:
        """Whether it is meant for this connection."""
        return self.connection in (EVERY, connection)

    def types_of(self, connection: str) -> tuple[str, ...]:
        """The event types that it waits for there."""
        if self.type:
            return (self.type,)
        return ("fill",) if connection.endswith(".private") else ("trade",)


def parse_damage(text: str) -> Damage:
    """Read one damage; UsageError with one line that says what would be right."""
    found = _SPEC.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"damage {text!r}: expected KIND@CONNECTION[:key=value,...], or * for every connection")
    kind, connection = found["kind"], found["connection"]
    if kind not in KINDS:
        raise UsageError(f"damage {text!r}: unknown kind {kind!r}; kinds are {', '.join(KINDS)}")
    if connection not in (EVERY, *CONNECTIONS):
        raise UsageError(f"damage {text!r}: unknown connection {connection!r}; give * or {', '.join(CONNECTIONS)}")
    if (kind, connection) == ("away", EVERY):
        raise UsageError(f"damage {text!r}: name the connection that is to stay away, one damage for each")
    values: dict[str, object] = {}
    for part in (found["keys"] or "").split(",") if found["keys"] else ():
        key, _, value = part.partition("=")
        if key not in KINDS[kind]:
            takes = ", ".join(sorted(KINDS[kind])) or "no key"
            raise UsageError(f"damage {text!r}: {kind} does not take {key!r}; it takes {takes}")
        values |= _value(text, key, value)
    damage = msgspec.convert({"kind": kind, "connection": connection, **values}, Damage)
    if damage.type and connection != EVERY and damage.type not in _types(connection):
        raise UsageError(f"damage {text!r}: {connection} has no events of type {damage.type!r}")
    return damage


def _types(connection: str) -> tuple[str, ...]:
    return PRIVATE if connection.endswith(".private") else PUBLIC


def _value(text: str, key: str, value: str) -> dict[str, object]:
    if key in ("at", "for") and (time := _TIME.fullmatch(value)):
        return {f"{key}_s": float(time[1]) * (0.001 if time[2] == "ms" else 1.0)}
    if key in ("count", "rate") and value.isdecimal() and int(value):
        return {key: int(value)}
    if key == "type" and value in TYPES:
        return {"type": value}
    raise UsageError(f"damage {text!r}: {key}={value!r} cannot be read; write for example at=2s, count=3, type=trade")
