"""Events of two sides, paired as they come: by what names them, within W, in bounded memory.

Neither side is the truth. What one has and the other has not is the other's MISSING; where both have an event and its
values differ, both are told, and nobody can say who is right.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from shadow.diff.canonical import FIELDS, is_levels, levels_key, number_key
from shadow.diff.codes import LAST_VALUE
from shadow.diff.dual import IDENTITY, WINDOW_NS
from shadow.diff.kinds import number_kind
from shadow.diff.lines import Delivered

__all__ = ["LEGACY", "NEW", "SIDES", "Finding", "Pairs", "disagreement", "other"]

LEGACY: Final = "legacy"
NEW: Final = "new"
SIDES: Final = (LEGACY, NEW)
BOTH: Final = "both"
IDS: Final = frozenset({"id", "order_id", "asset", "status", "side", "mode"})
LATE_NS: Final = 10_000_000_000
"""How long behind its time an event that was given up is still recognised."""

Excuse = Callable[[str, int], str | None]
"""By the side that lacks an event and the event's `t`: the code under which that is no difference; None: it is one."""


class Finding(msgspec.Struct, frozen=True):
    """One difference: whose, what and when (ns)."""

    code: str
    side: str
    connection: str
    type: str
    symbol: str
    says: str
    t: int


def other(side: str) -> str:
    """The side beside this one."""
    return NEW if side == LEGACY else LEGACY


def identity(event: Delivered, names: tuple[str, ...]) -> tuple[Any, ...]:
    """What names an event. Ids are text: a float64 does not tell two long ones apart."""
    body = event.body
    return tuple(str(body.get(name)) if name in IDS else number_key(body.get(name)) for name in names)


def disagreement(a: Delivered, b: Delivered) -> str | None:
    """The first field that both have and whose values differ; times are left out, stacks may take another one."""
    mine, theirs = a.body, b.body
    for name, kind in FIELDS[a.type]:
        left, right = mine.get(name), theirs.get(name)
        if name == "ts" or left is None or right is None:
            continue
        equal = number_key(left) == number_key(right) if kind is number_kind else _text(left) == _text(right)
        if not equal:
            return f"{name} {left} and {right}"
    if a.type == "book":
        for name in ("bids", "asks"):
            if is_levels(mine.get(name)) and levels_key(mine[name]) != levels_key(theirs.get(name)):
                return name
    return None


