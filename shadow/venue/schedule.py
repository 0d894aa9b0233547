"""When synthetic frames leave, and of which type: a seeded plan with bursts, quiet spells and an exact mean rate."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from random import Random
from typing import Final, NamedTuple

__all__ = ["APART", "MIX", "Profile", "Schedule", "arrivals", "profile_of"]

MIX: Final[Mapping[str, int]] = {"book": 8, "book_ticker": 5, "trade": 5, "ticker": 2}
"""Cards of each event type in the deck that is dealt again and again: 40, 25, 25 and 10 %."""

APART: Final = 0.85
"""The least distance of two frames outside of bursts, as a share of the mean one."""


class Profile(NamedTuple):
    """The shape of one block: `burst` frames (at most `burst_share` of all) in `burst_s`, and a quiet spell each
    second, together `quiet_share` of the time."""

    burst: int
    burst_share: float
    burst_s: float
    quiet_share: float
    most_in_50_ms: float


_PROFILES: Final[Mapping[str, Profile]] = {
    "default": Profile(burst=60, burst_share=0.02, burst_s=0.02, quiet_share=0.1, most_in_50_ms=250.0),
    "storm": Profile(burst=1500, burst_share=0.5, burst_s=0.05, quiet_share=0.2, most_in_50_ms=float("inf")),
}


def profile_of(name: str) -> Profile:
    """The profile `default` or `storm`; ValueError on any other name."""
    if name not in _PROFILES:
        raise ValueError(f"unknown profile {name!r}; there are {', '.join(_PROFILES)}")
    return _PROFILES[name]


def arrivals(rate: float, seconds: float, *, seed: int = 0, profile: str = "default") -> Iterator[float]:
    """Ascending offsets in [0, seconds) of round(rate * seconds) frames.

    Each block (a second, or as long as its burst needs) holds its exact share of the frames: arrivals that keep apart
    outside of quiet spells, and one burst, left out where 50 ms would then hold more than the profile lets them. A
    frame right behind another waits for it, on either side: were they many, a quantile would measure the schedule.
    """
    shape = profile_of(profile)
    random = Random(f"arrivals/{profile}/{seed}")
    total = round(rate * seconds)
    if total <= 0:
        return
    length = min(seconds, max(1.0, shape.burst / shape.burst_share / rate))
    blocks = max(1, round(seconds / length))
    length = seconds / blocks
    done = 0
    for block in range(blocks):
        upto = round(total * (block + 1) / blocks)
        for offset in _block(random, shape, upto - done, length):
            yield block * length + offset
        done = upto


class Schedule:
    """The plan of one connection: the mix over its channels, its symbols evenly, arrivals by the profile."""

    def __init__(self, channels: Iterable[str], symbols: Iterable[str], seed: int, profile: str = "default") -> None:
        wanted = set(channels)
        self._deck = [channel for channel, cards in MIX.items() if channel in wanted for _ in range(cards)]
        self._symbols = list(symbols)
        if not self._deck or not self._symbols:
            raise ValueError("a schedule needs a public channel and a symbol")
        profile_of(profile)
        self._seed = seed
        self._profile = profile

    def arrivals(self, rate: float, seconds: float) -> Iterator[tuple[float, str, str]]:
        """(offset in seconds, event type, symbol), ascending; the same at each call."""
        moments = arrivals(rate, seconds, seed=self._seed, profile=self._profile)
        for moment, (channel, symbol) in zip(moments, self.draws(), strict=False):
            yield moment, channel, symbol

    def draws(self) -> Iterator[tuple[str, str]]:
        """(event type, symbol) without end; each run through the deck holds the exact mix, each symbol in turn."""
        random = Random(f"draws/{self._seed}")
        deck, symbols = list(self._deck), list(self._symbols)
        turns = count()
        while True:
            random.shuffle(deck)
            for channel in deck:
                place = next(turns) % len(symbols)
                if place == 0:
                    random.shuffle(symbols)
                yield channel, symbols[place]


def _block(random: Random, shape: Profile, frames: int, length: float) -> list[float]:
    """Sorted offsets of one block's frames in [0, length)."""
    spells = max(1, int(length))
    quiet = shape.quiet_share * length
    room = length - quiet
    burst = min(shape.burst, int(frames * shape.burst_share))
    if frames * 0.05 / room + burst > shape.most_in_50_ms:
        burst = 0
    quiet_begins = sorted(random.random() * room for _ in range(spells))
    burst_begin = random.random() * max(0.0, room - shape.burst_s)
    span = min(shape.burst_s, room)
    offsets = _apart(random, frames - burst, room)
    offsets += [burst_begin + random.random() * span for _ in range(burst)]
    return sorted(offset + quiet / spells * bisect_right(quiet_begins, offset) for offset in offsets)


def _apart(random: Random, frames: int, room: float) -> list[float]:
    """Offsets in [0, room), uniform but for a least distance of APART of the mean one."""
    least = APART * room / max(1, frames)
    free = room - frames * least
    return [at + n * least for n, at in enumerate(sorted(random.random() * free for _ in range(frames)))]
