"""Finds the smallest list of frames that still shows a difference: growing stretches around it, then parts of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from shadow.diff.ddmin import ddmin
from shadow.diff.reproduce import windows
from shadow.reproducer.case import Fed

__all__ = ["Found", "Tell", "count_of", "search"]

Tell = Callable[[str], None]
Shows = Callable[[list[Fed]], bool]


class Found(msgspec.Struct):
    """The smallest list found, empty where not even all frames show it; whether no single frame can be left out."""

    frames: list[Fed]
    is_minimal: bool
    tries: int


class Trying:
    """Counts tries and tells of each, with the time that those left take at most."""

    def __init__(self, shows: Shows, most: int, tell: Tell) -> None:
        self.tries = 0
        self._shows = shows
        self._most = most
        self._tell = tell
        self._spent_s = 0.0

    @property
    def left(self) -> int:
        """How many tries are left."""
        return self._most - self.tries

    def __call__(self, frames: list[Fed]) -> bool:
        began = time.monotonic()
        shown = self._shows(frames)
        self._spent_s += time.monotonic() - began
        self.tries += 1
        each_s = self._spent_s / self.tries
        word = "shown" if shown else "not shown"
        left_s = max(0.0, each_s * self.left)
        self._tell(f"  try {self.tries}: {count_of(len(frames), 'frame')}, {word}; at most {left_s:.0f} s left")
        return shown


def count_of(count: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    return f"{count} {noun if count == 1 else noun + 's'}"


def search(frames: Sequence[Fed], focus: int, shows: Shows, most: int, tell: Tell) -> Found:
    """At most `most` calls of `shows`; the stretches up to the whole list are always tried."""
    trying = Trying(shows, most, tell)
    for begin, end in windows(len(frames), focus):
        if trying(list(frames[begin:end])):
            places, is_minimal = smallest(begin, end, focus, lambda part: trying([frames[i] for i in part]), trying)
            return Found([frames[place] for place in places], is_minimal, trying.tries)
    return Found([], False, trying.tries)


def smallest(
    begin: int, end: int, focus: int, shows: Callable[[list[int]], bool], trying: Trying
) -> tuple[list[int], bool]:
    """The smallest part of a stretch that shows it, and whether no single place of it can be left out.

    The frame of the difference is nearly always needed: where it is, only what it needs besides is searched for.
    """
    rest = [place for place in range(begin, end) if place != focus]
    if not rest or trying.left <= 0:
        return list(range(begin, end)), not rest
    if shows(rest):
        return ddmin(rest, shows, trying.left)
    kept, is_minimal = ddmin(rest, lambda part: shows(sorted([*part, focus])), trying.left)
    if trying.left <= 0:
        return sorted([*kept, focus]), False
    return (kept, False) if kept != rest and shows(kept) else (sorted([*kept, focus]), is_minimal)