def _text(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Waiting(msgspec.Struct):
    """One event that waits for its counterpart; `n` is its place among its side's."""

    side: str
    key: Any
    event: Delivered
    n: int
    is_done: bool = False


class Pairs:
    """One stream whose events have an identity of their own: a symmetric hash join with expiry."""

    def __init__(self, event_type: str, on_pair: Callable[[Delivered, Delivered], None]) -> None:
        self.type = event_type
        self.codes: dict[str, Counter[str]] = {side: Counter() for side in SIDES}
        self._on_pair = on_pair
        self._names: tuple[str, ...] | None = None
        self._heads: dict[str, Delivered] = {}
        self._open: dict[str, dict[Any, deque[Waiting]]] = {side: {} for side in SIDES}
        self._queue: deque[Waiting] = deque()
        self._lost: dict[str, dict[Any, int]] = {side: {} for side in SIDES}
        self._done: dict[Any, int] = {}
        self._old: deque[tuple[int, Any]] = deque()
        self._counts = dict.fromkeys(SIDES, 0)
        self._highest = dict.fromkeys(SIDES, -1)
        self._newest = dict.fromkeys(SIDES, 0)
        self._ids = dict.fromkeys(SIDES, -1)

    def __len__(self) -> int:
        """What is held."""
        return len(self._queue) + len(self._old)

    def take(self, side: str, event: Delivered) -> list[Finding]:
        """A side delivered an event; what it shows at once."""
        self._heads.setdefault(side, event)
        key = identity(event, self._identity())
        n = self._counts[side] = self._counts[side] + 1
        self._newest[side] = max(self._newest[side], event.t or 0)
        descends = self._descends(side, event)
        waiting = self._open[other(side)].get(key)
        if waiting:
            counterpart = waiting.popleft()
            counterpart.is_done = True
            return self._pair(Waiting(side, key, event, n), counterpart, descends)
        if self._lost[side].pop(key, None) is not None:
            self._recount(side)
            return []
        one = Waiting(side, key, event, n)
        self._open[side].setdefault(key, deque()).append(one)
        self._queue.append(one)
        return []

    def _identity(self) -> tuple[str, ...]:
        """Best first, the fields that the first events of both sides have; the last set until both have spoken."""
        if self._names is None:
            sets = IDENTITY[self.type]
            held = [one.body for one in self._heads.values()]
            found = next((s for s in sets if all(body.get(name) is not None for body in held for name in s)), sets[-1])
            if len(self._heads) < len(SIDES):
                return found
            self._names = found
            self._rekey()
        return self._names

    def _rekey(self) -> None:
        """What waits was named by one side's fields alone."""
        for side in SIDES:
            self._open[side] = {}
        for one in self._queue:
            if not one.is_done:
                one.key = identity(one.event, self._names or ())
                self._open[one.side].setdefault(one.key, deque()).append(one)

    def _pair(self, one: Waiting, counterpart: Waiting, descends: bool) -> list[Finding]:
        by_side = {one.side: one, counterpart.side: counterpart}
        legacy, new = by_side[LEGACY], by_side[NEW]
        self._done[one.key] = max(one.event.t or 0, counterpart.event.t or 0)
        self._old.append((self._done[one.key], one.key))
        differs = disagreement(legacy.event, new.event)
        code = "MATCH" if differs is None else "FIELD"
        is_late = abs((new.event.t or 0) - (legacy.event.t or 0)) > WINDOW_NS
        for side in SIDES:
            self.codes[side]["LATE" if is_late and differs is None else code] += 1
        self._on_pair(legacy.event, new.event)
        found = [self._finding("FIELD", BOTH, one.event, f"legacy and new have {differs}")] if differs else []
        return found + self._order(legacy, new, one, descends)

    def _order(self, legacy: Waiting, new: Waiting, last: Waiting, descends: bool) -> list[Finding]:
        """REORDER where the two sides have a pair in another order; of the side whose own ids go back, if they do."""
        is_ahead = {one.side: one.n > self._highest[one.side] for one in (legacy, new)}
        for one in (legacy, new):
            self._highest[one.side] = max(self._highest[one.side], one.n)
        if is_ahead[LEGACY] == is_ahead[NEW] or self.type in LAST_VALUE:
            return []
        side = last.side if descends else BOTH
        return [self._finding("REORDER", side, last.event, "the sides have it in another order")]

    def _descends(self, side: str, event: Delivered) -> bool:
        text = event.body.get("id")
        number = int(text) if isinstance(text, str) and text.isdecimal() else -1
        before, self._ids[side] = self._ids[side], max(number, self._ids[side])
        return 0 <= number < before

    def _recount(self, side: str) -> None:
        """It was given up, and has come after all."""
        for one in SIDES:
            self.codes[one]["LATE"] += 1
        self.codes[other(side)]["MISSING"] -= 1

    def expire(self, until: int, excuse: Excuse) -> list[Finding]:
        """Give up what waits since before `until`."""
        found: list[Finding] = []
        while self._queue and (self._queue[0].is_done or (self._queue[0].event.t or 0) <= until):
            one = self._queue.popleft()
            if not one.is_done:
                found += self._give_up(one, excuse)
        while self._old and self._old[0][0] < until - LATE_NS:
            t, key = self._old.popleft()
            if self._done.get(key) == t:
                del self._done[key]
        for lost in self._lost.values():
            for key in [key for key, t in lost.items() if t < until - LATE_NS]:
                del lost[key]
        return found

    def _give_up(self, one: Waiting, excuse: Excuse) -> list[Finding]:
        self._forget(one)
        lacking, t = other(one.side), one.event.t or 0
        code = self._code(one, lacking, excuse)
        self.codes[one.side][code] += 1
        if code == "MISSING":
            self._lost[lacking][one.key] = t
            return [self._finding(code, lacking, one.event, f"{one.side} has it")]
        if code == "DUP":
            return [self._finding(code, one.side, one.event, "delivered twice")]
        return []

    def _code(self, one: Waiting, lacking: str, excuse: Excuse) -> str:
        t = one.event.t or 0
        if (excused := excuse(lacking, t)) is not None:
            return excused
        if one.key in self._done:
            return "DUP"
        # A last value that a later one has replaced need not be delivered.
        return "CONFLATED" if self.type in LAST_VALUE and self._newest[lacking] > t else "MISSING"

    def _forget(self, one: Waiting) -> None:
        waiting = self._open[one.side].get(one.key)
        if waiting is not None:
            if one in waiting:
                waiting.remove(one)
            if not waiting:
                del self._open[one.side][one.key]

    def reset(self, code: str) -> None:
        """All that waits ends under this code."""
        for one in self._queue:
            if not one.is_done:
                self.codes[one.side][code] += 1
        self._queue.clear()
        for side in SIDES:
            self._open[side].clear()

    def _finding(self, code: str, side: str, event: Delivered, says: str) -> Finding:
        name = identity(event, self._names or IDENTITY[self.type][-1])
        text = f"{event.type} {' '.join(str(part) for part in name)}: {says}"
        return Finding(code, side, event.connection, event.type, event.symbol, text, event.t or 0)
