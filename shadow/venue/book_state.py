"""One symbol's book in whole ticks and lots: live levels, and which of them changed since the last push."""

from __future__ import annotations

from bisect import bisect_left, insort

__all__ = ["BookState", "Side", "decimal_text"]


def decimal_text(units: int, decimals: int, *, padded: bool = False) -> str:
    """Decimal text of a whole number of 10^-decimals; trailing zeros are cut unless padded.

    Negative units keep their sign.
    """
    if units < 0:
        return "-" + decimal_text(-units, decimals, padded=padded)
    digits = str(units).zfill(decimals + 1)
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    if not padded:
        fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


class Side:
    """One side of a book. A key is the price in ticks times `sign` (bids -1), so keys ascend best first."""

    __slots__ = ("changed", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, int] = {}
        # Key -> lots as last pushed: both what the next update must name and how to see the pushed book.
        self.changed: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def best(self) -> int:
        """Best price in ticks."""
        return self.keys[0] * self.sign

    def set(self, key: int, lots: int) -> None:
        """Make the level hold `lots`; 0 removes it."""
        before = self.levels.get(key, 0)
        self.changed.setdefault(key, before)
        if lots:
            if not before:
                insort(self.keys, key)
            self.levels[key] = lots
        elif before:
            del self.keys[bisect_left(self.keys, key)]
            del self.levels[key]

    def take_changes(self) -> list[tuple[int, int]]:
        """(price in ticks, lots) of every level that differs from the last push; the live book becomes the pushed."""
        sign, levels = self.sign, self.levels
        changes = [
            (key * sign, levels.get(key, 0)) for key, pushed in self.changed.items() if levels.get(key, 0) != pushed
        ]
        self.changed.clear()
        return changes

    @property
    def differs(self) -> int:
        """How many levels the next update will name."""
        return sum(self.levels.get(key, 0) != pushed for key, pushed in self.changed.items())

    def pushed(self) -> list[tuple[int, int]]:
        """(price in ticks, lots), best first, as clients that applied every push know them."""
        levels = self.levels | self.changed
        return [(key * self.sign, levels[key]) for key in sorted(levels) if levels[key]]


class BookState:
    """Both sides and the version, which grows by one with each change of a level."""

    __slots__ = ("asks", "bids", "pushed_version", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.pushed_version = version
        self.bids = Side(-1)
        self.asks = Side(1)

    def set(self, side: Side, key: int, lots: int) -> None:
        """Change one level and advance the version."""
        side.set(key, lots)
        self.version += 1

    def other(self, side: Side) -> Side:
        """The opposite side."""
        return self.asks if side is self.bids else self.bids

    def floor(self, side: Side) -> int:
        """The opposite best as a key of this side: a key must be greater, or the book would cross."""
        other = self.other(side)
        return -other.keys[0] if other.keys else -(1 << 62)

    def take(self) -> tuple[int, int, list[tuple[int, int]], list[tuple[int, int]]]:
        """First and last version of the next update, and the changed bids and asks; they count as pushed then."""
        first, last = self.pushed_version + 1, self.version
        self.pushed_version = last
        return first, last, self.bids.take_changes(), self.asks.take_changes()
