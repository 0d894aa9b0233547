"""Delta debugging: the smallest part of a list that still shows something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

__all__ = ["ddmin"]

Item = TypeVar("Item")
Part = tuple[int, ...]


def ddmin(items: Sequence[Item], shows: Callable[[list[Item]], bool], tries: int) -> tuple[list[Item], bool]:
    """The smallest list found, in the order of `items`, and whether no single item of it can be left out.

    `items` as a whole must show it. `shows` is asked at most `tries` times, never twice the same, and never of nothing;
    where that is not enough, the second answer is False. (Zeller and Hildebrandt, 2002.)
    """
    kept: Part = tuple(range(len(items)))
    asked: set[Part] = set()
    parts = 2
    while len(kept) > 1:
        for part in candidates(kept, parts):
            if part in asked:
                continue
            if len(asked) >= tries:
                return [items[place] for place in kept], False
            asked.add(part)
            if shows([items[place] for place in part]):
                parts = max(2, parts - 1) if 2 * len(part) > len(kept) else 2
                kept = part
                break
        else:
            if parts >= len(kept):
                break
            parts = min(2 * parts, len(kept))
    return [items[place] for place in kept], True


def candidates(kept: Part, parts: int) -> Iterator[Part]:
    """Each of `parts` pieces alone, then all but each."""
    parts = min(parts, len(kept))
    cuts = [len(kept) * i // parts for i in range(parts + 1)]
    pieces = list(pairwise(cuts))
    yield from (kept[begin:end] for begin, end in pieces)
    yield from (kept[:begin] + kept[end:] for begin, end in pieces)
