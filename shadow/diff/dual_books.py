"""Two books with connections of their own: which versions each covers, and whether their levels agree."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shadow.diff.canonical import is_levels, number_key
from shadow.diff.lines import Delivered

__all__ = ["Coverage", "holes_of_all", "state_incidents"]

UNKNOWN: Final = object()
Place = tuple[str, float]


class Coverage:
    """The version ranges of one side's updates and the versions of its whole books, each with its time.

    A stack that gives no first version is taken to have had no hole.
    """

    def __init__(self, given: Sequence[Delivered]) -> None:
        ranges: list[tuple[int, int, int]] = []
        whole: list[tuple[int, int]] = []
        before: int | None = None
        for event in given:
            last, first, t = event.body.get("last"), event.body.get("first"), event.t or 0
            if not isinstance(last, int):
                continue
            if event.body.get("snapshot") is True:
                whole.append((last, t))
            else:
                if not isinstance(first, int):
                    first = last if before is None else before + 1
                ranges.append((first, last, t))
            before = last
        ranges.sort(key=lambda one: one[1])
        self.ranges = ranges
        self._lasts = [last for _, last, _ in ranges]
        whole.sort()
        self._whole = [version for version, _ in whole]
        self._whole_at = [t for _, t in whole]
        for i in range(len(whole) - 2, -1, -1):
            self._whole_at[i] = min(self._whole_at[i], self._whole_at[i + 1])

    def updates(self) -> Iterator[tuple[int, int]]:
        """(last version, time) of each update."""
        return ((last, t) for _, last, t in self.ranges)

    def covered_at(self, version: int) -> int | None:
        """When an update or a whole book first held the version; None when none did."""
        found: list[int] = []
        place = bisect_left(self._lasts, version)
        if place < len(self.ranges) and self.ranges[place][0] <= version:
            found.append(self.ranges[place][2])
        place = bisect_left(self._whole, version)
        if place < len(self._whole):
            found.append(self._whole_at[place])
        return min(found, default=None)


def holes_of_all(sides: Sequence[Coverage], span: tuple[int, int]) -> int:
    """Holes in the versions that all sides' updates together leave open: none of them was sent these."""
    ranges = sorted(one for side in sides for one in side.ranges if span[0] <= one[2] <= span[1])
    holes, reached = 0, None
    for first, last, _ in ranges:
        holes += reached is not None and first > reached + 1
        reached = last if reached is None else max(reached, last)
    return holes


def state_incidents(
    ours: Sequence[Delivered], theirs: Sequence[Delivered], span: tuple[int, int]
) -> tuple[list[int], int]:
    """When two books began to differ at a common version, and how many common versions there were.

    Levels count from when both sides are known to have them, so that neither needs a whole book to begin with: behind
    a first common version both were told the same changes. A hole makes a side's levels unknown again.
    """
    common = {e.body.get("last") for e in ours} & {e.body.get("last") for e in theirs}
    versions = sorted(version for version in common if isinstance(version, int))
    mine, other = _Walk(ours), _Walk(theirs)
    times: list[int] = []
    differing: set[Place] = set()
    compared = 0
    for version in versions:
        touched = mine.advance(version) | other.advance(version)
        if mine.version != version or other.version != version:
            continue
        compared += 1
        was_equal = not differing
        for place in touched | differing:
            a, b = mine.at(place), other.at(place)
            (differing.discard if a is UNKNOWN or b is UNKNOWN or a == b else differing.add)(place)
        if differing and was_equal and span[0] <= mine.t <= span[1]:
            times.append(mine.t)
    return times, compared


class _Walk:
    """One side's book in the order of its versions."""

    def __init__(self, given: Sequence[Delivered]) -> None:
        usable = [event for event in given if isinstance(event.body.get("last"), int)]
        self._events = sorted(usable, key=lambda event: int(event.body["last"]))
        self._next = 0
        self._levels: dict[Place, float] = {}
        self._reach: dict[str, float] = {}
        self.version: int | None = None
        self.t = 0

    def advance(self, version: int) -> set[Place]:
        """Take everything up to a version; the places touched."""
        touched: set[Place] = set()
        while self._next < len(self._events) and self._events[self._next].body["last"] <= version:
            touched |= self._take(self._events[self._next])
            self._next += 1
        return touched

    def at(self, place: Place) -> Any:
        """The quantity at a place: 0 for none, UNKNOWN where the side was never told.

        A whole book has so many levels and says nothing of what lies beyond its last one.
        """
        if place in self._levels:
            return self._levels[place]
        name, price = place
        end = self._reach.get(name)
        is_within = end is not None and (price >= end if name == "bids" else price <= end)
        return 0.0 if is_within else UNKNOWN

    def _take(self, event: Delivered) -> set[Place]:
        body = event.body
        first, is_whole = body.get("first"), body.get("snapshot") is True
        touched: set[Place] = set()
        hole = isinstance(first, int) and self.version is not None and first > self.version + 1
        if is_whole or hole:
            touched |= self._levels.keys()
            self._levels.clear()
            self._reach = reach_of(body) if is_whole else {}
        for place, quantity in levels_of(body):
            self._levels[place] = quantity
            touched.add(place)
        self.version, self.t = body["last"], event.t or 0
        return touched


def reach_of(body: dict[str, Any]) -> dict[str, float]:
    """The price of a whole book's last level, by side."""
    prices: dict[str, list[float]] = {"bids": [], "asks": []}
    for (name, price), _ in levels_of(body):
        prices[name].append(price)
    return {name: (min if name == "bids" else max)(found) for name, found in prices.items() if found}


def levels_of(body: dict[str, Any]) -> Iterator[tuple[Place, float]]:
    """Levels by side and price; what is no number is judged against the side's own frames."""
    for name in ("bids", "asks"):
        levels: Any = body.get(name)
        for raw_price, raw_quantity in levels if is_levels(levels) else ():
            price, quantity = number_key(raw_price), number_key(raw_quantity)
            if isinstance(price, float) and isinstance(quantity, float):
                yield (name, price), quantity
