"""Damage to event lines, one line at a time: what goes in is what the stack said, what comes out is written."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from shadow.subjects.sabotage import Damage

__all__ = ["Spoiler", "note"]

Line = dict[str, Any]
LET_BY: Final = 6
"""How many fitting events the seed lets by at most before the first is hit."""
ALTERED: Final = {
    "book_ticker": "ask_quantity",
    "ticker": "base_volume",
    "balance": "free",
    "position": "size",
}
"""The number that `alter` changes; of all other types the price."""
BACK_NS: Final = 3_000_000_000
GHOST: Final = "4242424242"


def note(kind: str, connection: str, t: int) -> Line:
    """The line by which a saboteur owns up: no protocol line, so that it is kept as log and judged by nobody."""
    return {"sabotage": kind, "c": connection, "t": t}


class Spoiler:
    """One damage on one connection."""

    def __init__(self, damage: Damage, connection: str, seed: int) -> None:
        self._kind = damage.kind
        self._connection = connection
        self._at_ns = int(damage.at_s * 1e9)
        self._types = damage.types_of(connection)
        self._left = damage.count
        self._let_by = random.Random(f"{seed} {damage.kind} {connection}").randrange(LET_BY)
        self._first: int | None = None
        self._held: Line | None = None
        self._whole: set[str] = set()
        self._owned_up = False

    def spoil(self, line: Line) -> list[Line]:
        """The lines to write in the place of one event line of the connection."""
        if self._first is None:
            self._first = line["t"]
        if self._kind == "mute":
            return self._own_up(line, []) if self._is_time(line) else [line]
        if self._kind == "conflate":
            return self._until_whole(line)
        if self._held is not None:
            return self._behind(line, self._held)
        if not self._is_due(line):
            return [line]
        self._left -= 1
        if self._kind == "swap":
            self._held = line
            return []
        return [*ACTS[self._kind](line), note(self._kind, self._connection, line["t"])]

    def _is_time(self, line: Line) -> bool:
        return bool(line["t"] - (self._first or 0) >= self._at_ns)

    def _is_due(self, line: Line) -> bool:
        if not self._left or not self._is_time(line) or line["type"] not in self._types:
            return False
        self._let_by -= 1
        return self._let_by < 0

    def _own_up(self, line: Line, rest: list[Line]) -> list[Line]:
        """Say it once, at the first event that is withheld."""
        if self._owned_up:
            return rest
        self._owned_up = True
        return [note(self._kind, self._connection, line["t"]), *rest]

    def _behind(self, line: Line, held: Line) -> list[Line]:
        """The held event comes right behind the next one of its stream."""
        if (line["type"], line["symbol"]) != (held["type"], held["symbol"]):
            return [line]
        self._held = None
        return [line, held | {"t": line["t"]}, note(self._kind, self._connection, line["t"])]

    def _until_whole(self, line: Line) -> list[Line]:
        """Book updates are left to the first whole book, which holds them."""
        if line["type"] != "book" or line["symbol"] in self._whole:
            return [line]
        if line["snapshot"] is True:
            self._whole.add(line["symbol"])
            return [line]
        return self._own_up(line, [])


def _altered(line: Line) -> Line:
    name = ALTERED.get(line["type"], "price")
    if line["type"] != "book":
        return line | {name: float(line[name]) + 1.0}
    side = "bids" if line["bids"] else "asks"
    (price, quantity), *rest = line[side]
    return line | {side: [(price, float(quantity) + 1.0), *rest]}


def _invented(line: Line) -> Line:
    if "id" in line:
        return line | {"id": GHOST}
    return line | {"ts": line["ts"] + 86_400_000, "seq": int(GHOST), "last": int(GHOST), "asset": "GHOST"}


def _raised(line: Line) -> Line:
    text = "ValueError: a consumer's mistake"
    return {"k": "error", "c": line["c"], "t": line["t"], "kind": "callback", "message": text}


def _states(line: Line) -> list[Line]:
    return [{"k": "state", "c": line["c"], "t": line["t"], "state": state} for state in ("disconnected", "subscribed")]


ACTS: Final[dict[str, Callable[[Line], list[Line]]]] = {
    "drop": lambda line: [],
    "alter": lambda line: [_altered(line)],
    "twice": lambda line: [line, line],
    "invent": lambda line: [line, _invented(line)],
    "clock": lambda line: [line | {"t": line["t"] - BACK_NS}],
    "raise": lambda line: [line, _raised(line)],
    "unsettle": lambda line: [line, *_states(line)],
}
